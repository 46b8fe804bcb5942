use crate::handler::handle;
use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::{Envelope, EventCounts, UsageWindowUpdated};
use jiff::SignedDuration;
use kernel::Timestamp;
use outbox::Outbox;
use runtime::{Failure, Trigger};
use serde_json::{Value, json};
use std::collections::HashMap;
use usage_store::{RollupWriter, UsageMonitor};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
const OTHER_TENANT: &str = "0199a1f0-0000-7000-8000-000000000002";
/// The time at which the segments of the cases were made.
const MADE_AT: &str = "2026-11-03T10:00:00Z";

const SEAL_AFTER: SignedDuration = SignedDuration::from_hours(72);

struct World {
    client: Client,
    table: String,
    outbox: Outbox,
    rollups: RollupWriter,
    monitor: UsageMonitor,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let region = "eu-central-1".parse().unwrap();
    World {
        client: Client::new(&aws.config),
        rollups: RollupWriter::new(
            &aws.config,
            table.clone(),
            outbox.clone(),
            region,
            SEAL_AFTER,
            runtime::new_uuid,
        ),
        monitor: UsageMonitor::new(&aws.config, table.clone()),
        table,
        outbox,
    }
}

fn after(duration: SignedDuration) -> Timestamp {
    MADE_AT.parse::<Timestamp>().unwrap() + duration
}

fn case(name: &str) -> Value {
    testkit::cases("usage-rollup")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

impl World {
    /// Stores the inserted segments of a case with their pending markers, as `usage-ingest` does.
    async fn store(&self, payload: &Value) {
        let Ok(event) = serde_json::from_value::<Event>(payload.clone()) else {
            return;
        };
        for record in event.records {
            let image: HashMap<String, AttributeValue> = record.change.new_image.into();
            let partition = image
                .get("pk")
                .and_then(|pk| pk.as_s().ok())
                .cloned()
                .unwrap_or_default();
            let Some((tenant, _)) = partition
                .strip_prefix("SEGMENT#")
                .and_then(|rest| rest.split_once('#'))
            else {
                continue;
            };
            self.point(image["sk"].as_s().unwrap(), tenant).await;
            self.put(image).await;
        }
    }

    async fn point(&self, segment: &str, tenant: &str) {
        let last = u8::from_str_radix(&segment[segment.len() - 2..], 16).unwrap();
        let key = format!("PENDING#{}", last % 8);
        let marker = [
            ("pk", text(&key)),
            ("sk", text(segment)),
            ("tenant", text(tenant)),
        ];
        self.put(marker.map(|(name, value)| (name.to_owned(), value)).into())
            .await;
    }

    async fn put(&self, item: HashMap<String, AttributeValue>) {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }

    async fn handle(&self, payload: &Value, now: Timestamp) -> Result<(), Failure> {
        let trigger: Trigger<Event> = serde_json::from_value(payload.clone()).unwrap();
        handle(&self.rollups, trigger, now).await
    }

    async fn counts(&self) -> (EventCounts, u64) {
        (
            self.monitor.counts().await.unwrap(),
            self.monitor.backlog().await.unwrap().pending,
        )
    }

    async fn bus_events(&self) -> Vec<Envelope<UsageWindowUpdated>> {
        let rows = self.outbox.unpublished(Timestamp::MAX, 100).await.unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(&row.detail).unwrap())
            .collect()
    }
}

fn counts(accepted: u64, duplicates: u64, conflicts: u64) -> EventCounts {
    EventCounts {
        accepted,
        duplicates,
        conflicts,
        ..EventCounts::default()
    }
}

#[tokio::test]
async fn every_case_has_its_expected_counts() {
    for case in testkit::cases("usage-rollup") {
        let world = world().await;
        if case.name == "invalid-not-a-schedule" {
            assert!(serde_json::from_value::<Trigger<Event>>(case.payload).is_err());
            continue;
        }
        world.store(&case.payload).await;
        if case.name == "invalid-not-rolled-up" {
            let checkpoint = [
                ("pk", text(&format!("TENANT#{OTHER_TENANT}"))),
                ("sk", text("CHECKPOINT")),
            ];
            world
                .put(
                    checkpoint
                        .map(|(name, value)| (name.to_owned(), value))
                        .into(),
                )
                .await;
        }
        let outcome = world
            .handle(&case.payload, after(SignedDuration::from_secs(1)))
            .await;
        let kind = outcome.as_ref().err().map(Failure::kind);
        let (expected_kind, expected) = match case.name.as_str() {
            "valid-segments" => (None, (counts(4, 1, 1), 0)),
            "valid-redelivered-in-one-batch" => (None, (counts(2, 0, 0), 0)),
            "valid-other-records" | "valid-schedule" => (None, (counts(0, 0, 0), 0)),
            "valid-malformed-segment-between-others" => (None, (counts(3, 0, 0), 1)),
            "invalid-not-rolled-up" => (Some("usage-not-rolled-up"), (counts(2, 0, 0), 1)),
            other => (Some(other), (counts(0, 0, 0), 0)),
        };
        assert_eq!(kind, expected_kind, "{}", case.name);
        assert_eq!(
            case.is_valid(),
            kind.is_none(),
            "{} is expected as it is named",
            case.name
        );
        assert_eq!(world.counts().await, expected, "{}", case.name);
    }
}

