//! The policy that a tenant should have, and whether its region has it.

use crate::{DirectoryEntry, Refusal};
use catalogue::{Catalogue, Plan};
use contract::{Envelope, PlanChangeRequested, Stream, TenantPolicy, TenantPolicyPublished};
use jiff::SignedDuration;
use kernel::{
    EventId, Generation, PlanCode, RegionCode, Suspension, TenantId, TenantStatus, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

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

/// A plan that a tenant asked for and cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedPlan {
    /// The plan: the catalogue does not have it, or prices it in another currency than the
    /// tenant's.
    pub plan: PlanCode,
    /// The number of the request.
    pub revision: u64,
}

/// What one who can suspend a tenant wants. Others may want something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionChange {
    /// The tenant suspended, for this reason.
    Suspend(Suspension),
    /// The tenant no longer suspended for this reason.
    Lift(Suspension),
}

/// The policy that a tenant should have. A policy is due for sending again while it is unapplied.
///
/// Plan and suspension are what home wants: what the region says of them changes neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPolicy {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that has to apply it.
    pub region: RegionCode,
    /// The policy, in full.
    pub policy: TenantPolicy,
    /// Every reason why the tenant should be suspended. The policy names one of them.
    #[serde(default)]
    pub suspended_by: BTreeSet<Suspension>,
    /// The number of the tenant's request that the plan comes from; 0 for the plan of its sign-up.
    #[serde(default)]
    pub plan_revision: u64,
    /// The latest request that was refused, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_plan: Option<RefusedPlan>,
    /// Whether the tenant is closed: its region need not have the policy any more.
    #[serde(default)]
    pub is_retired: bool,
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
    /// The optimistic lock: one higher with every change of this record.
    pub generation: Generation,
}

