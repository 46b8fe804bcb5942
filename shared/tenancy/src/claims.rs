//! The claims of a token.

use crate::tenant::Tenant;
use kernel::{Alias, EntitlementCode, PlanCode, RegionCode, Role, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};

/// The claims that the application plane reads. The id token and the access token have the same
/// ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The tenant that the token is for.
    pub tenant_id: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// The region that the tenant lives in.
    pub region: RegionCode,
    /// The user's role in the tenant; a machine has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The tenant's plan.
    pub plan: PlanCode,
    /// The tenant's entitlements.
    pub entitlements: Vec<EntitlementCode>,
    /// The version of home's policy that the entitlements come from; 0 before the first policy.
    pub policy_version: u64,
}

/// Why no token is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsRefusal {
    /// The address is not confirmed, or the tenant's resources are being made.
    #[error("tenant-not-ready")]
    NotReady,
    /// Suspended, by its status or by home's policy.
    #[error("tenant-suspended")]
    Suspended,
    /// Closed or being closed.
    #[error("tenant-closed")]
    Closed,
}

/// Decides the claims of a user's or a machine's token, when it is issued and at every refresh.
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
        // A tenant stays usable while it moves to another region.
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

/// The part of a verified access token that the administration of a tenant reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Bearer {
    /// The tenant that the token is for, if the pool's trigger set it.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The user.
    #[serde(deserialize_with = "of_account")]
    pub username: crate::Username,
}

/// Reads the identity provider's name of an account.
fn of_account<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<crate::Username, D::Error> {
    String::deserialize(deserializer).map(|name| crate::Username::of_account(&name))
}
