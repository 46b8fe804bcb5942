//! The policy that a tenant should have, and whether its region has it.

use crate::{DirectoryEntry, Refusal};
use contract::catalogue::Catalogue;
use contract::{Envelope, Stream, TenantPolicy, TenantPolicyPublished};
use jiff::SignedDuration;
use kernel::{EventId, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a region has to acknowledge a policy before it is sent again for the first time. Each
/// further wait is twice as long.
pub const RESEND_SECONDS_FIRST: i64 = 120;

/// The longest wait between two sendings of one policy.
pub const RESEND_SECONDS_MAX: i64 = 3600;

/// After so many sendings without an answer, a policy is shown as stuck. It is still sent.
pub const RESENDS_UNTIL_STUCK: u32 = 5;

/// What publishing a policy needs from outside: the event's identity, and the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The identity of the event, should there be one.
    pub event: EventId,
    /// The moment of the decision.
    pub now: Timestamp,
}

/// The policy that a tenant should have. A policy is due for sending again while it is unapplied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPolicy {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that has to apply it.
    pub region: RegionCode,
    /// The policy, in full.
    pub policy: TenantPolicy,
    /// The event that publishes it: sending it again repeats the same event.
    pub event: EventId,
    /// When it became the desired one.
    pub decided_at: Timestamp,
    /// The highest version that the region says it applied; 0 for none.
    pub applied_version: u64,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// How often it was sent again.
    pub attempts: u32,
    /// When it is sent again unless the region has applied it.
    pub due_at: Timestamp,
    /// Grows with every change of this record, and guards it.
    pub revision: u64,
}

impl DesiredPolicy {
    /// Whether the region has it.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        self.applied_version >= self.policy.version
    }

    /// Whether it was sent so often without an answer that somebody should look.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        !self.is_applied() && self.attempts >= RESENDS_UNTIL_STUCK
    }

    /// The fact that tells the region.
    #[must_use]
    pub fn published(&self) -> Envelope<TenantPolicyPublished> {
        Envelope {
            id: self.event,
            region: self.region.clone(),
            stream: Stream::Tenant(self.tenant),
            sequence: self.policy.version,
            occurred_at: self.decided_at,
            data: TenantPolicyPublished { tenant: self.tenant, policy: self.policy.clone() },
        }
    }

    /// Whether this is sent, given what was there before: it is another policy, or the same once more.
    #[must_use]
    pub fn is_sent_after(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| before.policy.version != self.policy.version || before.attempts != self.attempts)
    }

    pub(crate) fn acknowledge(&self, version: u64) -> Result<Option<Self>, Refusal> {
        if version > self.policy.version {
            return Err(Refusal::NeverPublished { acknowledged: version, published: self.policy.version });
        }
        let is_news = version > self.applied_version;
        Ok(is_news.then(|| Self { applied_version: version, revision: self.revision + 1, ..self.clone() }))
    }

    pub(crate) fn resend(&self, now: Timestamp) -> Option<Self> {
        if self.is_applied() || now < self.due_at {
            return None;
        }
        let attempts = self.attempts.saturating_add(1);
        Some(Self {
            sent_at: now,
            attempts,
            due_at: due_after(now, attempts),
            revision: self.revision + 1,
            ..self.clone()
        })
    }
}

/// Derives the policy that follows from a directory entry and the plan's entitlements.
///
/// Returns nothing where the tenant should have the policy that it already should have.
///
/// # Errors
/// When the catalogue does not have the plan.
pub fn decide_policy(
    entry: &DirectoryEntry,
    previous: Option<&DesiredPolicy>,
    catalogue: &Catalogue,
    publication: Publication,
) -> Result<Option<DesiredPolicy>, Refusal> {
    let plan = catalogue.plan(&entry.plan).ok_or_else(|| Refusal::UnknownPlan { plan: entry.plan.clone() })?;
    let is_same_place = previous.is_some_and(|previous| previous.region == entry.region);
    let policy = TenantPolicy {
        version: previous.map_or(0, |previous| previous.policy.version),
        plan: plan.code.clone(),
        suspended: is_suspended(entry.status),
        entitlements: plan.entitlements.clone(),
    };
    if is_same_place && previous.is_some_and(|previous| previous.policy == policy) {
        return Ok(None);
    }
    Ok(Some(DesiredPolicy {
        tenant: entry.tenant,
        region: entry.region.clone(),
        policy: TenantPolicy { version: policy.version + 1, ..policy },
        event: publication.event,
        decided_at: publication.now,
        // What the region that the tenant left has applied says nothing about the new one.
        applied_version: previous.filter(|_| is_same_place).map_or(0, |previous| previous.applied_version),
        sent_at: publication.now,
        attempts: 0,
        due_at: due_after(publication.now, 0),
        revision: previous.map_or(1, |previous| previous.revision + 1),
    }))
}

/// Closed tenants are kept out for good, suspended ones for now; one that is closing still works.
const fn is_suspended(status: TenantStatus) -> bool {
    matches!(status, TenantStatus::Suspended | TenantStatus::Closed)
}

fn due_after(now: Timestamp, attempts: u32) -> Timestamp {
    let doublings = 1_i64.checked_shl(attempts.min(32)).unwrap_or(i64::MAX);
    let seconds = RESEND_SECONDS_FIRST.saturating_mul(doublings).min(RESEND_SECONDS_MAX);
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
