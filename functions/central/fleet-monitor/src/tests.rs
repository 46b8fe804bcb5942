use crate::handler::{Adapters, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use catalogue::Catalogue;
use central_store::{CentralStore, RegionRecord};
use contract::{Envelope, Stream, TenantPolicyApplied, TenantStatusChanged};
use fleet::{Condition, Publication, decide_acknowledgement, decide_published_status};
use kernel::{RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use outbox::Outbox;
use runtime::Trigger;
use serde_json::{Value, json};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
const EVENT: &str = "0199a1f0-0000-7000-8000-ffff00000001";

async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    Adapters {
        store: CentralStore::new(&aws.config, testkit::table(&aws, false).await),
        outbox: Outbox::new(&aws.config, testkit::table(&aws, false).await),
    }
}

fn case(name: &str) -> Value {
    let cases = testkit::cases("fleet-monitor");
    cases
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

/// Runs a payload as Lambda would, and returns how many messages are to be delivered again.
async fn run(adapters: &Adapters, payload: Value) -> usize {
    let event: Trigger<SqsEvent> = serde_json::from_value(payload).unwrap();
    handle(adapters, event)
        .await
        .unwrap()
        .batch_item_failures
        .len()
}

async fn tick(adapters: &Adapters, time: &str) {
    let mut schedule = case("valid-schedule");
    schedule["time"] = json!(time);
    assert_eq!(run(adapters, schedule).await, 0);
}

fn eu() -> RegionCode {
    "eu-central-1".parse().unwrap()
}

async fn region(adapters: &Adapters) -> RegionRecord {
    adapters.store.load_region(eu()).await.unwrap()
}

async fn open(adapters: &Adapters) -> Vec<(Condition, String)> {
    let incidents = region(adapters).await.incidents;
    incidents
        .open
        .iter()
        .map(|(condition, since)| (*condition, since.to_string()))
        .collect()
}

/// A tenant whose policy was decided at a given time and is not applied.
async fn seed_tenant(adapters: &Adapters, now: Timestamp) {
    let tenant: TenantId = TENANT.parse().unwrap();
    let published = Envelope {
        id: EVENT.parse().unwrap(),
        region: eu(),
        stream: Stream::Tenant(tenant),
        sequence: 1,
        occurred_at: now,
        data: TenantStatusChanged {
            tenant,
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "pro".parse().unwrap(),
            status: TenantStatus::Active,
            reason: StatusReason::Confirmed,
            revision: 1,
        },
    };
    let catalogue = Catalogue::bundled().unwrap();
    let publication = Publication {
        event: published.id,
        now,
    };
    let decide = |current: Option<&fleet::Tenant>| {
        decide_published_status(current, &published, &catalogue, publication)
    };
    assert!(
        adapters
            .store
            .update_tenant(&adapters.outbox, tenant, decide)
            .await
            .unwrap()
    );
}

async fn acknowledge(adapters: &Adapters) {
    let tenant: TenantId = TENANT.parse().unwrap();
    let acknowledged = Envelope {
        id: EVENT.parse().unwrap(),
        region: eu(),
        stream: Stream::Tenant(tenant),
        sequence: 1,
        occurred_at: Timestamp::UNIX_EPOCH,
        data: TenantPolicyApplied { tenant, version: 1 },
    };
    let decide = |current: Option<&fleet::Tenant>| decide_acknowledgement(current, &acknowledged);
    assert!(
        adapters
            .store
            .update_tenant(&adapters.outbox, tenant, decide)
            .await
            .unwrap()
    );
}

async fn sendings(adapters: &Adapters) -> Vec<String> {
    let rows = adapters
        .outbox
        .unpublished(Timestamp::MAX, 100)
        .await
        .unwrap();
    rows.iter().map(|row| row.occurred_at.to_string()).collect()
}

#[tokio::test]
async fn every_case_is_processed_or_refused_without_affecting_the_batch() {
    for case in testkit::cases("fleet-monitor") {
        let adapters = adapters().await;
        let Ok(event) = serde_json::from_value::<Trigger<SqsEvent>>(case.payload.clone()) else {
            assert_eq!(case.name, "invalid-not-a-schedule");
            continue;
        };
        let response = handle(&adapters, event).await.unwrap();
        let failed: Vec<_> = response
            .batch_item_failures
            .iter()
            .map(|failure| &failure.item_identifier)
            .collect();
        if case.is_valid() {
            assert!(failed.is_empty(), "{}", case.name);
        } else {
            assert_eq!(
                json!(failed),
                json!([case.payload["Records"][1]["messageId"]]),
                "{}",
                case.name
            );
            assert_eq!(
                region(&adapters).await.heartbeat.unwrap().sequence,
                41,
                "{}",
                case.name
            );
        }
    }
}

#[tokio::test]
async fn the_latest_heartbeat_and_total_win_in_any_order() {
    let adapters = adapters().await;
    for name in [
        "valid-duplicate-and-reordered",
        "valid-heartbeats",
        "valid-billing-total",
        "valid-billing-total",
    ] {
        assert_eq!(run(&adapters, case(name)).await, 0);
    }
    assert_eq!(region(&adapters).await.heartbeat.unwrap().sequence, 42);
    let fleet = adapters.store.load_fleet().await.unwrap();
    let regions: Vec<&str> = fleet.iter().map(|record| record.region.as_str()).collect();
    assert_eq!(regions, ["ap-south-1", "eu-central-1", "us-east-1"]);
    assert_eq!(fleet[0].billing.len(), 1);
    assert_eq!(fleet[0].billing[0].total.invoices, 6);
}

#[tokio::test]
async fn the_latest_description_of_a_region_wins() {
    let adapters = adapters().await;
    for _ in 0..2 {
        assert_eq!(run(&adapters, case("valid-described")).await, 0);
    }
    let fleet = adapters.store.load_fleet().await.unwrap();
    let content = |record: &RegionRecord| {
        let description = record.description.clone().unwrap();
        (
            description.sequence,
            description.described.accepts_new_tenants,
            description.described.capacity_tenants,
        )
    };
    assert_eq!(
        fleet.iter().map(content).collect::<Vec<_>>(),
        [(41, true, Some(1000)), (8, false, None)]
    );
}

#[tokio::test]
async fn silence_opens_an_incident_and_the_next_heartbeat_clears_it() {
    let adapters = adapters().await;
    run(&adapters, case("valid-heartbeats")).await;
    tick(&adapters, "2026-11-03T10:03:00Z").await;
    assert_eq!(open(&adapters).await, []);
    tick(&adapters, "2026-11-03T10:04:00Z").await;
    tick(&adapters, "2026-11-03T10:05:00Z").await;
    tick(&adapters, "2026-11-03T10:04:00Z").await;
    assert_eq!(
        open(&adapters).await,
        [(Condition::Silent, "2026-11-03T10:04:00Z".to_owned())]
    );
    // A delayed schedule event does not undo what a later one found.
    tick(&adapters, "2026-11-03T10:02:00Z").await;
    assert_eq!(open(&adapters).await.len(), 1);
    let late = case("valid-heartbeats").to_string();
    let late = late
        .replace("2026-11-03T10:00:00Z", "2026-11-03T10:05:30Z")
        .replace(r#"\"sequence\": 41"#, r#"\"sequence\": 43"#);
    run(&adapters, serde_json::from_str(&late).unwrap()).await;
    tick(&adapters, "2026-11-03T10:06:00Z").await;
    assert_eq!(open(&adapters).await, []);
}

#[tokio::test]
async fn an_unapplied_policy_is_sent_again_until_it_is_applied() {
    let adapters = adapters().await;
    seed_tenant(&adapters, "2026-11-03T10:00:00Z".parse().unwrap()).await;
    for minute in ["01", "02", "02", "03", "05", "06", "07"] {
        tick(&adapters, &format!("2026-11-03T10:{minute}:00Z")).await;
    }
    let expected = [
        "2026-11-03T10:00:00Z",
        "2026-11-03T10:02:00Z",
        "2026-11-03T10:06:00Z",
    ];
    assert_eq!(sendings(&adapters).await, expected);
    for time in [
        "2026-11-03T12:00:00Z",
        "2026-11-03T13:00:00Z",
        "2026-11-03T14:00:00Z",
        "2026-11-03T14:01:00Z",
    ] {
        tick(&adapters, time).await;
    }
    assert_eq!(region(&adapters).await.counts.stuck, 1);
    assert!(
        open(&adapters)
            .await
            .iter()
            .any(|(condition, _)| *condition == Condition::PoliciesStuck)
    );
    acknowledge(&adapters).await;
    tick(&adapters, "2026-11-03T18:00:00Z").await;
    assert_eq!(sendings(&adapters).await.len(), 6);
    assert!(
        open(&adapters)
            .await
            .iter()
            .all(|(condition, _)| *condition != Condition::PoliciesStuck)
    );
}

#[tokio::test]
async fn a_run_that_could_not_send_leaves_the_policy_due() {
    let adapters = adapters().await;
    seed_tenant(&adapters, "2026-11-03T10:00:00Z".parse().unwrap()).await;
    let aws = testkit::aws().await;
    let broken = Adapters {
        store: adapters.store.clone(),
        outbox: Outbox::new(&aws.config, "no-such-table".to_owned()),
    };
    let mut schedule = case("valid-schedule");
    schedule["time"] = json!("2026-11-03T10:10:00Z");
    let failure = handle(&broken, serde_json::from_value(schedule.clone()).unwrap())
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), "FleetNotChecked");
    assert_eq!(sendings(&adapters).await.len(), 1);
    run(&adapters, schedule).await;
    assert_eq!(sendings(&adapters).await.len(), 2);
}
