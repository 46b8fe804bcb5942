//! Usage: a tenant's totals, their sealing, and the stream of their events.

use super::bus_event;
use crate::envelope::Moment;
use crate::seal::SealDigest;
use kernel::{MeterCode, Quantity, TenantId, Timestamp, UsageGroup, WindowSize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The part of a window's usage in a total.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum WindowPart {
    /// Usage before the window was sealed.
    #[default]
    Window,
    /// Usage, or corrections, after the window was sealed. They add to the sealed total.
    Adjustment,
}

/// The current total of a day or, for meters whose days do not add up, of a billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindow {
    /// The meter.
    pub meter: MeterCode,
    /// The dimension values of the total.
    #[serde(default)]
    pub group: UsageGroup,
    /// The size of the window.
    pub size: WindowSize,
    /// The start of the window, UTC.
    #[schemars(with = "Moment")]
    pub start: Timestamp,
    /// The part of the window's usage.
    #[serde(default)]
    pub part: WindowPart,
    /// The meter's value over the window. For a mean, the sum, to be divided by the number of
    /// events.
    pub value: Quantity,
    /// The number of events. Negative in an adjustment that takes back more than it adds.
    pub events: i64,
    /// For meters that retain the latest value, the time of its event, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub latest_at: Option<Timestamp>,
    /// Grows with every change of the total: the highest one is current.
    pub revision: u64,
}

/// Totals of a tenant changed. Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindowUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// The totals that changed, with their current values. At most 60.
    pub windows: Vec<UsageWindow>,
}
bus_event!(UsageWindowUpdated, 1, "meridian.metering");

/// A day of a tenant's usage is sealed: later usage of the day becomes an adjustment. Stream: the
/// tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSealed {
    /// The tenant.
    pub tenant: TenantId,
    /// The start of the day, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
    /// The number of sealed totals: those of the day and, with the last day of a billing period,
    /// those of the period.
    pub totals: u64,
    /// The digest of these totals, see [`SealDigest::of`].
    pub digest: SealDigest,
}
bus_event!(UsageSealed, 1, "meridian.metering");

/// The ledger lacks totals of a tenant's day, or has other ones than were sealed, and requests them
/// again. The envelope's region is the addressee. Stream: the tenant's usage; the sequence is the
/// number of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageResendRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The start of the day, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
}
bus_event!(UsageResendRequested, 1, "meridian.billing");

/// The ledger asks for the end of a tenant's usage stream, since no later event reveals that the
/// last ones were lost. The envelope's region is the addressee. Stream: the tenant's usage; the
/// sequence is the number of the day, and each day has one such request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamRequested {
    /// The tenant.
    pub tenant: TenantId,
}
bus_event!(UsageStreamRequested, 1, "meridian.billing");

/// The end of a tenant's usage stream: all earlier events have lower numbers than this one. Stream:
/// the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamEndReported {
    /// The tenant.
    pub tenant: TenantId,
    /// The start of the first day that is not sealed yet, UTC. Absent if no day is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub sealed_until: Option<Timestamp>,
}
bus_event!(UsageStreamEndReported, 1, "meridian.metering");
