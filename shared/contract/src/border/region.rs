//! Regions: health, counts and descriptions.

use super::bus_event;
use kernel::{BillingPeriod, Jurisdiction, Location, Mode, Money, PublicUrl, RegionName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts of usage events of a region since it was set up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct EventCounts {
    /// Counted in a window.
    pub accepted: u64,
    /// Received before with the same content.
    pub duplicates: u64,
    /// Received before with other content.
    pub conflicts: u64,
    /// Refused by usage-ingest, by sender, so that a tenant's invalid events cannot hide those of
    /// the provider's services.
    pub rejected: RejectedCounts,
    /// In requests that the region could not store, since it was overloaded or failed. Each attempt
    /// counts, even if the event is stored by a later one.
    pub not_stored: u64,
}

/// Counts of refused usage events, by sender.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct RejectedCounts {
    /// From tenants' own clients.
    pub tenants: ReasonCounts,
    /// From the provider's services.
    pub provider: ReasonCounts,
}

impl RejectedCounts {
    /// The sum of all counts.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.tenants, self.provider]
            .iter()
            .map(ReasonCounts::total)
            .sum()
    }
}

/// The kinds of reasons for which usage events are refused. The list is closed, and each refusal
/// counts for exactly one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RejectionKind {
    /// It does not have the form of an event.
    Malformed,
    /// No meter has its type.
    UnknownMeter,
    /// Its tenant is not in use in the region, or does not belong to the sender.
    UnknownTenant,
    /// Its time is too late, too early, or before the tenant's first billing period.
    OutOfTime,
    /// Its data is not valid for its meter.
    InvalidValue,
    /// It contradicts an earlier event of the same request.
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

    /// The name of the kind, which is the name of its count too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Counts of refused usage events, by kind of reason.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct ReasonCounts {
    /// Not in the form of an event.
    pub malformed: u64,
    /// Of a type that no meter has.
    pub unknown_meter: u64,
    /// Of a tenant that is not in use in the region, or does not belong to the sender.
    pub unknown_tenant: u64,
    /// Of a time that is too late, too early, or before the tenant's first billing period.
    pub out_of_time: u64,
    /// With data that is not valid for the meter.
    pub invalid_value: u64,
    /// Contradicting an earlier event of the same request.
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

    /// The sum of all counts.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut counts = *self;
        RejectionKind::ALL
            .into_iter()
            .map(|kind| *counts.of_mut(kind))
            .sum()
    }
}

/// Counts of a region's tenants by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantCounts {
    /// Signed up and not confirmed yet.
    pub pending: u64,
    /// In use.
    pub active: u64,
    /// All others that are not closed.
    pub other: u64,
}

/// The dependencies of a region.
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

/// The result of a check of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyState {
    /// It answered.
    Up,
    /// It did not answer.
    Down,
}

/// The state of a dependency when the region checked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DependencyHealth {
    /// The dependency.
    pub dependency: Dependency,
    /// The result of the check.
    pub state: DependencyState,
    /// The duration of the check.
    pub latency_ms: u64,
}

/// A region's health. Stream: the region's; the sequence is the heartbeat's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatReported {
    /// The region's mode.
    pub mode: Mode,
    /// Tenants by status. Absent if there are too few to publish a total.
    pub tenants: Option<TenantCounts>,
    /// Usage events. Absent in a sovereign region with too few tenants to hide a single one.
    pub events: Option<EventCounts>,
    /// The number of events waiting to be published.
    pub outbox_waiting: u64,
    /// The age of the oldest of them.
    pub outbox_lag_ms: u64,
    /// The number of usage segments waiting to be rolled up.
    pub usage_waiting: u64,
    /// The age of the oldest of them.
    pub usage_lag_ms: u64,
    /// The state of each dependency.
    pub dependencies: Vec<DependencyHealth>,
}
bus_event!(HeartbeatReported, 1, "meridian.fleet");

/// A sovereign region billed a period. Published once per run, and only over a minimum number of
/// tenants, so that no tenant's total can be derived from two events. Stream: the region's billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RegionBillingTotaled {
    /// The billed period.
    pub period: BillingPeriod,
    /// The number of invoices.
    pub invoices: u64,
    /// The sum of the invoices, by currency.
    pub totals: Vec<Money>,
    /// The number of usage events that they bill.
    pub events: u64,
}
bus_event!(RegionBillingTotaled, 1, "meridian.billing");

/// A region's description of itself, for the directory. Stream: the region's; the sequence is that
/// of the heartbeat published with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionDescribed {
    /// The display name.
    pub name: RegionName,
    /// The jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Its residency mode.
    pub mode: Mode,
    /// The address of its sign-up API.
    pub signup_url: PublicUrl,
    /// Whether it accepts new tenants.
    pub accepts_new_tenants: bool,
    /// The most tenants that it has room for; absent for no limit.
    pub capacity_tenants: Option<u64>,
    /// The location of the region.
    pub location: Option<Location>,
}
bus_event!(RegionDescribed, 1, "meridian.fleet");
