//! The health of a region, derived from its latest heartbeat and the age of that.

use contract::{Dependency, DependencyState, HeartbeatReported};
use jiff::SignedDuration;
use kernel::{Generation, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// The interval of a region's heartbeats.
pub const HEARTBEAT_INTERVAL_SECONDS: i64 = 60;

/// The most heartbeats in a row that may be missing before a region counts as silent.
pub const MISSED_HEARTBEATS_MAX: i64 = 3;

/// The highest age of an event or usage segment in a backlog before a region counts as degraded.
pub const LAG_MS_MAX: u64 = 300_000;

/// The latest heartbeat of a region: the one with the highest sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The number of the heartbeat.
    pub sequence: u64,
    /// When the region took its measurements, by its own clock.
    pub occurred_at: Timestamp,
    /// The measurements.
    pub report: HeartbeatReported,
}

/// A region's health.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[schema(as = RegionStatus)]
pub enum Status {
    /// It reports, and has no problem.
    Healthy,
    /// It reports problems.
    Degraded,
    /// It does not report.
    Unknown,
}

/// A problem of a region.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// No current heartbeat: there is none, it is too old, or its clock is far ahead.
    Silent,
    /// The table of tenants did not answer.
    RegionalTableDown,
    /// The table of usage did not answer.
    UsageTableDown,
    /// The table of events to publish did not answer.
    OutboxTableDown,
    /// Events wait too long to be published.
    OutboxLagging,
    /// Usage waits too long to be rolled up.
    UsageLagging,
    /// The region does not acknowledge policies.
    PoliciesStuck,
}

/// The open incidents of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    /// The optimistic lock: one higher with every change.
    pub generation: Generation,
    /// When the last of them was opened or cleared.
    pub changed_at: Option<Timestamp>,
    /// The open incidents, each with the time at which it opened.
    pub open: BTreeMap<Condition, Timestamp>,
}

/// A change of incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentChange {
    /// The incidents after the change.
    pub after: Incidents,
    /// The conditions that opened.
    pub opened: Vec<Condition>,
    /// The conditions that cleared.
    pub cleared: Vec<Condition>,
}

/// Finds the problems of a region at this time.
#[must_use]
pub fn find_conditions(
    latest: Option<&Heartbeat>,
    stuck_policies: i64,
    now: Timestamp,
) -> BTreeSet<Condition> {
    let mut found = BTreeSet::new();
    if stuck_policies > 0 {
        found.insert(Condition::PoliciesStuck);
    }
    let Some(heartbeat) = latest.filter(|heartbeat| is_current(heartbeat, now)) else {
        found.insert(Condition::Silent);
        return found;
    };
    let down = heartbeat
        .report
        .dependencies
        .iter()
        .filter(|health| health.state == DependencyState::Down);
    found.extend(down.map(|health| match health.dependency {
        Dependency::RegionalTable => Condition::RegionalTableDown,
        Dependency::UsageTable => Condition::UsageTableDown,
        Dependency::OutboxTable => Condition::OutboxTableDown,
    }));
    if heartbeat.report.outbox_lag_ms > LAG_MS_MAX {
        found.insert(Condition::OutboxLagging);
    }
    if heartbeat.report.usage_lag_ms > LAG_MS_MAX {
        found.insert(Condition::UsageLagging);
    }
    found
}

/// Derives a region's health from its problems.
#[must_use]
pub fn decide_status(found: &BTreeSet<Condition>) -> Status {
    if found.contains(&Condition::Silent) {
        Status::Unknown
    } else if found.is_empty() {
        Status::Healthy
    } else {
        Status::Degraded
    }
}

/// Decides which incidents open and which clear.
///
/// While a region is silent, incidents from its last heartbeat stay open, since their state is
/// unknown. A time before the last change decides nothing, so that a late schedule event cannot
/// undo a newer one.
#[must_use]
pub fn decide_incidents(
    current: &Incidents,
    found: &BTreeSet<Condition>,
    now: Timestamp,
) -> Option<IncidentChange> {
    if current
        .changed_at
        .is_some_and(|changed_at| now < changed_at)
    {
        return None;
    }
    let is_silent = found.contains(&Condition::Silent);
    // Home itself knows about stuck policies, so they clear even while the region is silent.
    let is_over = |condition: &Condition| {
        !found.contains(condition) && (!is_silent || *condition == Condition::PoliciesStuck)
    };
    let cleared: Vec<Condition> = current.open.keys().copied().filter(is_over).collect();
    let opened: Vec<Condition> = found
        .iter()
        .copied()
        .filter(|one| !current.open.contains_key(one))
        .collect();
    if cleared.is_empty() && opened.is_empty() {
        return None;
    }
    let mut open = current.open.clone();
    open.retain(|condition, _| !cleared.contains(condition));
    open.extend(opened.iter().map(|condition| (*condition, now)));
    let after = Incidents {
        generation: current.generation.next(),
        changed_at: Some(now),
        open,
    };
    Some(IncidentChange {
        after,
        opened,
        cleared,
    })
}

/// Whether a heartbeat describes the present. An old one does not, and neither does one from a
/// clock that is far ahead.
fn is_current(heartbeat: &Heartbeat, now: Timestamp) -> bool {
    let limit = SignedDuration::from_secs(HEARTBEAT_INTERVAL_SECONDS * MISSED_HEARTBEATS_MAX);
    now.duration_since(heartbeat.occurred_at).abs() <= limit
}
