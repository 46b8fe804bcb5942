//! A tenant as home knows it: its directory entry and its desired policy.

use crate::{DesiredPolicy, Publication, Refusal, SuspensionChange, decide_policy};
use catalogue::Catalogue;
use contract::{
    Envelope, PlanChangeRequested, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use kernel::{Alias, PlanCode, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a tenant is and how it is, by the highest revision that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryEntry {
    /// The tenant.
    pub tenant: TenantId,
    /// Its home for data.
    pub region: RegionCode,
    /// Its public subdomain.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Its status.
    pub status: TenantStatus,
    /// Why it has that status.
    pub reason: StatusReason,
    /// The revision of the statement that all this comes from.
    pub revision: u64,
    /// When the statement became true, by the region's clock.
    pub changed_at: Timestamp,
    /// When the region erased what it held of the tenant, once it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

impl DirectoryEntry {
    fn says_the_same_as(&self, other: &Self) -> bool {
        Self {
            changed_at: other.changed_at,
            ..self.clone()
        } == *other
    }
}

/// What home holds of a tenant. The policy's region is always the entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its entry in the directory.
    pub entry: DirectoryEntry,
    /// The policy that it should have, and how far its region is with it.
    pub policy: DesiredPolicy,
}

/// Takes a region's statement about a tenant, and derives the policy that follows from it.
///
/// Returns what the tenant is from now on, or nothing where the statement is not news.
///
/// # Errors
/// When another region claims the tenant, when the statement contradicts an earlier one of the same
/// revision, or when no policy follows because the plan is unknown.
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
            return Err(Refusal::ReservedByAnotherRegion {
                known: known.region.clone(),
                holder: entry.region,
            });
        }
        if entry.revision == known.revision && !entry.says_the_same_as(known) {
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

/// Takes a region's word that it applied a policy.
///
/// Returns what the tenant is from now on, or nothing where the word is not news: it was given
/// before, or by a region that the tenant has left since.
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

/// Decides whether a tenant's policy is sent again, and when it is due after that.
///
/// Returns nothing where the policy is applied or not yet due.
#[must_use]
pub fn decide_resend(tenant: &Tenant, now: Timestamp) -> Option<Tenant> {
    let policy = tenant.policy.resend(now)?;
    Some(Tenant {
        entry: tenant.entry.clone(),
        policy,
    })
}

/// Takes a tenant's request for another plan: it is granted when the catalogue has the plan in the
/// tenant's currency, and noted as refused when it does not.
///
/// Returns what the tenant is from now on, or nothing where the request is not news: a later one
/// was granted, or the tenant is closed.
///
/// # Errors
/// When the directory does not have the tenant, or not in that region: the statement that says so
/// may be on its way.
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

/// Decides that a tenant is to be suspended for a reason, or no longer for that one.
///
/// Returns what the tenant is from now on, or nothing where that was wanted before.
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

/// Takes a region's word that it erased what it held of a tenant.
///
/// Returns what the tenant is from now on, or nothing where that was known.
///
/// # Errors
/// When the directory does not have the tenant, or not in that region: the statement that says so
/// may be on its way.
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
        Err(Refusal::ReservedByAnotherRegion {
            known,
            holder: region.clone(),
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
