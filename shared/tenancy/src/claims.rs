//! What a token says of its bearer.

use crate::Tenant;
use kernel::{Alias, EntitlementCode, PlanCode, RegionCode, Role, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};

/// The claims that the application plane reads, in the id token and the access token alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The tenant that the token is for.
    pub tenant_id: TenantId,
    /// The tenant's public subdomain.
    pub alias: Alias,
    /// The region that the tenant lives in.
    pub region: RegionCode,
    /// What the user may do in the tenant; a machine has no role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The tenant's plan.
    pub plan: PlanCode,
    /// What the tenant is entitled to.
    pub entitlements: Vec<EntitlementCode>,
    /// Which version of home's policy these are; 0 before home's first.
    pub policy_version: u64,
}

/// Why no token is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsRefusal {
    /// The address is not confirmed, or the tenant's resources are being made.
    #[error("tenant-not-ready")]
    NotReady,
    /// Suspended, by the region or by home.
    #[error("tenant-suspended")]
    Suspended,
    /// Closed or being closed.
    #[error("tenant-closed")]
    Closed,
}

/// Decides what a token of a user, or of a machine, says: when it is issued and at every refresh.
///
/// # Errors
/// When nobody may sign in to the tenant. The error's text is a stable code.
pub fn claims(
    tenant: &Tenant,
    role: impl Into<Option<Role>>,
    region: &RegionCode,
) -> Result<Claims, ClaimsRefusal> {
    match tenant.status {
        TenantStatus::Pending | TenantStatus::Provisioning => return Err(ClaimsRefusal::NotReady),
        TenantStatus::Suspended => return Err(ClaimsRefusal::Suspended),
        TenantStatus::Closing | TenantStatus::Closed => return Err(ClaimsRefusal::Closed),
        TenantStatus::Active | TenantStatus::Relocating if tenant.policy.suspension.is_some() => {
            return Err(ClaimsRefusal::Suspended);
        }
        TenantStatus::Active | TenantStatus::Relocating => {}
    }
    Ok(Claims {
        tenant_id: tenant.id,
        alias: tenant.alias.clone(),
        region: region.clone(),
        role: role.into(),
        plan: tenant.plan.clone(),
        entitlements: tenant.policy.entitlements.clone(),
        policy_version: tenant.policy.version,
    })
}

/// What the administration of a tenant reads from a verified access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Bearer {
    /// The tenant that the token is for, where the pool's trigger said so.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The user.
    #[serde(deserialize_with = "of_account")]
    pub username: crate::Username,
}

/// The identity provider's own name of an account.
fn of_account<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<crate::Username, D::Error> {
    String::deserialize(deserializer).map(|name| crate::Username::of_account(&name))
}
