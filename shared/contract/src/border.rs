//! The facts. Values are absolute and carry a revision, never a delta: a consumer keeps the
//! highest.

mod onboarding;
mod region;
mod tenant;
mod usage;

pub use onboarding::{OnboardingProgressed, Step, StepName, StepState};
pub use region::{
    Dependency, DependencyHealth, DependencyState, EventCounts, HeartbeatReported, ReasonCounts,
    RegionBillingTotaled, RegionDescribed, RejectedCounts, RejectionKind, TenantCounts,
};
pub use tenant::{
    ClaimDecision, ClaimPhase, PlanChangeRequested, TenantErased, TenantPolicy,
    TenantPolicyApplied, TenantPolicyPublished, TenantStatusChanged, VanityClaimed, VanityDecided,
};
pub use usage::{
    UsageResendRequested, UsageSealed, UsageStreamRequested, UsageStreamStated, UsageWindow,
    UsageWindowUpdated, WindowPart,
};

/// Declares a fact's type, version and source.
macro_rules! fact {
    ($name:ident, $version:literal, $source:literal) => {
        impl $crate::Fact for $name {
            const TYPE: &'static str = concat!(stringify!($name), ".v", $version);
            const SOURCE: &'static str = $source;
        }
    };
}
pub(crate) use fact;
