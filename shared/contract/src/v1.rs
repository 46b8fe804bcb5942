//! Facts of which there is a newer version, as they were published. Nobody states them any more; who
//! takes the newer version takes these too, so that regions can be updated one after the other.

use crate::border::fact;
use crate::envelope::Moment;
use kernel::{
    Alias, EntitlementCode, MeterCode, PlanCode, Quantity, Suspension, TenantId, TenantStatus, Timestamp, UsageGroup,
    WindowSize,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Why a tenant's status changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusReason {
    /// A sign-up was accepted.
    SignedUp,
    /// The administrator confirmed the address.
    Confirmed,
    /// Provisioning ended well.
    Provisioned,
    /// An operator's decision.
    Operator,
    /// The dunning policy's decision.
    Dunning,
}

impl From<TenantStatusChanged> for crate::TenantStatusChanged {
    fn from(old: TenantStatusChanged) -> Self {
        let reason = match old.reason {
            StatusReason::SignedUp => kernel::StatusReason::SignedUp,
            StatusReason::Confirmed => kernel::StatusReason::Confirmed,
            StatusReason::Provisioned => kernel::StatusReason::Provisioned,
            StatusReason::Operator => kernel::StatusReason::Operator,
            StatusReason::Dunning => kernel::StatusReason::Dunning,
        };
        let TenantStatusChanged { tenant, alias, plan, status, revision, .. } = old;
        Self { tenant, alias, plan, status, reason, revision }
    }
}

/// One window's total so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindow {
    /// The meter.
    pub meter: MeterCode,
    /// The window's first moment, UTC.
    #[schemars(with = "Moment")]
    pub start: Timestamp,
    /// The meter's value over the window.
    pub value: Quantity,
    /// How many events it is made of.
    pub events: u64,
    /// Grows with every change of the window: the highest wins.
    pub revision: u64,
}

/// Windows of one tenant changed. Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindowUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// The windows that changed, each with its total so far. At most 60.
    pub windows: Vec<UsageWindow>,
}
fact!(UsageWindowUpdated, 1, "meridian.metering");

impl From<UsageWindowUpdated> for crate::UsageWindowUpdated {
    fn from(old: UsageWindowUpdated) -> Self {
        let window = |UsageWindow { meter, start, value, events, revision }| crate::UsageWindow {
            meter,
            group: UsageGroup::default(),
            size: WindowSize::Day,
            start,
            part: crate::WindowPart::Window,
            value,
            events: i64::try_from(events).unwrap_or(i64::MAX),
            latest_at: None,
            revision,
        };
        Self { tenant: old.tenant, windows: old.windows.into_iter().map(window).collect() }
    }
}

/// What home wants to hold for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicy {
    /// Grows with every change: the highest wins.
    pub version: u64,
    /// The plan that the entitlements come from.
    pub plan: PlanCode,
    /// Whether the tenant may be used, as far as home is concerned.
    pub suspended: bool,
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

impl From<TenantPolicyPublished> for crate::TenantPolicyPublished {
    /// The old version does not say who suspends.
    fn from(old: TenantPolicyPublished) -> Self {
        let TenantPolicy { version, plan, suspended, entitlements } = old.policy;
        let suspension = suspended.then_some(Suspension::Operator);
        Self { tenant: old.tenant, policy: crate::TenantPolicy { version, plan, suspension, entitlements } }
    }
}
