use crate::adapters::Adapters;
use crate::describe::{Capacity, Place, is_due};
use crate::handler::handle;
use crate::measure::{Gauges, Measured};
use crate::report::DisclosureThreshold;
use crate::store::{HeartbeatStore, LastHeartbeat};
use contract::{
    BusEvent, DependencyState, Envelope, EventCounts, HeartbeatReported, RegionDescribed,
    TenantCounts,
};
use kernel::{Mode, Timestamp};
use outbox::{Backlog, Outbox, Target};
use runtime::Scheduled;
use serde_json::{Value, json};
use usage_store::UsageBacklog;

const NOWHERE: &str = "no-such-table";

struct Fixture {
    adapters: Adapters,
    outbox: Outbox,
}

/// A region of which each table exists or is missing.
async fn fixture(has_regional: bool, has_usage: bool, has_outbox: bool) -> Fixture {
    let aws = testkit::aws().await;
    let table = async |exists: bool| {
        if exists {
            testkit::table(&aws, false).await
        } else {
            NOWHERE.to_owned()
        }
    };
    let (regional, usage, outbox) = (
        table(has_regional).await,
        table(has_usage).await,
        table(has_outbox).await,
    );
    let adapters = Adapters {
        store: HeartbeatStore::new(&aws.config, outbox.clone()),
        gauges: Gauges::new(&aws.config, regional, usage, outbox.clone()),
        disclosure: DisclosureThreshold {
            mode: Mode::Regional,
            tenants_min: 5,
        },
        region: "eu-central-1".parse().unwrap(),
        description: description(),
    };
    Fixture {
        adapters,
        outbox: Outbox::new(&aws.config, outbox),
    }
}

fn description() -> RegionDescribed {
    RegionDescribed {
        name: "Europe (Frankfurt)".parse().unwrap(),
        jurisdiction: "eu".parse().unwrap(),
        mode: Mode::Regional,
        signup_url: "https://api.eu.example.com".parse().unwrap(),
        accepts_new_tenants: true,
        capacity_tenants: Some(500),
        location: Some("50.11,8.68".parse().unwrap()),
    }
}

fn schedule(time: &str) -> Scheduled {
    let cases = testkit::cases("heartbeat");
    let mut payload = cases
        .into_iter()
        .find(|case| case.name == "valid-schedule")
        .unwrap()
        .payload;
    payload["time"] = json!(time);
    serde_json::from_value(payload).unwrap()
}

impl Fixture {
    async fn published(&self) -> Vec<Envelope<HeartbeatReported>> {
        self.events().await
    }

    async fn described(&self) -> Vec<Envelope<RegionDescribed>> {
        self.events().await
    }

    async fn events<T: BusEvent>(&self) -> Vec<Envelope<T>> {
        let rows = self.outbox.unpublished(Timestamp::MAX, 100).await.unwrap();
        assert!(rows.iter().all(|row| row.target == Target::Regional));
        let rows = rows.iter().filter(|row| row.detail_type == T::TYPE);
        let mut published: Vec<Envelope<T>> = rows
            .map(|row| serde_json::from_str(&row.detail).unwrap())
            .collect();
        published.sort_by_key(|event| event.sequence);
        published
    }
}

fn states(heartbeat: &HeartbeatReported) -> [DependencyState; 3] {
    let states: Vec<_> = heartbeat
        .dependencies
        .iter()
        .map(|health| health.state)
        .collect();
    states.try_into().unwrap()
}

#[tokio::test]
async fn every_case_is_a_heartbeat_or_is_refused() {
    for case in testkit::cases("heartbeat") {
        let event = serde_json::from_value::<Scheduled>(case.payload.clone());
        assert_eq!(event.is_ok(), case.is_valid(), "{}", case.name);
        let Ok(event) = event else { continue };
        let fixture = fixture(true, true, true).await;
        handle(&fixture.adapters, event.clone()).await.unwrap();
        // A scheduled event that is delivered twice is one heartbeat.
        handle(&fixture.adapters, event.clone()).await.unwrap();
        let [heartbeat]: [_; 1] = fixture.published().await.try_into().unwrap();
        assert_eq!((heartbeat.sequence, heartbeat.occurred_at), (1, event.time));
        assert_eq!(states(&heartbeat.data), [DependencyState::Up; 3]);
        assert_eq!(heartbeat.data.tenants, Some(TenantCounts::default()));
        assert_eq!(heartbeat.data.events, Some(EventCounts::default()));
        assert_eq!(
            (heartbeat.data.outbox_waiting, heartbeat.data.usage_waiting),
            (0, 0)
        );
    }
}

#[tokio::test]
async fn concurrent_heartbeats_are_numbered_without_gaps() {
    let fixture = fixture(true, true, true).await;
    let adapters = &fixture.adapters;
    for minute in 10..14 {
        let (one, other) = (
            format!("2026-11-03T10:{minute}:00Z"),
            format!("2026-11-03T10:{minute}:30Z"),
        );
        let (one, other) = tokio::join!(
            handle(adapters, schedule(&one)),
            handle(adapters, schedule(&other))
        );
        one.and(other).unwrap();
    }
    let published = fixture.published().await;
    let numbers: Vec<u64> = published
        .iter()
        .map(|heartbeat| heartbeat.sequence)
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(numbers.len() >= 4);
    // The outbox has the earlier heartbeats.
    let last = published.last().unwrap();
    assert!(
        last.data.outbox_waiting >= 3 && last.data.outbox_lag_ms >= 120_000,
        "{last:?}"
    );
}

