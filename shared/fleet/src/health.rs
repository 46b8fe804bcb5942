//! How a region is, by its latest heartbeat and by how long ago that was.

use contract::{Dependency, DependencyState, HeartbeatReported};
use jiff::SignedDuration;
use kernel::{Generation, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// How often a region reports.
pub const HEARTBEAT_INTERVAL_SECONDS: i64 = 60;

/// A region that misses more than so many heartbeats in a row is silent.
pub const MISSED_HEARTBEATS_MAX: i64 = 3;

/// A region is degraded when its oldest waiting event or usage segment is older than this.
pub const LAG_MS_MAX: u64 = 300_000;

/// The latest heartbeat of a region: the one with the highest sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its number.
    pub sequence: u64,
    /// When the region looked, by its own clock.
    pub occurred_at: Timestamp,
    /// What it saw.
    pub report: HeartbeatReported,
}

/// A region's health.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[schema(as = RegionStatus)]
pub enum Status {
    /// It reports, and nothing is wrong.
    Healthy,
    /// It reports, and something is wrong.
    Degraded,
    /// It does not report, so nobody knows.
    Unknown,
}

/// Something that is wrong with a region.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// No heartbeat that can be believed: none, too old, or from a clock that runs ahead.
    Silent,
    /// The table of tenants did not answer.
    RegionalTableDown,
    /// The table of usage did not answer.
    UsageTableDown,
    /// The table of events to publish did not answer.
    OutboxTableDown,
    /// Events wait too long for being published.
    OutboxLagging,
    /// Usage waits too long for being settled.
    UsageLagging,
    /// The region does not acknowledge policies.
    PoliciesStuck,
}

/// What is wrong with a region now, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    /// The optimistic lock: one higher with every change.
    pub generation: Generation,
    /// When the last of them was opened or cleared.
    pub changed_at: Option<Timestamp>,
    /// Each open incident with the moment at which it was opened.
    pub open: BTreeMap<Condition, Timestamp>,
}

/// Incidents that opened or cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentChange {
    /// The incidents from now on.
    pub after: Incidents,
    /// What opened.
    pub opened: Vec<Condition>,
    /// What cleared.
    pub cleared: Vec<Condition>,
}

/// Finds what is wrong with a region at a moment.
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

/// Decides a region's health by what is wrong with it.
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
/// While a region is silent, what it last complained about stays open: nobody knows. A moment
/// before the last change decides nothing, so that a late schedule event cannot undo a newer one.
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

/// A heartbeat that is too old says nothing of now, and neither does one from a clock far ahead.
fn is_current(heartbeat: &Heartbeat, now: Timestamp) -> bool {
    let limit = SignedDuration::from_secs(HEARTBEAT_INTERVAL_SECONDS * MISSED_HEARTBEATS_MAX);
    now.duration_since(heartbeat.occurred_at).abs() <= limit
}
