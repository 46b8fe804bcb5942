//! What home wants of a tenant, applied in the tenant's region.

use crate::{Occasion, Tenant};
use contract::{Envelope, Stream, TenantPolicy, TenantPolicyApplied};
use kernel::{EntitlementCode, PlanCode};
use serde::{Deserialize, Serialize};

/// The policy that holds for a tenant in its region. Version 0 is the sign-up's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// Which of home's versions it is.
    pub version: u64,
    /// Whether home lets nobody sign in.
    pub suspended: bool,
    /// What the tenant is entitled to.
    pub entitlements: Vec<EntitlementCode>,
}

/// What follows from a published policy. Either way home is told which version holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyOutcome {
    /// The policy is newer than what holds: to be stored on condition that it still is.
    Apply {
        /// The tenant's plan from now on.
        plan: PlanCode,
        /// The policy from now on.
        policy: AppliedPolicy,
        /// Tells home that it holds.
        fact: Envelope<TenantPolicyApplied>,
    },
    /// What holds is as new or newer, so home has missed an answer, or the event came late or twice.
    Acknowledge {
        /// Tells home, once more, what holds.
        fact: Envelope<TenantPolicyApplied>,
    },
}

/// Decides what a published policy changes: only a higher version does.
#[must_use]
pub fn decide_policy(tenant: &Tenant, published: &TenantPolicy, occasion: &Occasion) -> PolicyOutcome {
    if published.version <= tenant.policy.version {
        return PolicyOutcome::Acknowledge { fact: applied(tenant, tenant.policy.version, occasion) };
    }
    PolicyOutcome::Apply {
        plan: published.plan.clone(),
        policy: AppliedPolicy {
            version: published.version,
            suspended: published.suspended,
            entitlements: published.entitlements.clone(),
        },
        fact: applied(tenant, published.version, occasion),
    }
}

fn applied(tenant: &Tenant, version: u64, occasion: &Occasion) -> Envelope<TenantPolicyApplied> {
    Envelope {
        id: occasion.event,
        region: occasion.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: version,
        occurred_at: occasion.now,
        data: TenantPolicyApplied { tenant: tenant.id, version },
    }
}
