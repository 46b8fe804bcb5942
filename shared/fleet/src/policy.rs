//! The desired policy of a tenant, and whether its region has applied it.

use crate::Refusal;
use crate::directory::DirectoryEntry;
use catalogue::{Catalogue, Plan};
use contract::{Envelope, PlanChangeRequested, Stream, TenantPolicy, TenantPolicyPublished};
use jiff::SignedDuration;
use kernel::{
    EventId, Generation, PlanCode, RegionCode, Suspension, TenantId, TenantStatus, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// How long a region may take to acknowledge a policy before it is sent again for the first time.
/// Each further wait is twice as long.
pub const RESEND_SECONDS_FIRST: i64 = 120;

/// The longest wait between two sendings of a policy.
pub const RESEND_SECONDS_MAX: i64 = 3600;

/// The number of repetitions after which an unacknowledged policy counts as stuck. It is still
/// sent.
pub const RESENDS_UNTIL_STUCK: u32 = 5;

/// The inputs of a publication: the id of its event, and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The id of the event, if there is one.
    pub event: EventId,
    /// The time of the decision.
    pub now: Timestamp,
}

/// A plan that a tenant requested and was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedPlan {
    /// The plan. The catalogue does not have it, or has it in another currency than the tenant's.
    pub plan: PlanCode,
    /// The number of the request.
    pub revision: u64,
}

/// A change of one reason for a suspension. Other reasons stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionChange {
    /// Suspends the tenant for this reason.
    Suspend(Suspension),
    /// Lifts this reason.
    Lift(Suspension),
}

/// The policy that a tenant should have. It is sent again until it is applied.
///
/// Home decides on plan and suspension; a region's events change neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPolicy {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that has to apply it.
    pub region: RegionCode,
    /// The whole policy.
    pub policy: TenantPolicy,
    /// All reasons for a suspension. The policy names one of them.
    #[serde(default)]
    pub suspended_by: BTreeSet<Suspension>,
    /// The number of the tenant's request that the plan comes from; 0 for the plan of the sign-up.
    #[serde(default)]
    pub plan_revision: u64,
    /// The refused request with the highest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_plan: Option<RefusedPlan>,
    /// Whether the tenant is closed, so that its region no longer needs the policy.
    #[serde(default)]
    pub is_retired: bool,
    /// The event that publishes it. Sending it again repeats this event.
    pub event: EventId,
    /// When it became the desired one.
    pub decided_at: Timestamp,
    /// The highest version that the region reports as applied; 0 for none.
    pub applied_version: u64,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// The number of repetitions.
    pub attempts: u32,
    /// When it is sent again, unless the region has applied it by then.
    pub due_at: Timestamp,
    /// The optimistic lock: one higher with every change of this record.
    pub generation: Generation,
}

impl DesiredPolicy {
    /// Whether the region has applied it.
    #[must_use]
    pub const fn is_applied(&self) -> bool {
        self.applied_version >= self.policy.version
    }

    /// Whether it is still to be applied.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        !self.is_retired && !self.is_applied()
    }

    /// Whether it was repeated so often that somebody should investigate.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.is_waiting() && self.attempts >= RESENDS_UNTIL_STUCK
    }

    /// The event that publishes the policy to the region.
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

    /// Whether this change sends the policy: it is a new version, or a repetition of the present
    /// one.
    #[must_use]
    pub fn is_sent_after(&self, before: Option<&Self>) -> bool {
        let is_other = |before: &Self| {
            before.policy.version != self.policy.version || before.attempts != self.attempts
        };
        !self.is_retired && before.is_none_or(is_other)
    }

    /// The policy after a request for another plan. `None` if nothing changes.
    ///
    /// In any order of arrival, the request with the highest number among those that can be granted
    /// wins. A plan in another currency cannot, since the next invoice could not adjust earlier
    /// ones.
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
            let is_change = self
                .refused_plan
                .as_ref()
                .is_none_or(|refused| refused.revision < revision);
            let refused_plan = Some(RefusedPlan {
                plan: requested.plan.clone(),
                revision,
            });
            return is_change.then(|| Self {
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

    /// The policy after a reason for a suspension was added or lifted. `None` if nothing changes.
    /// The tenant stays suspended while there is any reason, and an operator's reason takes
    /// precedence over dunning's.
    pub(crate) fn change_suspension(
        &self,
        change: SuspensionChange,
        publication: Publication,
    ) -> Option<Self> {
        let mut suspended_by = self.suspended_by.clone();
        let is_change = match change {
            SuspensionChange::Suspend(reason) => suspended_by.insert(reason),
            SuspensionChange::Lift(reason) => suspended_by.remove(&reason),
        };
        if !is_change {
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

    /// The next version of the policy.
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

    /// The policy of a closed tenant. It keeps its content and is no longer sent.
    fn retire(&self, region: &RegionCode) -> Option<Self> {
        let is_change = !self.is_retired || self.region != *region;
        let retired = || Self {
            is_retired: true,
            region: region.clone(),
            generation: self.generation.next(),
            ..self.clone()
        };
        is_change.then(retired)
    }

    /// The first policy of a tenant.
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
        let is_change = version > self.applied_version;
        Ok(is_change.then(|| Self {
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

/// Derives the policy from a directory entry and the catalogue. A new tenant's plan comes from the
/// entry; later ones are home's own decision.
///
/// `None` if the desired policy stays the same.
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
        // An acknowledgement of the former region does not count for the new one.
        applied_version: if is_same_place {
            previous.applied_version
        } else {
            0
        },
        ..previous.publish(wanted, publication)
    }))
}

fn due_after(now: Timestamp, attempts: u32) -> Timestamp {
    // The exponent is bounded, so that many attempts cannot overflow.
    let doublings = 1_i64.checked_shl(attempts.min(32)).unwrap_or(i64::MAX);
    let seconds = RESEND_SECONDS_FIRST
        .saturating_mul(doublings)
        .min(RESEND_SECONDS_MAX);
    now.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}
