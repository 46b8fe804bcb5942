//! Tenants: their status, policies and custom subdomains.

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
    /// The tenant's alias.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// The new status.
    pub status: TenantStatus,
    /// The reason for the change.
    pub reason: StatusReason,
    /// The tenant's version: the highest one is current.
    pub revision: u64,
}
bus_event!(TenantStatusChanged, 1, "meridian.tenancy");

/// The policy that home wants for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TenantPolicy {
    /// Grows with every change: the highest one is current.
    pub version: u64,
    /// The plan that the entitlements come from.
    pub plan: PlanCode,
    /// The reason for which the tenant is to be suspended; absent if it is not.
    pub suspension: Option<Suspension>,
    /// The tenant's entitlements.
    pub entitlements: Vec<EntitlementCode>,
}

/// Home published a tenant's policy. The envelope's region is the addressee. Stream: the tenant's;
/// the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyPublished {
    /// The tenant.
    pub tenant: TenantId,
    /// The whole policy.
    pub policy: TenantPolicy,
}
bus_event!(TenantPolicyPublished, 1, "meridian.central");

/// A region applied a tenant's policy. Stream: the tenant's; the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyApplied {
    /// The tenant.
    pub tenant: TenantId,
    /// The version that is now in force in the region.
    pub version: u64,
}
bus_event!(TenantPolicyApplied, 1, "meridian.policy");

/// A tenant's administrator requested another plan. Stream: the tenant's; the sequence is the
/// number of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanChangeRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The requested plan.
    pub plan: PlanCode,
    /// The number of the request of this tenant: the highest one is current.
    pub revision: u64,
}
bus_event!(PlanChangeRequested, 1, "meridian.tenancy");

/// A region erased all data of a closed tenant. Stream: the tenant's; the sequence is the tenant's
/// last version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantErased {
    /// The tenant.
    pub tenant: TenantId,
}
bus_event!(TenantErased, 1, "meridian.tenancy");

/// The phase of a tenant's reservation, as the region reports it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReservationPhase {
    /// The tenant requests the subdomain.
    Requested,
    /// The region has reserved the subdomain and asks home to make the reservation permanent.
    Confirmed,
    /// The tenant releases the subdomain.
    Released,
}

/// The progress of a tenant's reservation of a custom subdomain. The subdomain itself does not
/// leave the region. Stream: the tenant's; the sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubdomainReservationUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// The digest of the subdomain.
    pub digest: SubdomainDigest,
    /// The phase of the reservation.
    pub phase: ReservationPhase,
    /// Grows with every event about any reservation of the tenant. For one reservation, the highest
    /// one is current.
    pub revision: u64,
}
bus_event!(SubdomainReservationUpdated, 1, "meridian.tenancy");

/// Home's decision on a tenant's reservation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReservationDecision {
    /// The subdomain is leased to the tenant for a quarter of an hour.
    Leased,
    /// The subdomain belongs to the tenant.
    Confirmed,
    /// Another tenant has the subdomain, or had it until recently.
    Refused,
    /// The subdomain no longer belongs to the tenant.
    Released,
}

/// Home decided on a reservation. The envelope's region is the addressee. Stream: the tenant's; the
/// sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubdomainReservationDecided {
    /// The tenant.
    pub tenant: TenantId,
    /// The digest of the subdomain.
    pub digest: SubdomainDigest,
    /// The decision.
    pub decision: ReservationDecision,
    /// The revision of the event that it answers.
    pub revision: u64,
}
bus_event!(SubdomainReservationDecided, 1, "meridian.central");
