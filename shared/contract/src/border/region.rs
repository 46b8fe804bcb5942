//! Regions: their health, their counts and what they say of themselves.

use super::bus_event;
use kernel::{BillingPeriod, Jurisdiction, Location, Mode, Money, PublicUrl, RegionName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Usage events of a region, since it was set up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct EventCounts {
    /// Counted once in a window.
    pub accepted: u64,
    /// Seen before with the same content.
    pub duplicates: u64,
    /// Seen before with other content.
    pub conflicts: u64,
    /// Refused at the edge, by sender: what tenants send wrongly hides nothing of what the
    /// provider's services do.
    pub rejected: RejectedCounts,
    /// In requests that the region could not take, since it was too busy or failed. Each attempt
    /// counts, and an event that is sent again is stored all the same.
    pub not_stored: u64,
}

/// Usage events that a region refused, by who sent them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct RejectedCounts {
    /// Of tenants' own clients.
    pub tenants: ReasonCounts,
    /// Of the provider's services.
    pub provider: ReasonCounts,
}

impl RejectedCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.tenants, self.provider]
            .iter()
            .map(ReasonCounts::total)
            .sum()
    }
}

/// The kinds of reasons that usage events are refused for. A closed list: what was refused for one
/// never counts as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RejectionKind {
    /// It is not shaped as an event has to be.
    Malformed,
    /// Its type belongs to no meter.
    UnknownMeter,
    /// Its tenant is not in use in the region, or not the sender's.
    UnknownTenant,
    /// Its time is too late, too early, or before the tenant's first billing period.
    OutOfTime,
    /// What it says of its meter is not what the meter reads.
    InvalidValue,
    /// It contradicts an event before it in the request.
    Conflict,
    /// It is a correction that cannot be made.
    Correction,
}

impl RejectionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::UnknownMeter,
        Self::UnknownTenant,
        Self::OutOfTime,
        Self::InvalidValue,
        Self::Conflict,
        Self::Correction,
    ];

    /// The kind's name, which is that of its count.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Usage events that were refused, by kind of reason.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct ReasonCounts {
    /// Not shaped as an event has to be.
    pub malformed: u64,
    /// Of a type that belongs to no meter.
    pub unknown_meter: u64,
    /// Of a tenant that is not in use in the region, or not the sender's.
    pub unknown_tenant: u64,
    /// Of a time that is too late, too early, or before the tenant's first billing period.
    pub out_of_time: u64,
    /// With data that is not what the meter reads.
    pub invalid_value: u64,
    /// Contradicting an event before it in the request.
    pub conflict: u64,
    /// Corrections that cannot be made.
    pub correction: u64,
}

impl ReasonCounts {
    /// The count of a kind.
    pub const fn of_mut(&mut self, kind: RejectionKind) -> &mut u64 {
        match kind {
            RejectionKind::Malformed => &mut self.malformed,
            RejectionKind::UnknownMeter => &mut self.unknown_meter,
            RejectionKind::UnknownTenant => &mut self.unknown_tenant,
            RejectionKind::OutOfTime => &mut self.out_of_time,
            RejectionKind::InvalidValue => &mut self.invalid_value,
            RejectionKind::Conflict => &mut self.conflict,
            RejectionKind::Correction => &mut self.correction,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut counts = *self;
        RejectionKind::ALL
            .into_iter()
            .map(|kind| *counts.of_mut(kind))
            .sum()
    }
}

/// Tenants of a region by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantCounts {
    /// Signed up and not yet confirmed.
    pub pending: u64,
    /// In use.
    pub active: u64,
    /// Everything else that is not closed.
    pub other: u64,
}

/// What a region depends on.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// The table of tenants.
    RegionalTable,
    /// The table of usage.
    UsageTable,
    /// The table of events to publish.
    OutboxTable,
}

/// How a dependency answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyState {
    /// It answered.
    Up,
    /// It did not.
    Down,
}

/// A dependency's state when the region looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DependencyHealth {
    /// Which dependency.
    pub dependency: Dependency,
    /// How it answered.
    pub state: DependencyState,
    /// How long it took.
    pub latency_ms: u64,
}

/// A region's health. Stream: the region's; the sequence is the heartbeat's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatReported {
    /// The region's mode.
    pub mode: Mode,
    /// Tenants by status. Absent where there are too few to be named in total.
    pub tenants: Option<TenantCounts>,
    /// Usage events. Absent in a sovereign region with too few tenants to hide one.
    pub events: Option<EventCounts>,
    /// Events waiting to be published.
    pub outbox_waiting: u64,
    /// How long the oldest of them has been waiting.
    pub outbox_lag_ms: u64,
    /// Usage segments waiting to be settled.
    pub usage_waiting: u64,
    /// How long the oldest of them has been waiting.
    pub usage_lag_ms: u64,
    /// What the region depends on.
    pub dependencies: Vec<DependencyHealth>,
}
bus_event!(HeartbeatReported, 1, "meridian.fleet");

/// A sovereign region billed a period. Stated once per run, and only over a minimum number of
/// tenants, so that no tenant's total can be told from two statements. Stream: the region's
/// billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RegionBillingTotaled {
    /// The period that was billed.
    pub period: BillingPeriod,
    /// How many invoices.
    pub invoices: u64,
    /// Their sum, one per currency.
    pub totals: Vec<Money>,
    /// How many usage events they bill.
    pub events: u64,
}
bus_event!(RegionBillingTotaled, 1, "meridian.billing");

/// What a region says of itself to who looks for one. Stream: the region's; the sequence is that of
/// the heartbeat it was published with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionDescribed {
    /// What it is called.
    pub name: RegionName,
    /// Whose law applies there.
    pub jurisdiction: Jurisdiction,
    /// Its residency mode.
    pub mode: Mode,
    /// Where its sign-ups are posted.
    pub signup_url: PublicUrl,
    /// Whether it takes new tenants.
    pub accepts_new_tenants: bool,
    /// How many tenants it has room for; absent for any number.
    pub capacity_tenants: Option<u64>,
    /// Where it is.
    pub location: Option<Location>,
}
bus_event!(RegionDescribed, 1, "meridian.fleet");
