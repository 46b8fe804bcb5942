//! Who has which label that a tenant chose. Home knows a label by a keyed digest alone.
//!
//! A claim is leased first and made permanent when the tenant's region confirms it, so that a
//! region which fails in between keeps nothing from others for long. A label that led to a tenant
//! is kept from others for a while after the tenant gave it up: people may still have it in their
//! bookmarks.

use crate::directory::find_in;
use crate::{Publication, Refusal, Tenant};
use contract::{ClaimDecision, ClaimPhase, Envelope, Stream, VanityClaimed, VanityDecided};
use jiff::SignedDuration;
use kernel::{ClaimDigest, Generation, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a claim is kept for a tenant whose region has not confirmed it.
pub const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// How long a label that led to a tenant is kept from others once it is given up.
pub const QUARANTINE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long it is remembered what a region said last of a claim: longer than a fact can be on its
/// way.
pub const LAST_WORD_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A claim to a label, by the tenant that has it or had it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelClaim {
    /// What the label is known by.
    pub claim: ClaimDigest,
    /// The tenant.
    pub tenant: TenantId,
    /// Where the tenant is.
    pub region: RegionCode,
    /// How far it is.
    pub state: ClaimState,
    /// Until when no other tenant gets the label, whatever the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_until: Option<Timestamp>,
    /// The optimistic lock: one higher with every change of the claim.
    pub generation: Generation,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimState {
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

/// What a tenant's region said last of a claim. What it said before that is no news, however late
/// it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWord {
    /// The revision.
    pub revision: u64,
    /// What it was told.
    pub decision: ClaimDecision,
    /// When it was heard.
    pub heard_at: Timestamp,
}

/// What home decided on a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimOutcome {
    /// The claim from now on, where it changes.
    pub claim: Option<LabelClaim>,
    /// What the region said.
    pub word: LastWord,
    /// What the region is told.
    pub answer: Envelope<VanityDecided>,
}

impl LabelClaim {
    /// Whether other tenants do not get the label.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        let is_taken = match self.state {
            ClaimState::Leased { until } => now < until,
            ClaimState::Held { .. } => true,
            ClaimState::Released { .. } => false,
        };
        is_taken || self.quarantined_until.is_some_and(|until| now < until)
    }

    /// From when on the record says no more than that the label is free; nothing while the label is
    /// somebody's.
    #[must_use]
    pub fn is_moot_at(&self) -> Option<Timestamp> {
        let end = match self.state {
            ClaimState::Leased { until } => until,
            ClaimState::Held { .. } => return None,
            ClaimState::Released { at } => at,
        };
        Some(self.quarantined_until.map_or(end, |until| until.max(end)))
    }
}

/// Takes what a region says of a tenant's claim, and decides on it: `current` is the claim to this
/// label, `last` what was heard of this tenant's claim to it before.
///
/// What is heard twice is answered alike twice, and changes nothing the second time: one question
/// has one answer. Returns nothing where something later was heard.
///
/// # Errors
/// When the directory does not have the tenant, or not in that region: the statement that says so
/// may be on its way.
pub fn decide_claim(
    tenant: Option<&Tenant>,
    current: Option<&LabelClaim>,
    last: Option<&LastWord>,
    stated: &Envelope<VanityClaimed>,
    publication: Publication,
) -> Result<Option<ClaimOutcome>, Refusal> {
    let VanityClaimed {
        phase, revision, ..
    } = stated.data;
    let now = publication.now;
    let told = |decision| {
        (
            LastWord {
                revision,
                decision,
                heard_at: now,
            },
            answer(stated, decision, publication),
        )
    };
    let last = match last {
        Some(last) if last.revision > revision => return Ok(None),
        last => last.filter(|last| last.revision == revision),
    };
    if let Some(last) = last {
        let (word, answer) = told(last.decision);
        return Ok(Some(ClaimOutcome {
            claim: None,
            word,
            answer,
        }));
    }
    let is_over = find_in(tenant, &stated.region)?.entry.status == TenantStatus::Closed;
    let own = current.filter(|current| current.tenant == stated.data.tenant);
    let is_free = own.is_some() || current.is_none_or(|current| !current.is_kept(now));
    let (decision, state) = match (phase, own.map(|own| own.state)) {
        (ClaimPhase::Released, state) => (
            ClaimDecision::Released,
            state.map(|state| released(state, now)),
        ),
        _ if is_over => (ClaimDecision::Refused, None),
        (ClaimPhase::Requested, Some(held @ ClaimState::Held { .. })) => {
            (ClaimDecision::Leased, Some(held))
        }
        (ClaimPhase::Requested, _) if is_free => (
            ClaimDecision::Leased,
            Some(ClaimState::Leased {
                until: later(now, LEASE),
            }),
        ),
        (ClaimPhase::Confirmed, Some(held @ ClaimState::Held { .. })) => {
            (ClaimDecision::Confirmed, Some(held))
        }
        (ClaimPhase::Confirmed, Some(ClaimState::Leased { .. })) => (
            ClaimDecision::Confirmed,
            Some(ClaimState::Held { since: now }),
        ),
        (ClaimPhase::Requested | ClaimPhase::Confirmed, _) => (ClaimDecision::Refused, None),
    };
    let claim = state.map(|state| LabelClaim {
        claim: stated.data.claim.clone(),
        tenant: stated.data.tenant,
        region: stated.region.clone(),
        state,
        quarantined_until: quarantine(own, state, now),
        generation: current
            .map_or(Generation::NONE, |current| current.generation)
            .next(),
    });
    let (word, answer) = told(decision);
    Ok(Some(ClaimOutcome {
        claim,
        word,
        answer,
    }))
}

/// What is given up twice was given up the first time.
const fn released(state: ClaimState, now: Timestamp) -> ClaimState {
    match state {
        ClaimState::Released { .. } => state,
        ClaimState::Leased { .. } | ClaimState::Held { .. } => ClaimState::Released { at: now },
    }
}

/// A label that led to the tenant is kept from others; what was only leased led nowhere.
fn quarantine(own: Option<&LabelClaim>, state: ClaimState, now: Timestamp) -> Option<Timestamp> {
    let before = own?;
    match (before.state, state) {
        (ClaimState::Held { .. }, ClaimState::Released { .. }) => Some(later(now, QUARANTINE)),
        (_, ClaimState::Held { .. }) => None,
        _ => before.quarantined_until,
    }
}

fn answer(
    stated: &Envelope<VanityClaimed>,
    decision: ClaimDecision,
    publication: Publication,
) -> Envelope<VanityDecided> {
    let VanityClaimed {
        tenant,
        claim,
        revision,
        ..
    } = stated.data.clone();
    Envelope {
        id: publication.event,
        region: stated.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: revision,
        occurred_at: publication.now,
        data: VanityDecided {
            tenant,
            claim,
            decision,
            revision,
        },
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
