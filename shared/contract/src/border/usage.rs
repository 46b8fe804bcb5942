//! Usage: the totals of a tenant, their sealing, and the stream that carries them.

use super::bus_event;
use crate::SealDigest;
use crate::envelope::Moment;
use kernel::{MeterCode, Quantity, TenantId, Timestamp, UsageGroup, WindowSize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which part of a window's usage a total is.
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
    /// What came before the window was sealed.
    #[default]
    Window,
    /// What came after it was sealed, or was taken back then: it adds to the sealed total.
    Adjustment,
}

/// One total so far, of a day or, where days do not add up, of a billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindow {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    #[serde(default)]
    pub group: UsageGroup,
    /// How long the window is.
    pub size: WindowSize,
    /// The window's first moment, UTC.
    #[schemars(with = "Moment")]
    pub start: Timestamp,
    /// Which part of its usage this is.
    #[serde(default)]
    pub part: WindowPart,
    /// The meter's value over the window; of a mean, the sum that is yet to be divided by the
    /// number of events.
    pub value: Quantity,
    /// How many events it is made of; negative in an adjustment that takes back more than came
    /// late.
    pub events: i64,
    /// The time of the event whose value is the latest, UTC: of meters that keep the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub latest_at: Option<Timestamp>,
    /// Grows with every change of the total: the highest wins.
    pub revision: u64,
}

/// Totals of one tenant changed. Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindowUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// The totals that changed, each as it is now. At most 60.
    pub windows: Vec<UsageWindow>,
}
bus_event!(UsageWindowUpdated, 1, "meridian.metering");

/// A day of a tenant's usage is sealed: what comes for it from now on is an adjustment. Stream: the
/// tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSealed {
    /// The tenant.
    pub tenant: TenantId,
    /// The day's first moment, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
    /// How many totals are sealed: those of the day and, with the last day of a billing period,
    /// those of the period.
    pub totals: u64,
    /// The digest of those totals, see [`SealDigest::of`].
    pub digest: SealDigest,
}
bus_event!(UsageSealed, 1, "meridian.metering");

/// Whoever keeps the ledger lacks totals of a tenant's day, or has others than were sealed, and
/// asks for them again; the envelope's region is the addressee. Stream: the tenant's usage; the
/// sequence is the request's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageResendRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The day's first moment, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
}
bus_event!(UsageResendRequested, 1, "meridian.billing");

/// Whoever keeps the ledger asks where the stream of a tenant's usage ends: of what was lost at its
/// end, nothing that follows tells. The envelope's region is the addressee. Stream: the tenant's
/// usage; the sequence is the number of the day, of which each has one such request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamRequested {
    /// The tenant.
    pub tenant: TenantId,
}
bus_event!(UsageStreamRequested, 1, "meridian.billing");

/// The stream of a tenant's usage ends here: what was published before has a lower number than this.
/// Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamEndReported {
    /// The tenant.
    pub tenant: TenantId,
    /// Days that end by then are sealed, UTC: the first moment of the first day that is not. Absent
    /// when none is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub sealed_until: Option<Timestamp>,
}
bus_event!(UsageStreamEndReported, 1, "meridian.metering");
