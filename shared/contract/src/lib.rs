//! What crosses a border or a bus, versioned.
//!
//! Invariant: no field of a fact can hold free text that a person typed. Every field is a number, a
//! moment, or a value of `kernel` from a closed alphabet. Imports `kernel` and serde only.
//! A published version never changes: the snapshots of `schemas/` make an edit look alarming.

pub mod application;
mod border;
pub mod catalogue;
mod envelope;
pub mod v1;

pub use border::{
    ClaimDecision, ClaimPhase, Dependency, DependencyHealth, DependencyState, EventCounts, HeartbeatReported,
    OnboardingProgressed, PlanChangeRequested, RegionBillingTotaled, RegionDescribed, Step, StepName, StepState,
    TenantCounts, TenantErased, TenantPolicy, TenantPolicyApplied, TenantPolicyPublished, TenantStatusChanged,
    UsageWindow, UsageWindowUpdated, VanityClaimed, VanityDecided,
};
pub use envelope::{Envelope, Fact, Stream};

#[cfg(test)]
mod tests;