#[tokio::test]
async fn a_window_is_published_once_per_change_and_never_for_a_redelivery() {
    let world = world().await;
    let payload = case("valid-segments");
    world.store(&payload).await;
    for _ in 0..3 {
        world
            .handle(&payload, after(SignedDuration::from_secs(1)))
            .await
            .unwrap();
    }
    let bus_events = world.bus_events().await;
    assert_eq!(
        bus_events.len(),
        2,
        "one per tenant, two segments of one of them at once"
    );
    let bus_event = bus_events
        .iter()
        .find(|bus_event| bus_event.data.tenant.to_string() == TENANT)
        .unwrap();
    assert_eq!(
        (bus_event.sequence, bus_event.region.to_string().as_str()),
        (1, "eu-central-1")
    );
    let windows: Vec<_> = bus_event
        .data
        .windows
        .iter()
        .map(|window| {
            (
                window.meter.as_str(),
                window.value.to_string(),
                window.events,
            )
        })
        .collect();
    assert_eq!(
        windows,
        [
            ("api-calls", "2".to_owned(), 2),
            ("transfer-gb", "1.25".to_owned(), 1)
        ]
    );
}

#[tokio::test]
async fn the_poll_rolls_up_segments_that_the_stream_lost() {
    let world = world().await;
    world.store(&case("valid-segments")).await;
    let schedule = case("valid-schedule");
    world
        .handle(&schedule, after(SignedDuration::from_secs(59)))
        .await
        .unwrap();
    assert_eq!(
        world.counts().await,
        (counts(0, 0, 0), 3),
        "the stream has a minute"
    );
    world
        .handle(&schedule, after(SignedDuration::from_secs(61)))
        .await
        .unwrap();
    assert_eq!(world.counts().await, (counts(4, 1, 1), 0));
    world
        .handle(
            &case("valid-segments"),
            after(SignedDuration::from_secs(62)),
        )
        .await
        .unwrap();
    assert_eq!(
        world.counts().await,
        (counts(4, 1, 1), 0),
        "a record that comes after all changes nothing"
    );
}

#[tokio::test]
async fn a_malformed_segment_stays_pending_and_fails_every_poll() {
    let world = world().await;
    let payload = case("valid-malformed-segment-between-others");
    world.store(&payload).await;
    for _ in 0..2 {
        let polled = world
            .handle(
                &case("valid-schedule"),
                after(SignedDuration::from_mins(20)),
            )
            .await;
        assert_eq!(polled.unwrap_err().kind(), "segment-not-rolled-up");
        assert_eq!(
            world.counts().await,
            (counts(3, 0, 0), 1),
            "the others are rolled up, and it is not lost"
        );
    }
}

#[tokio::test]
async fn a_pending_marker_without_a_segment_is_removed_after_its_maximum_age() {
    let world = world().await;
    let segment = case("valid-segments")["Records"][0]["dynamodb"]["Keys"]["sk"]["S"].clone();
    world.point(segment.as_str().unwrap(), TENANT).await;
    let schedule = case("valid-schedule");
    world
        .handle(&schedule, after(SignedDuration::from_secs(80)))
        .await
        .unwrap();
    assert_eq!(world.counts().await.1, 1);
    world
        .handle(&schedule, after(SignedDuration::from_secs(100)))
        .await
        .unwrap();
    assert_eq!(world.counts().await.1, 0);
}

#[tokio::test]
async fn two_functions_with_the_same_records_roll_them_up_once() {
    let world = world().await;
    let mut payload = case("valid-segments");
    world.store(&payload).await;
    let other = {
        let mut records = payload["Records"].as_array().unwrap().clone();
        records.reverse();
        json!({ "Records": records })
    };
    payload["Records"].as_array_mut().unwrap().truncate(2);
    let now = after(SignedDuration::from_secs(1));
    let (one, two) = tokio::join!(world.handle(&payload, now), world.handle(&other, now));
    assert!(one.is_ok() && two.is_ok());
    let (counted, waiting) = world.counts().await;
    assert_eq!(
        (
            counted.accepted,
            counted.duplicates + counted.conflicts,
            waiting
        ),
        (4, 2, 0)
    );
}
