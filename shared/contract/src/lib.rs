//! What crosses a border or a bus, versioned.
//!
//! Invariant: no field of a fact can hold free text that a person typed. Every field is a number, a
//! moment, or a value of `kernel` from a closed alphabet. Imports `kernel` and serde only.
//! A published version never changes: the snapshots of `schemas/` make an edit look alarming.

pub mod application;
mod border;
mod envelope;
mod seal;

pub use border::{
    ClaimDecision, ClaimPhase, Dependency, DependencyHealth, DependencyState, EventCounts,
    HeartbeatReported, OnboardingProgressed, PlanChangeRequested, ReasonCounts,
    RegionBillingTotaled, RegionDescribed, RejectedCounts, RejectionKind, Step, StepName,
    StepState, TenantCounts, TenantErased, TenantPolicy, TenantPolicyApplied,
    TenantPolicyPublished, TenantStatusChanged, UsageResendRequested, UsageSealed,
    UsageStreamRequested, UsageStreamStated, UsageWindow, UsageWindowUpdated, VanityClaimed,
    VanityDecided, WindowPart,
};
pub use envelope::{Envelope, Fact, Stream};
pub use seal::SealDigest;

#[cfg(test)]
mod tests;