impl DesiredPolicy {
    /// Whether the region has it.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        self.applied_version >= self.policy.version
    }

    /// Whether the region still has to apply it.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        !self.is_retired && !self.is_applied()
    }

    /// Whether it was sent so often without an answer that somebody should look.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.is_waiting() && self.attempts >= RESENDS_UNTIL_STUCK
    }

    /// The event that tells the region.
    #[must_use]
    pub fn published(&self) -> Envelope<TenantPolicyPublished> {
        Envelope {
            id: self.event,
            region: self.region.clone(),
            stream: Stream::Tenant(self.tenant),
            sequence: self.policy.version,
            occurred_at: self.decided_at,
            data: TenantPolicyPublished {
                tenant: self.tenant,
                policy: self.policy.clone(),
            },
        }
    }

    /// Whether this is sent, given what was there before: it is another policy, or the same once
    /// more.
    #[must_use]
    pub fn is_sent_after(&self, before: Option<&Self>) -> bool {
        let is_other = |before: &Self| {
            before.policy.version != self.policy.version || before.attempts != self.attempts
        };
        !self.is_retired && before.is_none_or(is_other)
    }

    /// The policy after the tenant asked for another plan; nothing where the request is not news.
    ///
    /// The highest of the requests that can be granted wins, in whatever order they arrive. A plan
    /// in another currency cannot: the next invoice could not adjust those before.
    pub(crate) fn request_plan(
        &self,
        requested: &PlanChangeRequested,
        catalogue: &Catalogue,
        publication: Publication,
    ) -> Option<Self> {
        let revision = requested.revision;
        let currency = catalogue.plan(&self.policy.plan).map(|plan| plan.currency);
        let is_allowed = |plan: &&Plan| currency.is_none_or(|currency| plan.currency == currency);
        let Some(plan) = catalogue.plan(&requested.plan).filter(is_allowed) else {
            let is_news = self
                .refused_plan
                .as_ref()
                .is_none_or(|refused| refused.revision < revision);
            let refused_plan = Some(RefusedPlan {
                plan: requested.plan.clone(),
                revision,
            });
            return is_news.then(|| Self {
                refused_plan,
                generation: self.generation.next(),
                ..self.clone()
            });
        };
        if revision <= self.plan_revision {
            return None;
        }
        let (code, entitlements) = (plan.code.clone(), plan.entitlements.clone());
        let wanted = TenantPolicy {
            plan: code,
            entitlements,
            ..self.policy.clone()
        };
        let after = if wanted == self.policy {
            Self {
                generation: self.generation.next(),
                ..self.clone()
            }
        } else {
            self.publish(wanted, publication)
        };
        Some(Self {
            plan_revision: revision,
            ..after
        })
    }

    /// The policy after one reason for a suspension came or went; nothing where that is no news.
    /// The tenant is suspended as long as there is any, and an operator's comes before dunning's.
    pub(crate) fn change_suspension(
        &self,
        change: SuspensionChange,
        publication: Publication,
    ) -> Option<Self> {
        let mut suspended_by = self.suspended_by.clone();
        let is_news = match change {
            SuspensionChange::Suspend(reason) => suspended_by.insert(reason),
            SuspensionChange::Lift(reason) => suspended_by.remove(&reason),
        };
        if !is_news {
            return None;
        }
        let by_rank = [Suspension::Operator, Suspension::Dunning];
        let suspension = by_rank
            .into_iter()
            .find(|reason| suspended_by.contains(reason));
        let after = if suspension == self.policy.suspension {
            Self {
                generation: self.generation.next(),
                ..self.clone()
            }
        } else {
            self.publish(
                TenantPolicy {
                    suspension,
                    ..self.policy.clone()
                },
                publication,
            )
        };
        Some(Self {
            suspended_by,
            ..after
        })
    }

    /// The next version.
    fn publish(&self, wanted: TenantPolicy, publication: Publication) -> Self {
        Self {
            policy: TenantPolicy {
                version: self.policy.version + 1,
                ..wanted
            },
            event: publication.event,
            decided_at: publication.now,
            sent_at: publication.now,
            attempts: 0,
            due_at: due_after(publication.now, 0),
            generation: self.generation.next(),
            ..self.clone()
        }
    }

    /// The policy of a tenant that is closed: it stays as it is, and nobody waits for it.
    fn retire(&self, region: &RegionCode) -> Option<Self> {
        let is_news = !self.is_retired || self.region != *region;
        let retired = || Self {
            is_retired: true,
            region: region.clone(),
            generation: self.generation.next(),
            ..self.clone()
        };
        is_news.then(retired)
    }

    /// The policy of a tenant that is new here.
    fn first(entry: &DirectoryEntry, plan: &Plan, publication: Publication) -> Self {
        let (code, entitlements) = (plan.code.clone(), plan.entitlements.clone());
        Self {
            tenant: entry.tenant,
            region: entry.region.clone(),
            policy: TenantPolicy {
                version: 1,
                plan: code,
                suspension: None,
                entitlements,
            },
            suspended_by: BTreeSet::new(),
            plan_revision: 0,
            refused_plan: None,
            is_retired: entry.status == TenantStatus::Closed,
            event: publication.event,
            decided_at: publication.now,
            applied_version: 0,
            sent_at: publication.now,
            attempts: 0,
            due_at: due_after(publication.now, 0),
            generation: Generation::FIRST,
        }
    }

    pub(crate) fn acknowledge(&self, version: u64) -> Result<Option<Self>, Refusal> {
        if version > self.policy.version {
            return Err(Refusal::NeverPublished {
                acknowledged: version,
                published: self.policy.version,
            });
        }
        let is_news = version > self.applied_version;
        Ok(is_news.then(|| Self {
            applied_version: version,
            generation: self.generation.next(),
            ..self.clone()
        }))
    }

    pub(crate) fn resend(&self, now: Timestamp) -> Option<Self> {
        if !self.is_waiting() || now < self.due_at {
            return None;
        }
        let attempts = self.attempts.saturating_add(1);
        Some(Self {
            sent_at: now,
            attempts,
            due_at: due_after(now, attempts),
            generation: self.generation.next(),
            ..self.clone()
        })
    }
}

/// Derives the policy that follows from a directory entry and the plan's entitlements. The plan is
/// the entry's for a tenant that is new here, and the one that home wants from then on.
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
    let find = |code| {
        catalogue.plan(code).ok_or_else(|| Refusal::UnknownPlan {
            plan: PlanCode::clone(code),
        })
    };
    let Some(previous) = previous else {
        return Ok(Some(DesiredPolicy::first(
            entry,
            find(&entry.plan)?,
            publication,
        )));
    };
    if entry.status == TenantStatus::Closed {
        return Ok(previous.retire(&entry.region));
    }
    let entitlements = find(&previous.policy.plan)?.entitlements.clone();
    let wanted = TenantPolicy {
        entitlements,
        ..previous.policy.clone()
    };
    let is_same_place = previous.region == entry.region;
    if is_same_place && wanted == previous.policy {
        return Ok(None);
    }
    Ok(Some(DesiredPolicy {
        region: entry.region.clone(),
        // What the region that the tenant left has applied says nothing about the new one.
        applied_version: if is_same_place {
            previous.applied_version
        } else {
            0
        },
        ..previous.publish(wanted, publication)
    }))
}

fn due_after(now: Timestamp, attempts: u32) -> Timestamp {
    let doublings = 1_i64.checked_shl(attempts.min(32)).unwrap_or(i64::MAX);
    let seconds = RESEND_SECONDS_FIRST
        .saturating_mul(doublings)
        .min(RESEND_SECONDS_MAX);
    now.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}
