//! What home knows of the fleet: the directory of tenants, the policy that each should have and
//! has, the health of each region, and where a new tenant can go. Pure: `now` and ids are
//! arguments.
//!
//! Invariants: the highest revision wins, whatever the order of arrival; a replay changes nothing;
//! a silent region is unknown, never healthy; an unapplied policy is never forgotten; what home
//! wants for a tenant is changed by home alone; of those who claim one subdomain, one has it. Imports
//! `kernel` and `contract` only, so that nothing here can hold personal data.

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
    LAST_WORD_KEPT, LEASE, LastWord, QUARANTINE, ReservationChanges, ReservationState,
    SubdomainReservation, decide_reservation,
};

use kernel::{PlanCode, RegionCode};

/// Why a statement about a tenant is refused. Nothing changes then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A tenant's home for data is one region: another one may only take over at a higher revision.
    #[error("the tenant is known in {known}, and {holder} claims it without a higher revision")]
    ReservedByAnotherRegion {
        /// Where the directory has the tenant.
        known: RegionCode,
        /// The region that states otherwise.
        holder: RegionCode,
    },
    /// A region published two different things under one revision.
    #[error("revision {revision} was published before with other content")]
    Contradicted {
        /// The revision that has two contents.
        revision: u64,
    },
    /// The catalogue of this release has no such plan, so no policy follows from it.
    #[error("the catalogue has no plan {plan}")]
    UnknownPlan {
        /// The plan that was published.
        plan: PlanCode,
    },
    /// The directory does not have the tenant.
    #[error("the directory does not have the tenant")]
    UnknownTenant,
    /// The tenant is closed: nothing is wanted for it any more.
    #[error("the tenant is closed")]
    Closed,
    /// A region acknowledged a version that home never published.
    #[error("version {acknowledged} was acknowledged, and {published} is the highest published")]
    NeverPublished {
        /// The version that the region says it applied.
        acknowledged: u64,
        /// The highest version that exists.
        published: u64,
    },
}

#[cfg(test)]
mod tests;
