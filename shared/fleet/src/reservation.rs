//! Reservations of custom subdomains. Home knows a subdomain only by a keyed digest.
//!
//! A reservation starts as a lease and becomes permanent when the tenant's region confirms it, so
//! that a region that fails in between does not block the subdomain for long. A released subdomain
//! is quarantined for a while, since people may still have it in their bookmarks.

use crate::Refusal;
use crate::directory::Tenant;
use crate::directory::find_in;
use crate::policy::Publication;
use contract::{
    Envelope, ReservationDecision, ReservationPhase, Stream, SubdomainReservationDecided,
    SubdomainReservationUpdated,
};
use jiff::SignedDuration;
use kernel::{Generation, RegionCode, SubdomainDigest, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The validity of a lease: the time in which the region has to confirm it.
pub const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// The time for which a released subdomain is withheld from other tenants.
pub const QUARANTINE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a region's last report on a reservation is stored: longer than an event can be on its
/// way.
pub const LAST_REPORT_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A reservation of a subdomain, by the tenant that has it or had it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubdomainReservation {
    /// The digest of the subdomain.
    pub digest: SubdomainDigest,
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's region.
    pub region: RegionCode,
    /// The state of the reservation.
    pub state: ReservationState,
    /// The end of the quarantine, during which no other tenant gets the subdomain, in any state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_until: Option<Timestamp>,
    /// The optimistic lock: one higher with every change of the reservation.
    pub generation: Generation,
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReservationState {
    /// Reserved for the tenant until the lease ends.
    Leased {
        /// The end of the lease.
        until: Timestamp,
    },
    /// Held by the tenant.
    Held {
        /// When it was confirmed.
        since: Timestamp,
    },
    /// Released by the tenant.
    Released {
        /// When it was released.
        at: Timestamp,
    },
}

/// The last report of a tenant's region on a reservation. Reports with a lower revision are
/// ignored, however late they arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// The revision of the report.
    pub revision: u64,
    /// Home's decision on it.
    pub decision: ReservationDecision,
    /// When it was received.
    pub heard_at: Timestamp,
}

/// The result of a decision on a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationChanges {
    /// The reservation after the change, if it changes.
    pub reservation: Option<SubdomainReservation>,
    /// The region's report.
    pub report: LastReport,
    /// The answer to the region.
    pub answer: Envelope<SubdomainReservationDecided>,
}

impl SubdomainReservation {
    /// Whether other tenants cannot get the subdomain.
    #[must_use]
    pub fn is_taken(&self, now: Timestamp) -> bool {
        let is_assigned = match self.state {
            ReservationState::Leased { until } => now < until,
            ReservationState::Held { .. } => true,
            ReservationState::Released { .. } => false,
        };
        is_assigned || self.quarantined_until.is_some_and(|until| now < until)
    }

    /// The time from which the subdomain is free, so that the record is no longer needed. `None`
    /// while a tenant holds it.
    #[must_use]
    pub fn free_at(&self) -> Option<Timestamp> {
        let end = match self.state {
            ReservationState::Leased { until } => until,
            ReservationState::Held { .. } => return None,
            ReservationState::Released { at } => at,
        };
        Some(self.quarantined_until.map_or(end, |until| until.max(end)))
    }
}