#[tokio::test]
async fn the_description_is_published_with_the_first_heartbeat_and_when_it_changed() {
    let mut fixture = fixture(true, true, true).await;
    for minute in 10..13 {
        handle(
            &fixture.adapters,
            schedule(&format!("2026-11-03T10:{minute}:00Z")),
        )
        .await
        .unwrap();
    }
    fixture.adapters.description.accepts_new_tenants = false;
    for minute in 13..16 {
        handle(
            &fixture.adapters,
            schedule(&format!("2026-11-03T10:{minute}:00Z")),
        )
        .await
        .unwrap();
    }
    assert_eq!(fixture.published().await.len(), 6);
    let described = fixture.described().await;
    let said = described
        .iter()
        .map(|said| (said.sequence, said.data.accepts_new_tenants));
    assert_eq!(said.collect::<Vec<_>>(), [(1, true), (4, false)]);
    assert_eq!(described[0].data, description());
    assert_eq!(
        described[0].occurred_at,
        "2026-11-03T10:10:00Z".parse().unwrap()
    );
}

#[test]
fn an_unchanged_description_is_published_once_an_hour() {
    let last = |sequence, described| LastHeartbeat {
        sequence,
        reported_at: None,
        described,
    };
    let other = RegionDescribed {
        location: None,
        ..description()
    };
    for (last, expected) in [
        (LastHeartbeat::default(), true),
        (last(1, Some(description())), false),
        (last(1, Some(other)), true),
        (last(1, None), true),
        (last(58, Some(description())), false),
        (last(59, Some(description())), true),
        (last(60, Some(description())), false),
        (last(119, Some(description())), true),
    ] {
        assert_eq!(is_due(&last, &description()), expected, "{last:?}");
    }
}

#[test]
fn empty_settings_mean_no_value() {
    for (text, expected) in [
        ("", Some(None)),
        ("0", Some(None)),
        ("12", Some(Some(12))),
        ("-1", None),
        ("many", None),
    ] {
        assert_eq!(
            text.parse::<Capacity>().ok().map(|capacity| capacity.0),
            expected,
            "{text}"
        );
    }
    let frankfurt = description().location;
    for (text, expected) in [
        ("", Some(None)),
        ("50.11,8.68", Some(frankfurt)),
        ("91,0", None),
        ("here", None),
    ] {
        assert_eq!(
            text.parse::<Place>().ok().map(|place| place.0),
            expected,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_reported_down_without_a_failure() {
    use DependencyState::{Down, Up};
    for (has_regional, has_usage, expected) in [
        (false, true, [Down, Up, Up]),
        (true, false, [Up, Down, Up]),
        (false, false, [Down, Down, Up]),
    ] {
        let fixture = fixture(has_regional, has_usage, true).await;
        handle(&fixture.adapters, schedule("2026-11-03T10:01:00Z"))
            .await
            .unwrap();
        let [heartbeat]: [_; 1] = fixture.published().await.try_into().unwrap();
        assert_eq!(states(&heartbeat.data), expected);
        assert_eq!(
            (
                heartbeat.data.tenants.is_some(),
                heartbeat.data.events.is_some()
            ),
            (has_regional, has_usage)
        );
    }
}

#[tokio::test]
async fn without_the_outbox_there_is_no_heartbeat() {
    let fixture = fixture(true, true, false).await;
    let failure = handle(&fixture.adapters, schedule("2026-11-03T10:01:00Z"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), "HeartbeatNotPublished");
}

/// Checks whether a region reports its counts of tenants and of events.
fn check(mode: Mode, active: Option<u64>, expected: (bool, bool)) {
    let measured = Measured {
        tenants: active.map(|active| TenantCounts {
            pending: 90,
            active,
            other: 90,
        }),
        events: Some(EventCounts::default()),
        ..Measured::default()
    };
    let report = DisclosureThreshold {
        mode,
        tenants_min: 5,
    }
    .report(&measured, Timestamp::UNIX_EPOCH);
    assert_eq!(
        (report.tenants.is_some(), report.events.is_some()),
        expected,
        "{mode} {active:?}"
    );
}

#[test]
fn a_sovereign_region_with_few_tenants_reports_no_counts() {
    check(Mode::Sovereign, Some(5), (true, true));
    check(Mode::Sovereign, Some(4), (false, false));
    check(Mode::Sovereign, Some(0), (false, false));
    check(Mode::Sovereign, None, (false, false));
    check(Mode::Regional, Some(0), (true, true));
    check(Mode::Regional, None, (false, true));
    check(Mode::Shared, Some(1), (true, true));
}

#[test]
fn lag_is_the_age_of_the_oldest_and_never_below_zero() {
    let oldest = Timestamp::from_second(100).unwrap();
    let measured = Measured {
        outbox: Some(Backlog {
            waiting: 3,
            oldest: Some(oldest),
        }),
        usage: Some(UsageBacklog {
            pending: 2,
            oldest: Some(oldest),
        }),
        ..Measured::default()
    };
    let disclosure = DisclosureThreshold {
        mode: Mode::Shared,
        tenants_min: 5,
    };
    for (second, lag_ms) in [(107, 7_000), (100, 0), (99, 0)] {
        let report = disclosure.report(&measured, Timestamp::from_second(second).unwrap());
        assert_eq!(
            (report.outbox_lag_ms, report.usage_lag_ms),
            (lag_ms, lag_ms)
        );
    }
    let told: Value = serde_json::to_value(disclosure.report(&measured, oldest)).unwrap();
    assert_eq!(
        (&told["outbox_waiting"], &told["usage_waiting"]),
        (&json!(3), &json!(2))
    );
}
