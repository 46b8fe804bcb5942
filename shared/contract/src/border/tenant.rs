//! Tenants: their status, their policies and the labels that they choose.

use super::fact;
use kernel::{
    Alias, ClaimDigest, EntitlementCode, PlanCode, StatusReason, Suspension, TenantId, TenantStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant's status changed. Stream: the tenant's; the sequence is the tenant's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantStatusChanged {
    /// The tenant.
    pub tenant: TenantId,
    /// Its public label.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Its status from now on.
    pub status: TenantStatus,
    /// Why.
    pub reason: StatusReason,
    /// The tenant's version: the highest wins.
    pub revision: u64,
}
fact!(TenantStatusChanged, 1, "meridian.tenancy");

/// What home wants to hold for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TenantPolicy {
    /// Grows with every change: the highest wins.
    pub version: u64,
    /// The plan that the entitlements come from.
    pub plan: PlanCode,
    /// Who wants the tenant suspended; absent when nobody does.
    pub suspension: Option<Suspension>,
    /// What the tenant is entitled to.
    pub entitlements: Vec<EntitlementCode>,
}

/// Home published a tenant's policy; the envelope's region is the addressee. Stream: the tenant's;
/// the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyPublished {
    /// The tenant.
    pub tenant: TenantId,
    /// Its policy, in full.
    pub policy: TenantPolicy,
}
fact!(TenantPolicyPublished, 1, "meridian.central");

/// A region applied a tenant's policy. Stream: the tenant's; the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyApplied {
    /// The tenant.
    pub tenant: TenantId,
    /// The version that now holds in the region.
    pub version: u64,
}
fact!(TenantPolicyApplied, 1, "meridian.policy");

/// A tenant's administrator asks for another plan. Stream: the tenant's; the sequence counts the
/// tenant's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanChangeRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The plan that it wants.
    pub plan: PlanCode,
    /// How many such requests the tenant has made: the highest wins.
    pub revision: u64,
}
fact!(PlanChangeRequested, 1, "meridian.tenancy");

/// A region erased all that it held of a closed tenant. Stream: the tenant's; the sequence is the
/// tenant's last version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantErased {
    /// The tenant.
    pub tenant: TenantId,
}
fact!(TenantErased, 1, "meridian.tenancy");

/// What a region says of a tenant's claim to a label.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ClaimPhase {
    /// The tenant asks for it.
    Requested,
    /// The region keeps the label free for the tenant, and asks for the claim to be made permanent.
    Confirmed,
    /// The tenant gives it up.
    Released,
}

/// How far a tenant's claim to a label is that the tenant chose. The label itself does not leave
/// the region. Stream: the tenant's; the sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VanityClaimed {
    /// The tenant.
    pub tenant: TenantId,
    /// What the label is known by.
    pub claim: ClaimDigest,
    /// How far the claim is.
    pub phase: ClaimPhase,
    /// Grows with everything that is said of any claim of the tenant: of one claim the highest
    /// wins.
    pub revision: u64,
}
fact!(VanityClaimed, 1, "meridian.tenancy");

/// What home decides of a tenant's claim to a label.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ClaimDecision {
    /// Nobody else gets the label for a quarter of an hour.
    Leased,
    /// The label is the tenant's.
    Confirmed,
    /// Another tenant has it, or had it a short while ago.
    Refused,
    /// The label is the tenant's no longer.
    Released,
}

/// Home decided on a claim; the envelope's region is the addressee. Stream: the tenant's; the
/// sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VanityDecided {
    /// The tenant.
    pub tenant: TenantId,
    /// What the label is known by.
    pub claim: ClaimDigest,
    /// What is decided.
    pub decision: ClaimDecision,
    /// The revision of what it answers.
    pub revision: u64,
}
fact!(VanityDecided, 1, "meridian.central");
