//! What Meridian and the application plane of the same region say to each other, on the region's
//! bus. None of it leaves the region.
//!
//! Meridian's requests are events like any other, under the source `meridian.provisioning`. The
//! application's answers are plain documents under [`ANSWER_SOURCE`]: an application keeps no
//! sequence numbers for us.

use crate::border::bus_event;
use crate::envelope::Moment;
use kernel::{
    Alias, MeterCode, PlanCode, PlanDecimal, Quantity, ReasonCode, TenantId, Tier, Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The EventBridge `source` of the application's answers.
pub const ANSWER_SOURCE: &str = "meridian.application";

/// A tenant needs its resources. Stream: the tenant's; the sequence is the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantProvisioningRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// Its public subdomain.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Whether the resources are shared or the tenant's own.
    pub tier: Tier,
    /// Which request for this tenant it is, from 1.
    pub attempt: u64,
    /// When silence counts as failure, UTC.
    #[schemars(with = "Moment")]
    pub answer_by: Timestamp,
}
bus_event!(TenantProvisioningRequested, 1, "meridian.provisioning");

/// A tenant is closed: its resources can go. Stream: the tenant's; the sequence is the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantDeprovisioningRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// Its public subdomain.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Whether the resources are shared or the tenant's own.
    pub tier: Tier,
    /// Which request for this tenant it is, from 1.
    pub attempt: u64,
    /// When silence counts as failure, UTC.
    #[schemars(with = "Moment")]
    pub answer_by: Timestamp,
}
bus_event!(TenantDeprovisioningRequested, 1, "meridian.provisioning");

/// Another subdomain leads to the tenant, or one no longer does. It says that there is something to
/// look up, and not what: a subdomain that a tenant chose is in no event. Stream: the tenant's; the
/// sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantAddressChanged {
    /// The tenant.
    pub tenant: TenantId,
    /// Its random public subdomain, which leads to it all the same.
    pub alias: Alias,
    /// Grows with every phase of a claim of the tenant.
    pub revision: u64,
}
bus_event!(TenantAddressChanged, 1, "meridian.tenancy");

/// A tenant's usage has reached a threshold of what its plan allows in a billing period. Stated once
/// for each threshold. Stream: the tenant's usage, in which it has no number of its own; the sequence
/// is the threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageThresholdReached {
    /// The tenant.
    pub tenant: TenantId,
    /// The meter.
    pub meter: MeterCode,
    /// The billing period's first moment, UTC.
    #[schemars(with = "Moment")]
    pub period_start: Timestamp,
    /// The threshold, in percent of the allowance.
    pub percent: u16,
    /// What the plan allows in a period.
    pub allowance: PlanDecimal,
    /// The usage when the threshold was found to be reached.
    pub value: Quantity,
}
bus_event!(UsageThresholdReached, 1, "meridian.metering");

/// What the application did, or could not do. The EventBridge `detail-type` says which: see
/// [`Answer::TYPES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The tenant.
    pub tenant: TenantId,
    /// The attempt that is answered; absent for the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Why it failed. Only in a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonCode>,
    /// Whether the same request may succeed later. Only in a failure; absent means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

impl Answer {
    /// The resources are there.
    pub const PROVISIONED: &'static str = "TenantProvisioned.v1";
    /// They are not, with the reason.
    pub const PROVISIONING_FAILED: &'static str = "TenantProvisioningFailed.v1";
    /// The resources are gone.
    pub const DEPROVISIONED: &'static str = "TenantDeprovisioned.v1";
    /// They are not, with the reason.
    pub const DEPROVISIONING_FAILED: &'static str = "TenantDeprovisioningFailed.v1";

    /// Every `detail-type` of an answer.
    pub const TYPES: [&'static str; 4] = [
        Self::PROVISIONED,
        Self::PROVISIONING_FAILED,
        Self::DEPROVISIONED,
        Self::DEPROVISIONING_FAILED,
    ];
}
