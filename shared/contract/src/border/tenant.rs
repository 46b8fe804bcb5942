//! Tenants: their status, their policies and the subdomains that they choose.

use super::bus_event;
use kernel::{
    Alias, EntitlementCode, PlanCode, StatusReason, SubdomainDigest, Suspension, TenantId,
    TenantStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant's status changed. Stream: the tenant's; the sequence is the tenant's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantStatusChanged {
    /// The tenant.
    pub tenant: TenantId,
    /// Its public subdomain.
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
bus_event!(TenantStatusChanged, 1, "meridian.tenancy");

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
bus_event!(TenantPolicyPublished, 1, "meridian.central");

/// A region applied a tenant's policy. Stream: the tenant's; the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyApplied {
    /// The tenant.
    pub tenant: TenantId,
    /// The version that now holds in the region.
    pub version: u64,
}
bus_event!(TenantPolicyApplied, 1, "meridian.policy");

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
bus_event!(PlanChangeRequested, 1, "meridian.tenancy");

/// A region erased all that it held of a closed tenant. Stream: the tenant's; the sequence is the
/// tenant's last version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantErased {
    /// The tenant.
    pub tenant: TenantId,
}
bus_event!(TenantErased, 1, "meridian.tenancy");

/// What a region says of a tenant's claim to a subdomain.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReservationPhase {
    /// The tenant asks for it.
    Requested,
    /// The region keeps the subdomain free for the tenant, and asks for the claim to be made permanent.
    Confirmed,
    /// The tenant gives it up.
    Released,
}

/// How far a tenant's claim to a subdomain is that the tenant chose. The subdomain itself does not leave
/// the region. Stream: the tenant's; the sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubdomainReservationUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// What the subdomain is known by.
    pub digest: SubdomainDigest,
    /// How far the claim is.
    pub phase: ReservationPhase,
    /// Grows with everything that is said of any claim of the tenant: of one claim the highest
    /// wins.
    pub revision: u64,
}
bus_event!(SubdomainReservationUpdated, 1, "meridian.tenancy");

/// What home decides of a tenant's claim to a subdomain.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReservationDecision {
    /// Nobody else gets the subdomain for a quarter of an hour.
    Leased,
    /// The subdomain is the tenant's.
    Confirmed,
    /// Another tenant has it, or had it a short while ago.
    Refused,
    /// The subdomain is the tenant's no longer.
    Released,
}

/// Home decided on a claim; the envelope's region is the addressee. Stream: the tenant's; the
/// sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubdomainReservationDecided {
    /// The tenant.
    pub tenant: TenantId,
    /// What the subdomain is known by.
    pub digest: SubdomainDigest,
    /// What is decided.
    pub decision: ReservationDecision,
    /// The revision of what it answers.
    pub revision: u64,
}
bus_event!(SubdomainReservationDecided, 1, "meridian.central");