/// Decides on a region's report about a tenant's reservation. `current` is the reservation of the
/// subdomain, `last` the last report on this tenant's reservation of it.
///
/// A repeated report gets the same decision again and changes nothing. `None` if a later report was
/// received before.
///
/// # Errors
/// When the directory does not have the tenant in that region. The event that adds it may still be
/// on its way.
pub fn decide_reservation(
    tenant: Option<&Tenant>,
    current: Option<&SubdomainReservation>,
    last: Option<&LastReport>,
    published: &Envelope<SubdomainReservationUpdated>,
    publication: Publication,
) -> Result<Option<ReservationChanges>, Refusal> {
    let SubdomainReservationUpdated {
        phase, revision, ..
    } = published.data;
    let now = publication.now;
    let answered = |decision| {
        (
            LastReport {
                revision,
                decision,
                heard_at: now,
            },
            answer(published, decision, publication),
        )
    };
    let last = match last {
        Some(last) if last.revision > revision => return Ok(None),
        last => last.filter(|last| last.revision == revision),
    };
    if let Some(last) = last {
        let (report, answer) = answered(last.decision);
        return Ok(Some(ReservationChanges {
            reservation: None,
            report,
            answer,
        }));
    }
    let is_over = find_in(tenant, &published.region)?.entry.status == TenantStatus::Closed;
    let own = current.filter(|current| current.tenant == published.data.tenant);
    // A tenant may get its own subdomain back at any time, also within the quarantine.
    let is_free = own.is_some() || current.is_none_or(|current| !current.is_taken(now));
    let (decision, state) = match (phase, own.map(|own| own.state)) {
        (ReservationPhase::Released, state) => (
            ReservationDecision::Released,
            state.map(|state| released(state, now)),
        ),
        _ if is_over => (ReservationDecision::Refused, None),
        // The tenant holds the subdomain already. It gets its answer and stays the holder.
        (ReservationPhase::Requested, Some(held @ ReservationState::Held { .. })) => {
            (ReservationDecision::Leased, Some(held))
        }
        (ReservationPhase::Requested, _) if is_free => (
            ReservationDecision::Leased,
            Some(ReservationState::Leased {
                until: later(now, LEASE),
            }),
        ),
        (ReservationPhase::Confirmed, Some(held @ ReservationState::Held { .. })) => {
            (ReservationDecision::Confirmed, Some(held))
        }
        (ReservationPhase::Confirmed, Some(ReservationState::Leased { .. })) => (
            ReservationDecision::Confirmed,
            Some(ReservationState::Held { since: now }),
        ),
        // Another tenant has the subdomain, or there is no lease that could be confirmed.
        (ReservationPhase::Requested | ReservationPhase::Confirmed, _) => {
            (ReservationDecision::Refused, None)
        }
    };
    let reservation = state.map(|state| SubdomainReservation {
        digest: published.data.digest.clone(),
        tenant: published.data.tenant,
        region: published.region.clone(),
        state,
        quarantined_until: quarantine(own, state, now),
        generation: current
            .map_or(Generation::NONE, |current| current.generation)
            .next(),
    });
    let (report, answer) = answered(decision);
    Ok(Some(ReservationChanges {
        reservation,
        report,
        answer,
    }))
}

/// A repeated release retains the time of the first one.
const fn released(state: ReservationState, now: Timestamp) -> ReservationState {
    match state {
        ReservationState::Released { .. } => state,
        ReservationState::Leased { .. } | ReservationState::Held { .. } => {
            ReservationState::Released { at: now }
        }
    }
}

/// The quarantine after a change of state. Only a subdomain that was held resolved to a tenant, so
/// a lease that is released needs no quarantine.
fn quarantine(
    own: Option<&SubdomainReservation>,
    state: ReservationState,
    now: Timestamp,
) -> Option<Timestamp> {
    let before = own?;
    match (before.state, state) {
        (ReservationState::Held { .. }, ReservationState::Released { .. }) => {
            Some(later(now, QUARANTINE))
        }
        (_, ReservationState::Held { .. }) => None,
        _ => before.quarantined_until,
    }
}

fn answer(
    published: &Envelope<SubdomainReservationUpdated>,
    decision: ReservationDecision,
    publication: Publication,
) -> Envelope<SubdomainReservationDecided> {
    let SubdomainReservationUpdated {
        tenant,
        digest,
        revision,
        ..
    } = published.data.clone();
    Envelope {
        id: publication.event,
        region: published.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: revision,
        occurred_at: publication.now,
        data: SubdomainReservationDecided {
            tenant,
            digest,
            decision,
            revision,
        },
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
