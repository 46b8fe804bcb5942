//! The versioned events that cross a border or a bus.
//!
//! Invariant: no field of an event can hold free text that a person typed. Every field is a number,
//! a point in time, or a value of `kernel` from a closed alphabet. Of our crates it imports `kernel`
//! only. A published version never changes; the snapshots in `docs/schemas/` make every edit visible.

pub mod application;
mod border;
mod envelope;
mod seal;

pub use border::{
    Dependency, DependencyHealth, DependencyState, EventCounts, HeartbeatReported,
    OnboardingProgressed, PlanChangeRequested, ReasonCounts, RegionBillingTotaled, RegionDescribed,
    RejectedCounts, RejectionKind, ReservationDecision, ReservationPhase, Step, StepName,
    StepState, SubdomainReservationDecided, SubdomainReservationUpdated, TenantCounts,
    TenantErased, TenantPolicy, TenantPolicyApplied, TenantPolicyPublished, TenantStatusChanged,
    UsageResendRequested, UsageSealed, UsageStreamEndReported, UsageStreamRequested, UsageWindow,
    UsageWindowUpdated, WindowPart,
};
pub use envelope::{BusEvent, Envelope, Stream};
pub use seal::SealDigest;

#[cfg(test)]
mod tests;
