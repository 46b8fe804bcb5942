use crate::handler::{Adapters, handle};
use contract::{BusEvent as _, Envelope, UsageWindowUpdated};
use kernel::{Suspension, Timestamp};
use metering::{Segment, batches};
use serde_json::Value;
use tenancy::SignUp;
use tenant_store::Tally;
use tenantkit::{Newcomer, Region};
use testkit::Case;
use usage_store::{FoundSegment, RollupWriter, SegmentWriter, TermsReader, UsageMonitor};

struct World {
    adapters: Adapters,
    region: Region,
    made: SignUp,
    rollups: RollupWriter,
}

/// A region where Ada, the user of the events, is signed up and active.
async fn world() -> World {
    world_of(Newcomer::ada()).await
}

async fn world_of(newcomer: Newcomer) -> World {
    let region = tenantkit::region().await;
    let made = region.activate(&newcomer).await;
    let config = &region.aws.config;
    let (code, table) = (region.code.clone(), region.usage_table.clone());
    World {
        rollups: RollupWriter::new(
            config,
            table.clone(),
            region.outbox.clone(),
            code,
            jiff::SignedDuration::from_hours(72),
            runtime::new_uuid,
        ),
        adapters: Adapters {
            catalogue: region.catalogue.clone(),
            tenants: region.tenants.reader().clone(),
            terms: TermsReader::new(config, region.regional_table.clone()),
            tally: Tally::new(region.tenants.reader().clone()),
            segment_writer: SegmentWriter::new(config, table),
        },
        region,
        made,
    }
}

impl World {
    /// Delivers a batch. Returns the number of failed messages.
    async fn deliver(&self, batch: &Value) -> usize {
        let Ok(response) = handle(
            &self.adapters,
            serde_json::from_value(batch.clone()).unwrap(),
        )
        .await;
        response.batch_item_failures.len()
    }

    /// Rolls up the stored segments. Returns the numbers of counted events and of duplicates.
    async fn rolled_up(&self) -> (u64, u64) {
        let now = runtime::now();
        let markers = self.rollups.backlog(Timestamp::MAX, 100).await.unwrap();
        let found = self.rollups.find(&markers).await.unwrap().into_iter();
        let segments: Vec<Segment> = found.map(|(_, found)| ready(found)).collect();
        for batch in batches(segments) {
            self.rollups
                .roll_up(self.made.tenant.id, &batch, now)
                .await
                .unwrap();
        }
        let monitor = UsageMonitor::new(&self.region.aws.config, self.region.usage_table.clone());
        let counts = monitor.counts().await.unwrap();
        (counts.accepted, counts.duplicates)
    }
}

fn ready(found: FoundSegment) -> Segment {
    match found {
        FoundSegment::Ready(segment) => segment,
        FoundSegment::Malformed(_) | FoundSegment::Absent => panic!("it cannot be rolled up"),
    }
}

fn case(name: &str) -> Value {
    testkit::cases("login-meter")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for Case { name, payload } in testkit::cases("login-meter") {
        let world = world().await;
        let failed = world.deliver(&payload).await;
        let (wanted, counted) = match name.as_str() {
            "valid-two-sign-ins" => (0, (2, 0)),
            "valid-redelivered-in-one-batch" => (0, (2, 2)),
            name if name.starts_with("valid-") => (0, (0, 0)),
            _ => (payload["Records"].as_array().unwrap().len(), (0, 0)),
        };
        assert_eq!(failed, wanted, "{name}");
        assert_eq!(world.rolled_up().await, counted, "{name}");
    }
}

