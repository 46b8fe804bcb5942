//! Messages between Meridian and the application plane, on the region's bus. None of them leaves
//! the region.
//!
//! Meridian's requests are events in an envelope, under the source `meridian.provisioning`. The
//! application's answers are plain documents under [`ANSWER_SOURCE`], so that an application needs
//! no sequence numbers.

use crate::border::bus_event;
use crate::envelope::Moment;
use kernel::{
    Alias, MeterCode, PlanCode, PlanDecimal, Quantity, ReasonCode, TenantId, Tier, Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The EventBridge `source` of the application's answers.
pub const ANSWER_SOURCE: &str = "meridian.application";

/// A tenant needs resources. Stream: the tenant's; the sequence is the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantProvisioningRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Whether the resources are shared or the tenant's own.
    pub tier: Tier,
    /// The number of the request for this tenant, starting at 1.
    pub attempt: u64,
    /// The deadline of the answer, UTC. No answer by then counts as a failure.
    #[schemars(with = "Moment")]
    pub answer_by: Timestamp,
}
bus_event!(TenantProvisioningRequested, 1, "meridian.provisioning");

/// A tenant is closed and its resources can be removed. Stream: the tenant's; the sequence is the
/// attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantDeprovisioningRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Whether the resources are shared or the tenant's own.
    pub tier: Tier,
    /// The number of the request for this tenant, starting at 1.
    pub attempt: u64,
    /// The deadline of the answer, UTC. No answer by then counts as a failure.
    #[schemars(with = "Moment")]
    pub answer_by: Timestamp,
}
bus_event!(TenantDeprovisioningRequested, 1, "meridian.provisioning");

/// The active subdomain of a tenant changed or was released. No event contains a subdomain, so the
/// consumer reads the tenant's present one. Stream: the tenant's; the sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantAddressChanged {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's alias, which stays valid.
    pub alias: Alias,
    /// Grows with every reservation event and every change of the active subdomain.
    pub revision: u64,
}
bus_event!(TenantAddressChanged, 1, "meridian.tenancy");

/// A tenant's usage reached a threshold of its plan's allowance in a billing period. Published once
/// per threshold. Stream: the tenant's usage, in which it has no number of its own; the sequence is
/// the threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageThresholdReached {
    /// The tenant.
    pub tenant: TenantId,
    /// The meter.
    pub meter: MeterCode,
    /// The start of the billing period, UTC.
    #[schemars(with = "Moment")]
    pub period_start: Timestamp,
    /// The threshold, in percent of the allowance.
    pub percent: u16,
    /// The plan's allowance in a period.
    pub allowance: PlanDecimal,
    /// The usage when the check found the threshold reached.
    pub value: Quantity,
}
bus_event!(UsageThresholdReached, 1, "meridian.metering");

/// The result of a request to the application. The EventBridge `detail-type` is its kind: see
/// [`Answer::TYPES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The tenant.
    pub tenant: TenantId,
    /// The attempt that is answered; absent for the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// The reason, in a failure only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonCode>,
    /// Whether the same request may succeed later, in a failure only. Absent means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
}

impl Answer {
    /// The resources exist.
    pub const PROVISIONED: &'static str = "TenantProvisioned.v1";
    /// The resources could not be made.
    pub const PROVISIONING_FAILED: &'static str = "TenantProvisioningFailed.v1";
    /// The resources are removed.
    pub const DEPROVISIONED: &'static str = "TenantDeprovisioned.v1";
    /// The resources could not be removed.
    pub const DEPROVISIONING_FAILED: &'static str = "TenantDeprovisioningFailed.v1";

    /// Every `detail-type` of an answer.
    pub const TYPES: [&'static str; 4] = [
        Self::PROVISIONED,
        Self::PROVISIONING_FAILED,
        Self::DEPROVISIONED,
        Self::DEPROVISIONING_FAILED,
    ];
}
