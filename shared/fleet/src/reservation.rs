//! Who has which subdomain that a tenant chose. Home knows a subdomain by a keyed digest alone.
//!
//! A reservation is leased first and made permanent when the tenant's region confirms it, so that a
//! region which fails in between keeps nothing from others for long. A subdomain that led to a tenant
//! is kept from others for a while after the tenant gave it up: people may still have it in their
//! bookmarks.

use crate::directory::find_in;
use crate::{Publication, Refusal, Tenant};
use contract::{
    Envelope, ReservationDecision, ReservationPhase, Stream, SubdomainReservationDecided,
    SubdomainReservationUpdated,
};
use jiff::SignedDuration;
use kernel::{Generation, RegionCode, SubdomainDigest, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a reservation is kept for a tenant whose region has not confirmed it.
pub const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// How long a subdomain that led to a tenant is kept from others once it is given up.
pub const QUARANTINE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long it is remembered what a region said last of a reservation: longer than an event can be on its
/// way.
pub const LAST_WORD_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A reservation to a subdomain, by the tenant that has it or had it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubdomainReservation {
    /// What the subdomain is known by.
    pub digest: SubdomainDigest,
    /// The tenant.
    pub tenant: TenantId,
    /// Where the tenant is.
    pub region: RegionCode,
    /// How far it is.
    pub state: ReservationState,
    /// Until when no other tenant gets the subdomain, whatever the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_until: Option<Timestamp>,
    /// The optimistic lock: one higher with every change of the reservation.
    pub generation: Generation,
}

/// How far a reservation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReservationState {
    /// Nobody else gets it for now.
    Leased {
        /// For how long.
        until: Timestamp,
    },
    /// It is the tenant's.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// It was the tenant's.
    Released {
        /// Until when.
        at: Timestamp,
    },
}

/// What a tenant's region said last of a reservation. What it said before that is no news, however late
/// it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWord {
    /// The revision.
    pub revision: u64,
    /// What it was answered.
    pub decision: ReservationDecision,
    /// When it was heard.
    pub heard_at: Timestamp,
}

/// What home decided on a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationChanges {
    /// The reservation from now on, where it changes.
    pub reservation: Option<SubdomainReservation>,
    /// What the region said.
    pub word: LastWord,
    /// What the region is answered.
    pub answer: Envelope<SubdomainReservationDecided>,
}

impl SubdomainReservation {
    /// Whether other tenants do not get the subdomain.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        let is_taken = match self.state {
            ReservationState::Leased { until } => now < until,
            ReservationState::Held { .. } => true,
            ReservationState::Released { .. } => false,
        };
        is_taken || self.quarantined_until.is_some_and(|until| now < until)
    }

    /// From when on the record says no more than that the subdomain is free; nothing while the subdomain is
    /// somebody's.
    #[must_use]
    pub fn is_moot_at(&self) -> Option<Timestamp> {
        let end = match self.state {
            ReservationState::Leased { until } => until,
            ReservationState::Held { .. } => return None,
            ReservationState::Released { at } => at,
        };
        Some(self.quarantined_until.map_or(end, |until| until.max(end)))
    }
}

/// Takes what a region says of a tenant's reservation, and decides on it: `current` is the reservation to this
/// subdomain, `last` what was heard of this tenant's reservation to it before.
///
/// What is heard twice is answered alike twice, and changes nothing the second time: one question
/// has one answer. Returns nothing where something later was heard.
///
/// # Errors
/// When the directory does not have the tenant, or not in that region: the statement that says so
/// may be on its way.
pub fn decide_reservation(
    tenant: Option<&Tenant>,
    current: Option<&SubdomainReservation>,
    last: Option<&LastWord>,
    published: &Envelope<SubdomainReservationUpdated>,
    publication: Publication,
) -> Result<Option<ReservationChanges>, Refusal> {
    let SubdomainReservationUpdated {
        phase, revision, ..
    } = published.data;
    let now = publication.now;
    let answered = |decision| {
        (
            LastWord {
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
        let (word, answer) = answered(last.decision);
        return Ok(Some(ReservationChanges {
            reservation: None,
            word,
            answer,
        }));
    }
    let is_over = find_in(tenant, &published.region)?.entry.status == TenantStatus::Closed;
    let own = current.filter(|current| current.tenant == published.data.tenant);
    let is_free = own.is_some() || current.is_none_or(|current| !current.is_kept(now));
    let (decision, state) = match (phase, own.map(|own| own.state)) {
        (ReservationPhase::Released, state) => (
            ReservationDecision::Released,
            state.map(|state| released(state, now)),
        ),
        _ if is_over => (ReservationDecision::Refused, None),
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
    let (word, answer) = answered(decision);
    Ok(Some(ReservationChanges {
        reservation,
        word,
        answer,
    }))
}

/// What is given up twice was given up the first time.
const fn released(state: ReservationState, now: Timestamp) -> ReservationState {
    match state {
        ReservationState::Released { .. } => state,
        ReservationState::Leased { .. } | ReservationState::Held { .. } => {
            ReservationState::Released { at: now }
        }
    }
}

/// A subdomain that led to the tenant is kept from others; what was only leased led nowhere.
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
