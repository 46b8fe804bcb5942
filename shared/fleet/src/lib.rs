//! Home's decisions on the fleet: the directory of tenants, the desired and applied policy of each,
//! the health of each region, and the placement of new tenants. Pure: `now` and ids are arguments.
//!
//! Invariants: the highest revision wins in any order of arrival; a replay changes nothing; a
//! silent region is unknown, never healthy; an unapplied policy is sent until it is applied; only
//! home changes what home wants for a tenant; one subdomain belongs to at most one tenant. Imports
//! `kernel`, `catalogue` and `contract` only, so that nothing here can hold personal data.

mod counts;
mod directory;
mod health;
mod key;
mod onboarding;
mod placement;
mod policy;
mod reservation;

pub use counts::{Counts, CountsChange, count_change};
pub use directory::{
    DirectoryEntry, Tenant, decide_acknowledgement, decide_erasure, decide_plan_change,
    decide_published_status, decide_resend, decide_suspension,
};
pub use health::{
    Condition, HEARTBEAT_INTERVAL_SECONDS, Heartbeat, IncidentChange, Incidents, LAG_MS_MAX,
    MISSED_HEARTBEATS_MAX, Status, decide_incidents, decide_status, find_conditions,
};
pub use key::OnboardingKey;
pub use onboarding::{
    ONBOARDING_KEPT_DAYS, ONBOARDING_KEY_KEPT_DAYS, Onboarding, OnboardingAction, OnboardingState,
    Outlook,
};
pub use placement::{Candidate, Placement, PlacementRefusal, decide_placement};
pub use policy::{
    DesiredPolicy, Publication, RESEND_SECONDS_FIRST, RESEND_SECONDS_MAX, RESENDS_UNTIL_STUCK,
    RefusedPlan, SuspensionChange, decide_policy,
};
pub use reservation::{
    LAST_REPORT_RETENTION, LEASE, LastReport, QUARANTINE, ReservationChanges, ReservationState,
    SubdomainReservation, decide_reservation,
};

use kernel::{PlanCode, RegionCode};

/// The reason for which an event about a tenant is refused. A refused event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A tenant belongs to one region. Another region takes over only with a higher revision.
    #[error("the tenant is known in {known}, and {reporter} reports it without a higher revision")]
    OwnedByAnotherRegion {
        /// The tenant's region in the directory.
        known: RegionCode,
        /// The region of the refused event.
        reporter: RegionCode,
    },
    /// A region published two different contents under one revision.
    #[error("revision {revision} was published before with other content")]
    Contradicted {
        /// The revision that has two contents.
        revision: u64,
    },
    /// This release's catalogue does not have the plan, so no policy can be derived.
    #[error("the catalogue has no plan {plan}")]
    UnknownPlan {
        /// The plan that was published.
        plan: PlanCode,
    },
    /// The directory does not have the tenant.
    #[error("the directory does not have the tenant")]
    UnknownTenant,
    /// The tenant is closed and needs no policy.
    #[error("the tenant is closed")]
    Closed,
    /// A region acknowledged a version that home never published.
    #[error("version {acknowledged} was acknowledged, and {published} is the highest published")]
    NeverPublished {
        /// The acknowledged version.
        acknowledged: u64,
        /// The highest published version.
        published: u64,
    },
}

#[cfg(test)]
mod tests;
