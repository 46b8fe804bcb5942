use crate::handler::{Adapters, handle};
use catalogue::Catalogue;
use contract::{
    BusEvent, Envelope, SealDigest, UsageSealed, UsageStreamEndReported, UsageWindowUpdated,
};
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, TenantId, Timestamp, WindowSize};
use metering::{Usage, batches, group};
use outbox::{Outbox, Row};
use serde_json::Value;
use usage_store::{RollupWriter, SegmentWriter};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
/// A moment of the day that the cases request.
const USED_AT: &str = "2026-10-05T09:00:00Z";

struct World {
    adapters: Adapters,
    segment_writer: SegmentWriter,
    outbox: Outbox,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let region: kernel::RegionCode = "eu-central-1".parse().unwrap();
    let (seal_after, segment_writer) = (
        SignedDuration::from_hours(72),
        SegmentWriter::new(&aws.config, table.clone()),
    );
    let rollups = RollupWriter::new(
        &aws.config,
        table,
        outbox.clone(),
        region.clone(),
        seal_after,
        runtime::new_uuid,
    );
    World {
        adapters: Adapters { region, rollups },
        segment_writer,
        outbox,
    }
}

fn case(name: &str) -> Value {
    testkit::cases("usage-resend")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

impl World {
    /// Stores two events of the day, and rolls them up.
    async fn use_something(&self) {
        let catalogue = Catalogue::bundled().unwrap();
        let meter = catalogue
            .meters
            .iter()
            .find(|meter| meter.code.as_str() == "api-calls")
            .unwrap();
        let (tenant, at): (TenantId, Timestamp) =
            (TENANT.parse().unwrap(), USED_AT.parse().unwrap());
        let usage = ["a", "b"].map(|id| Usage::counted(meter, tenant, "source", id, at));
        let new_id = || SegmentId::from_uuid(runtime::new_uuid());
        let segments = group(usage, |_| BillingAnchor::default(), new_id);
        self.segment_writer
            .store(&segments, runtime::now())
            .await
            .unwrap();
        for batch in batches(segments) {
            self.adapters
                .rollups
                .roll_up(tenant, &batch, runtime::now())
                .await
                .unwrap();
        }
    }

    /// Seals the day, but not the period.
    async fn seal(&self) {
        let later = runtime::now() + SignedDuration::from_hours(72 * 24);
        let day = WindowSize::Day.start(USED_AT.parse().unwrap(), BillingAnchor::default());
        let due = self.adapters.rollups.due_seals(later, 100).await.unwrap();
        for due in due.into_iter().filter(|due| due.day == day) {
            self.adapters
                .rollups
                .seal(&due, runtime::now())
                .await
                .unwrap();
        }
    }

    /// Delivers a batch. Returns the ids of the failed messages.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        let Ok(response) = handle(
            &self.adapters,
            serde_json::from_value(batch.clone()).unwrap(),
        )
        .await;
        response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect()
    }

    /// The published rows, in the order of their sequence numbers.
    async fn published(&self) -> Vec<(u64, Row)> {
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, 1_000)
            .await
            .unwrap();
        let number = |row: &Row| {
            serde_json::from_str::<Value>(&row.detail).unwrap()["sequence"]
                .as_u64()
                .unwrap()
        };
        let mut published: Vec<(u64, Row)> =
            rows.into_iter().map(|row| (number(&row), row)).collect();
        published.sort_by_key(|(number, _)| *number);
        published
    }
}

#[tokio::test]
async fn only_requests_for_the_region_are_answered() {
    for case in testkit::cases("usage-resend") {
        let world = world().await;
        world.use_something().await;
        world.seal().await;
        let before = world.published().await.len();
        let failed = world.deliver(&case.payload).await;
        let added = world.published().await.len() - before;
        let requests = case.payload["Records"].as_array().unwrap();
        if !case.is_valid() {
            assert_eq!(
                failed,
                [requests[0]["messageId"].as_str().unwrap()],
                "{}",
                case.name
            );
            assert_eq!(added, 0, "{}", case.name);
            continue;
        }
        assert!(failed.is_empty(), "{}", case.name);
        let asked = requests
            .iter()
            .filter(|request| request["body"].as_str().unwrap().contains("2026-10-05"));
        let of_end = |request: &&Value| {
            let body = request["body"].as_str().unwrap();
            body.contains("UsageStreamRequested") && body.contains(TENANT)
        };
        let ends = requests.iter().filter(of_end).count();
        assert_eq!(
            added,
            2 * asked.count() + ends,
            "{}: totals and seal of a day, or an end",
            case.name
        );
    }
}

#[tokio::test]
async fn totals_and_seal_are_republished_unchanged_under_new_numbers() {
    let world = world().await;
    world.use_something().await;
    world.seal().await;
    assert!(world.deliver(&case("valid-one-day")).await.is_empty());
    let published = world.published().await;
    let numbers: Vec<u64> = published.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let totals = |n: usize| {
        serde_json::from_str::<Envelope<UsageWindowUpdated>>(&published[n].1.detail)
            .unwrap()
            .data
    };
    let seal = |n: usize| {
        serde_json::from_str::<Envelope<UsageSealed>>(&published[n].1.detail)
            .unwrap()
            .data
    };
    assert_eq!(totals(0).windows, totals(2).windows);
    assert_eq!(seal(1), seal(3));
    assert_eq!(SealDigest::of(&totals(2).windows), seal(3).digest);
}

#[tokio::test]
async fn a_day_that_is_not_sealed_is_not_published_again() {
    let world = world().await;
    world.use_something().await;
    assert!(world.deliver(&case("valid-one-day")).await.is_empty());
    assert_eq!(
        world.published().await.len(),
        1,
        "as it was when it changed, and no more"
    );
}

#[tokio::test]
async fn the_end_of_a_tenants_stream_is_published_after_all_else() {
    let world = world().await;
    assert!(world.deliver(&case("valid-end")).await.is_empty());
    assert_eq!(world.published().await.len(), 0, "nothing was used");
    world.use_something().await;
    assert!(world.deliver(&case("valid-end")).await.is_empty());
    world.seal().await;
    assert!(
        world
            .deliver(&case("valid-end-asked-twice"))
            .await
            .is_empty()
    );
    let published = world.published().await;
    let numbers: Vec<u64> = published.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let types: Vec<&str> = published
        .iter()
        .map(|(_, row)| row.detail_type.as_str())
        .collect();
    let (totals, seal, end) = (
        UsageWindowUpdated::TYPE,
        UsageSealed::TYPE,
        UsageStreamEndReported::TYPE,
    );
    assert_eq!(types, [totals, end, seal, end, end]);
    let sealed_until = |n: usize| {
        let end: Envelope<UsageStreamEndReported> =
            serde_json::from_str(&published[n].1.detail).unwrap();
        end.data.sealed_until.map(|until| until.to_string())
    };
    assert_eq!(
        (sealed_until(1), sealed_until(3).as_deref()),
        (None, Some("2026-10-06T00:00:00Z"))
    );
}