/// The ledger receives the sign-ins of a day like every other window.
#[tokio::test]
async fn sign_ins_count_once_in_the_window_of_their_day() {
    let world = world().await;
    let batch = case("valid-two-sign-ins");
    for _ in 0..3 {
        assert_eq!(world.deliver(&batch).await, 0);
        world.rolled_up().await;
    }
    assert_eq!(world.rolled_up().await, (2, 4));
    let bus_events = world.region.published(UsageWindowUpdated::TYPE).await;
    let [bus_event] = bus_events.as_slice() else {
        panic!("{bus_events:?}")
    };
    let bus_event: Envelope<UsageWindowUpdated> =
        serde_json::from_value(bus_event.clone()).unwrap();
    assert_eq!(bus_event.data.tenant, world.made.tenant.id);
    let [window] = bus_event.data.windows.as_slice() else {
        panic!("{bus_event:?}")
    };
    assert_eq!(
        (
            window.meter.as_str(),
            window.value.to_string().as_str(),
            window.events
        ),
        ("logins", "2", 2)
    );
    assert_eq!(window.start, "2026-11-20T00:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn sign_ins_count_in_the_tenants_own_day() {
    let world = world_of(Newcomer {
        billing_anchor: "10:03",
        ..Newcomer::ada()
    })
    .await;
    assert_eq!(world.deliver(&case("valid-two-sign-ins")).await, 0);
    assert_eq!(world.rolled_up().await, (2, 0));
    let bus_events = world.region.published(UsageWindowUpdated::TYPE).await;
    let windows = bus_events
        .iter()
        .flat_map(|bus_event| bus_event["data"]["windows"].as_array().unwrap());
    let mut starts: Vec<&str> = windows
        .map(|window| window["start"].as_str().unwrap())
        .collect();
    starts.sort_unstable();
    assert_eq!(starts, ["2026-11-19T10:03:00Z", "2026-11-20T10:03:00Z"]);
}

/// Clocks differ: a sign-in before the tenant's first billing period counts at its first moment,
/// and is billed.
#[tokio::test]
async fn a_sign_in_before_the_first_billing_period_counts_in_it() {
    let world = world_of(Newcomer {
        at: "2026-12-01T00:00:00Z".parse().unwrap(),
        ..Newcomer::ada()
    })
    .await;
    assert_eq!(world.deliver(&case("valid-two-sign-ins")).await, 0);
    assert_eq!(world.rolled_up().await, (2, 0));
    let bus_events = world.region.published(UsageWindowUpdated::TYPE).await;
    let windows = bus_events
        .iter()
        .flat_map(|bus_event| bus_event["data"]["windows"].as_array().unwrap());
    let starts: Vec<&str> = windows
        .map(|window| window["start"].as_str().unwrap())
        .collect();
    assert!(
        !starts.is_empty() && starts.iter().all(|start| *start == "2026-12-01T00:00:00Z"),
        "{starts:?}"
    );
}

/// A correct password of a suspended tenant's account yields no token, so there is no sign-in.
#[tokio::test]
async fn a_sign_in_without_a_token_is_not_metered() {
    let world = world().await;
    world
        .region
        .publish(
            world.made.tenant.id,
            "pro",
            Some(Suspension::Dunning),
            Newcomer::ada().at,
        )
        .await;
    assert_eq!(world.deliver(&case("valid-two-sign-ins")).await, 0);
    assert_eq!(world.rolled_up().await, (0, 0));
}

#[tokio::test]
async fn a_sign_in_that_is_not_stored_is_redelivered() {
    let world = world().await;
    let config = &world.region.aws.config;
    let segment_writer = SegmentWriter::new(config, "no-such-table".to_owned());
    let Ok(response) = handle(
        &Adapters {
            segment_writer,
            catalogue: world.region.catalogue.clone(),
            tenants: world.region.tenants.reader().clone(),
            terms: TermsReader::new(config, world.region.regional_table.clone()),
            tally: Tally::new(world.region.tenants.reader().clone()),
        },
        serde_json::from_value(case("valid-two-sign-ins")).unwrap(),
    )
    .await;
    assert_eq!(response.batch_item_failures.len(), 2);
}

/// A batch of sign-ins: account, client, time.
fn sign_ins(logins: &[(&str, &str, &str)]) -> Value {
    let mut batch = case("valid-two-sign-ins");
    let record = batch["Records"][0].clone();
    let records = logins.iter().enumerate().map(|(n, (account, client, at))| {
        let mut record = record.clone();
        let at = format!("2026-11-20T{at}Z");
        record["messageId"] = serde_json::json!(format!("message-{n}-{at}"));
        let body = serde_json::json!({ "account": account, "client": client, "at": at });
        record["body"] = serde_json::json!(body.to_string());
        record
    });
    batch["Records"] = records.collect();
    batch
}

/// Cognito calls a trigger up to three times when it does not answer within five seconds. The
/// messages arrive in any order.
#[tokio::test]
async fn repeated_trigger_calls_count_as_one_sign_in() {
    let world = world().await;
    let ada = world.made.user.username.to_string();
    let (page, app) = ("1example23456789", "2example23456789");
    let retried = [
        (&*ada, page, "10:00:10.5"),
        (&*ada, page, "10:00:00.7"),
        (&*ada, page, "10:00:05.9"),
    ];
    for _ in 0..2 {
        assert_eq!(world.deliver(&sign_ins(&retried)).await, 0);
    }
    assert_eq!(world.rolled_up().await, (1, 5));
    let others = [
        (&*ada, app, "10:00:05"),
        (&*ada, page, "10:00:25.5"),
        (&*ada, page, "10:01:00"),
        (&*ada, page, "09:59:00"),
    ];
    assert_eq!(world.deliver(&sign_ins(&others)).await, 0);
    assert_eq!(
        world.rolled_up().await,
        (5, 5),
        "another client, and later than a trigger is called again"
    );
}
