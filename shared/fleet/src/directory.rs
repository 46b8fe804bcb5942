//! A tenant as home knows it: its directory entry and its desired policy.

use crate::Refusal;
use crate::policy::{DesiredPolicy, Publication, SuspensionChange, decide_policy};
use catalogue::Catalogue;
use contract::{
    Envelope, PlanChangeRequested, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use kernel::{Alias, PlanCode, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The region and the state of a tenant, from the event with the highest revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryEntry {
    /// The tenant.
    pub tenant: TenantId,
    /// The region of its data.
    pub region: RegionCode,
    /// The tenant's alias.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Its status.
    pub status: TenantStatus,
    /// The reason for the status.
    pub reason: StatusReason,
    /// The revision of the event that the entry comes from.
    pub revision: u64,
    /// When that event occurred, by the region's clock.
    pub changed_at: Timestamp,
    /// When the region erased the tenant's data; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

impl DirectoryEntry {
    fn has_same_content(&self, other: &Self) -> bool {
        Self {
            changed_at: other.changed_at,
            ..self.clone()
        } == *other
    }
}

/// The record of a tenant at home. The policy's region is always the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The directory entry.
    pub entry: DirectoryEntry,
    /// The desired policy and the progress of its region with it.
    pub policy: DesiredPolicy,
}

/// Applies a region's event about a tenant's status, and derives the tenant's policy from it.
///
/// Returns the changed tenant. `None` if the event is not newer than the entry.
///
/// # Errors
/// When the directory has the tenant in another region with the same or a higher revision, when the
/// event contradicts an earlier one of the same revision, or when the catalogue does not have the
/// plan.
pub fn decide_published_status(
    current: Option<&Tenant>,
    published: &Envelope<TenantStatusChanged>,
    catalogue: &Catalogue,
    publication: Publication,
) -> Result<Option<Tenant>, Refusal> {
    let entry = entry_of(published, current.and_then(|tenant| tenant.entry.erased_at));
    if let Some(known) = current.map(|tenant| &tenant.entry) {
        let is_newer = entry.revision > known.revision;
        if entry.region != known.region && !is_newer {
            return Err(Refusal::OwnedByAnotherRegion {
                known: known.region.clone(),
                reporter: entry.region,
            });
        }
        if entry.revision == known.revision && !entry.has_same_content(known) {
            return Err(Refusal::Contradicted {
                revision: entry.revision,
            });
        }
        if !is_newer {
            return Ok(None);
        }
    }
    let previous = current.map(|tenant| &tenant.policy);
    let changed = decide_policy(&entry, previous, catalogue, publication)?;
    let policy = changed.or_else(|| previous.cloned());
    Ok(policy.map(|policy| Tenant { entry, policy }))
}

/// Applies a region's acknowledgement of a policy.
///
/// Returns the changed tenant. `None` if the acknowledgement is repeated, or comes from a region
/// that the tenant has left.
///
/// # Errors
/// When the directory does not have the tenant, or the version was never published.
pub fn decide_acknowledgement(
    current: Option<&Tenant>,
    acknowledged: &Envelope<TenantPolicyApplied>,
) -> Result<Option<Tenant>, Refusal> {
    let tenant = current.ok_or(Refusal::UnknownTenant)?;
    if acknowledged.region != tenant.policy.region {
        return Ok(None);
    }
    let policy = tenant.policy.acknowledge(acknowledged.data.version)?;
    Ok(policy.map(|policy| Tenant {
        entry: tenant.entry.clone(),
        policy,
    }))
}

/// Decides whether a tenant's policy is sent again, and when the next repetition is due.
///
/// `None` if the policy is applied or not due yet.
#[must_use]
pub fn decide_resend(tenant: &Tenant, now: Timestamp) -> Option<Tenant> {
    let policy = tenant.policy.resend(now)?;
    Some(Tenant {
        entry: tenant.entry.clone(),
        policy,
    })
}

/// Applies a tenant's request for another plan. It is granted if the catalogue has the plan in the
/// tenant's currency, and recorded as refused otherwise.
///
/// Returns the changed tenant. `None` if a later request was granted, or the tenant is closed.
///
/// # Errors
/// When the directory does not have the tenant in that region. The event that adds it may still be
/// on its way.
pub fn decide_plan_change(
    current: Option<&Tenant>,
    requested: &Envelope<PlanChangeRequested>,
    catalogue: &Catalogue,
    publication: Publication,
) -> Result<Option<Tenant>, Refusal> {
    let tenant = find_in(current, &requested.region)?;
    if tenant.entry.status == TenantStatus::Closed {
        return Ok(None);
    }
    let policy = tenant
        .policy
        .request_plan(&requested.data, catalogue, publication);
    Ok(policy.map(|policy| Tenant {
        entry: tenant.entry.clone(),
        policy,
    }))
}

/// Adds or lifts a reason for a tenant's suspension.
///
/// Returns the changed tenant. `None` if the reason was added or lifted before.
///
/// # Errors
/// When the directory does not have the tenant, or it is closed.
pub fn decide_suspension(
    current: Option<&Tenant>,
    change: SuspensionChange,
    publication: Publication,
) -> Result<Option<Tenant>, Refusal> {
    let tenant = current.ok_or(Refusal::UnknownTenant)?;
    if tenant.entry.status == TenantStatus::Closed {
        return Err(Refusal::Closed);
    }
    let policy = tenant.policy.change_suspension(change, publication);
    Ok(policy.map(|policy| Tenant {
        entry: tenant.entry.clone(),
        policy,
    }))
}

/// Applies a region's report that it erased a tenant's data.
///
/// Returns the changed tenant. `None` if the report is repeated.
///
/// # Errors
/// When the directory does not have the tenant in that region. The event that adds it may still be
/// on its way.
pub fn decide_erasure(
    current: Option<&Tenant>,
    erased: &Envelope<TenantErased>,
) -> Result<Option<Tenant>, Refusal> {
    let tenant = find_in(current, &erased.region)?;
    if tenant.entry.erased_at.is_some() {
        return Ok(None);
    }
    let entry = DirectoryEntry {
        erased_at: Some(erased.occurred_at),
        ..tenant.entry.clone()
    };
    Ok(Some(Tenant {
        entry,
        policy: tenant.policy.clone(),
    }))
}

pub(crate) fn find_in<'a>(
    current: Option<&'a Tenant>,
    region: &RegionCode,
) -> Result<&'a Tenant, Refusal> {
    let tenant = current.ok_or(Refusal::UnknownTenant)?;
    if tenant.entry.region == *region {
        Ok(tenant)
    } else {
        let known = tenant.entry.region.clone();
        Err(Refusal::OwnedByAnotherRegion {
            known,
            reporter: region.clone(),
        })
    }
}

fn entry_of(
    published: &Envelope<TenantStatusChanged>,
    erased_at: Option<Timestamp>,
) -> DirectoryEntry {
    DirectoryEntry {
        tenant: published.data.tenant,
        region: published.region.clone(),
        alias: published.data.alias.clone(),
        plan: published.data.plan.clone(),
        status: published.data.status,
        reason: published.data.reason,
        revision: published.data.revision,
        changed_at: published.occurred_at,
        erased_at,
    }
}
