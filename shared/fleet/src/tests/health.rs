use super::fixtures::at;
use crate::health::{
    Condition, Heartbeat, Incidents, LAG_MS_MAX, decide_incidents, decide_status, find_conditions,
};
use contract::{Dependency, DependencyHealth, DependencyState, HeartbeatReported};
use kernel::Mode;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn heartbeat(second: i64) -> Heartbeat {
    let up = |dependency| DependencyHealth {
        dependency,
        state: DependencyState::Up,
        latency_ms: 3,
    };
    let report = HeartbeatReported {
        mode: Mode::Regional,
        tenants: None,
        events: None,
        outbox_waiting: 0,
        outbox_lag_ms: 0,
        usage_waiting: 0,
        usage_lag_ms: 0,
        dependencies: vec![
            up(Dependency::RegionalTable),
            up(Dependency::UsageTable),
            up(Dependency::OutboxTable),
        ],
    };
    Heartbeat {
        sequence: 1,
        occurred_at: at(second),
        report,
    }
}

fn with(change: impl FnOnce(&mut HeartbeatReported)) -> Heartbeat {
    let mut heartbeat = heartbeat(0);
    change(&mut heartbeat.report);
    heartbeat
}

fn check(latest: Option<&Heartbeat>, stuck: i64, second: i64, expected: &str) {
    let found = find_conditions(latest, stuck, at(second));
    let seen = format!("{:?} {found:?}", decide_status(&found));
    assert_eq!(seen, expected);
}

#[test]
fn health_follows_the_latest_heartbeat_while_it_is_current() {
    check(None, 0, 0, "Unknown {Silent}");
    check(Some(&heartbeat(0)), 0, 0, "Healthy {}");
    check(Some(&heartbeat(0)), 0, 180, "Healthy {}");
    check(Some(&heartbeat(0)), 0, 181, "Unknown {Silent}");
    check(Some(&heartbeat(181)), 0, 0, "Unknown {Silent}");
    check(Some(&heartbeat(0)), 2, 0, "Degraded {PoliciesStuck}");
    check(None, 2, 0, "Unknown {Silent, PoliciesStuck}");
    check(
        Some(&with(|report| report.outbox_lag_ms = LAG_MS_MAX)),
        0,
        0,
        "Healthy {}",
    );
    check(
        Some(&with(|report| report.outbox_lag_ms = LAG_MS_MAX + 1)),
        0,
        0,
        "Degraded {OutboxLagging}",
    );
    check(
        Some(&with(|report| report.usage_lag_ms = LAG_MS_MAX + 1)),
        0,
        0,
        "Degraded {UsageLagging}",
    );
    let down = |position: usize| {
        with(|report| report.dependencies[position].state = DependencyState::Down)
    };
    check(Some(&down(0)), 0, 0, "Degraded {RegionalTableDown}");
    check(Some(&down(1)), 0, 0, "Degraded {UsageTableDown}");
    check(Some(&down(2)), 0, 0, "Degraded {OutboxTableDown}");
    check(Some(&down(2)), 0, 500, "Unknown {Silent}");
}

/// Applies findings in order, and shows the open incidents with their times.
fn check_incidents(findings: &[(i64, &[Condition])], expected: &str) {
    let incidents = findings
        .iter()
        .fold(Incidents::default(), |current, (second, found)| {
            let found: BTreeSet<Condition> = found.iter().copied().collect();
            decide_incidents(&current, &found, at(*second)).map_or(current, |change| change.after)
        });
    let open: Vec<String> = incidents
        .open
        .iter()
        .map(|(condition, since)| {
            format!("{condition:?}@{}", since.as_second() - at(0).as_second())
        })
        .collect();
    assert_eq!(open.join(" "), expected, "after {findings:?}");
}

#[test]
fn incidents_open_once_and_clear() {
    use Condition::{OutboxLagging, PoliciesStuck, Silent, UsageLagging};
    check_incidents(&[(0, &[])], "");
    check_incidents(
        &[(0, &[OutboxLagging]), (60, &[OutboxLagging])],
        "OutboxLagging@0",
    );
    check_incidents(
        &[(0, &[OutboxLagging]), (60, &[OutboxLagging, UsageLagging])],
        "OutboxLagging@0 UsageLagging@60",
    );
    check_incidents(&[(0, &[OutboxLagging]), (60, &[])], "");
    check_incidents(
        &[(0, &[OutboxLagging]), (60, &[Silent])],
        "Silent@60 OutboxLagging@0",
    );
    check_incidents(&[(0, &[OutboxLagging]), (60, &[Silent]), (120, &[])], "");
    check_incidents(&[(0, &[PoliciesStuck]), (60, &[Silent])], "Silent@60");
    check_incidents(&[(60, &[Silent]), (0, &[])], "Silent@60");
    check_incidents(
        &[(0, &[OutboxLagging]), (60, &[]), (120, &[OutboxLagging])],
        "OutboxLagging@120",
    );
}

proptest! {
    #[test]
    fn a_silent_region_is_never_healthy(age in 181_i64..10_000_000, lag in any::<u64>(), stuck in 0_i64..9) {
        let latest = with(|report| report.outbox_lag_ms = lag);
        let found = find_conditions(Some(&latest), stuck, at(age));
        prop_assert_eq!(decide_status(&found), crate::Status::Unknown);
    }

    #[test]
    fn checking_twice_changes_nothing(lag in any::<u64>(), usage in any::<u64>(), age in 0_i64..400) {
        let latest = with(|report| { report.outbox_lag_ms = lag; report.usage_lag_ms = usage; });
        let found = find_conditions(Some(&latest), 0, at(age));
        if let Some(change) = decide_incidents(&Incidents::default(), &found, at(age)) {
            prop_assert_eq!(decide_incidents(&change.after, &found, at(age)), None);
            prop_assert_eq!(decide_incidents(&change.after, &found, at(age + 60)), None);
        }
    }
}
