//! The events that cross the border. Values are absolute and have a revision instead of being
//! deltas, so a consumer retains the highest one and needs no order.

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
    PlanChangeRequested, ReservationDecision, ReservationPhase, SubdomainReservationDecided,
    SubdomainReservationUpdated, TenantErased, TenantPolicy, TenantPolicyApplied,
    TenantPolicyPublished, TenantStatusChanged,
};
pub use usage::{
    UsageResendRequested, UsageSealed, UsageStreamEndReported, UsageStreamRequested, UsageWindow,
    UsageWindowUpdated, WindowPart,
};

/// Declares an event's type, version and source.
macro_rules! bus_event {
    ($name:ident, $version:literal, $source:literal) => {
        impl $crate::BusEvent for $name {
            const TYPE: &'static str = concat!(stringify!($name), ".v", $version);
            const SOURCE: &'static str = $source;
        }
    };
}
pub(crate) use bus_event;
