//! Scheduled events: the billing clock.

use kernel::Timestamp;
use serde::Deserialize;

/// An EventBridge scheduled event. Its time is the handler's `now`, so that a replay repeats
/// itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Scheduled {
    /// The time at which the schedule was due.
    pub time: Timestamp,
    #[serde(rename = "detail-type")]
    _detail_type: ScheduledType,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
enum ScheduledType {
    #[serde(rename = "Scheduled Event")]
    ScheduledEvent,
}

/// The event of a function that a schedule and a source of records invoke.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Trigger<R> {
    /// The schedule is due.
    Schedule(Scheduled),
    /// Records arrived from the source.
    Records(R),
}
