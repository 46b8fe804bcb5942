//! Scheduled events: the billing clock.

use kernel::Timestamp;
use serde::Deserialize;

/// An EventBridge scheduled event. Its time is the `now` of the handler, so that a replay does the
/// same again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Scheduled {
    /// When the schedule was due.
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
    /// It is time.
    Schedule(Scheduled),
    /// Records arrived.
    Records(R),
}
