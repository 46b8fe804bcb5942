use crate::handler::{Adapters, handle};
use catalogue::Catalogue;
use contract::application::UsageThresholdReached;
use contract::{BusEvent as _, Envelope, UsageWindowUpdated};
use dedupe::Entry;
use futures::future::join_all;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, Timestamp};
use metering::{
    Correction, Measure, Segment, Sender, Usage, Value, batches, content_hash, event_key, group,
    group_corrections,
};
use serde_json::json;
use tenancy::{Context, decide_alert_thresholds, thresholds_of_plan};
use tenant_store::{LoadOptions, TenantView};
use tenantkit::{Newcomer, Region};
use usage_store::{RollupWriter, SegmentWriter, TermsReader, UsageAlerts};

/// The allowance of the tenant's plan for the meter of the tests.
const ALLOWED_GB: i128 = 100;
/// A day of the billing period, and one of the next.
const DAYS: [&str; 2] = ["2026-11-20T09:00:00Z", "2026-12-01T09:00:00Z"];

struct World {
    region: Region,
    adapters: Adapters,
    rollups: RollupWriter,
}

/// A region where the tenant of the events is in use.
async fn world() -> World {
    let region = tenantkit::region().await;
    region.activate(&Newcomer::ada()).await;
    let (config, table, outbox) = (
        &region.aws.config,
        region.usage_table.clone(),
        region.outbox.clone(),
    );
    let (code, seal_after) = (region.code.clone(), SignedDuration::from_hours(72));
    let adapters = Adapters {
        catalogue: Catalogue::bundled().unwrap(),
        terms: TermsReader::new(config, region.regional_table.clone()),
        thresholds: UsageAlerts::new(
            config,
            table.clone(),
            outbox.clone(),
            code.clone(),
            runtime::new_uuid,
        ),
    };
    let rollups = RollupWriter::new(config, table, outbox, code, seal_after, runtime::new_uuid);
    World {
        region,
        adapters,
        rollups,
    }
}

impl World {
    fn usage(&self, id: &str, gigabytes: i128, at: &str) -> Usage<'_> {
        self.usage_of(id, Value::new(gigabytes, 0).unwrap(), at)
    }

    fn usage_of(&self, id: &str, gigabytes: Value, at: &str) -> Usage<'_> {
        let code = "transfer-gb".parse().unwrap();
        let (meter, tenant, at) = (
            self.adapters.catalogue.meter(&code).unwrap(),
            Newcomer::ada().tenant,
            moment(at),
        );
        let (group, measure) = (meter.groups().remove(0), Measure::Number(gigabytes));
        let content = content_hash(&meter.event_type, tenant, at, &measure, &group);
        let entry = Entry {
            key: event_key(Sender::Provider, "source", id),
            content,
        };
        Usage {
            tenant,
            entry,
            meter,
            group,
            at,
            measure,
        }
    }

    async fn roll_up(&self, segments: Vec<Segment>) {
        let segment_writer =
            SegmentWriter::new(&self.region.aws.config, self.region.usage_table.clone());
        segment_writer
            .store(&segments, runtime::now())
            .await
            .unwrap();
        for batch in batches(segments) {
            self.rollups
                .roll_up(Newcomer::ada().tenant, &batch, runtime::now())
                .await
                .unwrap();
        }
    }

    async fn use_some(&self, id: &str, gigabytes: i128, at: &str) {
        let usage = [self.usage(id, gigabytes, at)];
        self.roll_up(group(usage, |_| BillingAnchor::default(), new_id))
            .await;
    }

    /// Rolls up usage of several times at once, in days of a billing anchor.
    async fn use_at_once(&self, anchor: BillingAnchor, gigabytes: i128, at: &[&str]) {
        let usage = at.iter().map(|at| self.usage(at, gigabytes, at));
        self.roll_up(group(usage, |_| anchor, new_id)).await;
    }

    /// Sets the tenant's own thresholds of the meter, in percent.
    async fn set_thresholds(&self, percents: &[u16]) {
        let ada = Newcomer::ada();
        let plan = self
            .adapters
            .catalogue
            .plan(&"starter".parse().unwrap())
            .unwrap();
        let own = thresholds_of_plan(plan, [("transfer-gb", percents)]).unwrap();
        let by = ada.sign_up(&self.region).user.username;
        let decide = |loaded: &TenantView, context: &Context| {
            Ok(decide_alert_thresholds(&loaded.state, &own, by, context))
        };
        self.region
            .change(ada.tenant, LoadOptions::TENANT, moment(DAYS[0]), decide)
            .await;
    }

    /// Delivers every bus event of totals so far. Returns the number of failed messages.
    async fn deliver(&self) -> usize {
        let bus_events = self.region.published(UsageWindowUpdated::TYPE).await;
        let record = |bus_event: &serde_json::Value| {
            let body = json!({ "detail-type": UsageWindowUpdated::TYPE, "source": UsageWindowUpdated::SOURCE,
                "time": "2026-11-20T10:00:00Z", "detail": bus_event });
            json!({ "messageId": bus_event["id"], "body": body.to_string() })
        };
        let batch = json!({ "Records": bus_events.iter().map(record).collect::<Vec<_>>() });
        let Ok(response) = handle(&self.adapters, serde_json::from_value(batch).unwrap()).await;
        response.batch_item_failures.len()
    }

    /// The published thresholds, with the usage at that time, in order.
    async fn published(&self) -> Vec<(String, u16, String)> {
        let bus_events = self
            .region
            .published(UsageThresholdReached::TYPE)
            .await
            .into_iter();
        let bus_events = bus_events.map(|bus_event| {
            serde_json::from_value::<Envelope<UsageThresholdReached>>(bus_event)
                .unwrap()
                .data
        });
        let mut published: Vec<_> = bus_events
            .map(|bus_event| {
                (
                    bus_event.period_start.to_string(),
                    bus_event.percent,
                    bus_event.value.to_string(),
                )
            })
            .collect();
        published.sort();
        published
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn new_id() -> SegmentId {
    SegmentId::from_uuid(runtime::new_uuid())
}

fn threshold(month: &str, percent: u16, value: &str) -> (String, u16, String) {
    (format!("{month}-01T00:00:00Z"), percent, value.to_owned())
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for case in testkit::cases("usage-alert") {
        let world = world().await;
        let Ok(response) = handle(
            &world.adapters,
            serde_json::from_value(case.payload.clone()).unwrap(),
        )
        .await;
        let failed = response.batch_item_failures.len();
        assert_eq!(failed, usize::from(!case.is_valid()), "{}", case.name);
        assert_eq!(
            world.published().await,
            [],
            "{}: nothing is stored, whatever the event says",
            case.name
        );
    }
}

/// Events with the finest and the greatest possible value do not disturb the comparison.
#[tokio::test]
async fn thresholds_are_published_with_extreme_values() {
    let world = world().await;
    for (id, gigabytes) in [
        ("fine", "1e-340"),
        ("great", "99999999999999999999999999999999999999"),
    ] {
        let usage = [world.usage_of(id, gigabytes.parse().unwrap(), DAYS[1])];
        world
            .roll_up(group(usage, |_| BillingAnchor::default(), new_id))
            .await;
    }
    let usage = [world.usage_of("residue", "1e-38".parse().unwrap(), DAYS[0])];
    world
        .roll_up(group(usage, |_| BillingAnchor::default(), new_id))
        .await;
    world.use_some("much", 20 * ALLOWED_GB, DAYS[0]).await;
    for _ in 0..2 {
        assert_eq!(world.deliver().await, 0);
    }
    let november = format!("2000.{}1", "0".repeat(37));
    let december = format!("{}.{}1", "9".repeat(38), "0".repeat(339));
    let expected = [("2026-11", &november), ("2026-12", &december)];
    let expected = expected
        .map(|(month, value)| [50, 80, 100].map(|percent| threshold(month, percent, value)));
    assert_eq!(world.published().await, expected.concat());
}

#[tokio::test]
async fn each_threshold_is_published_once_per_period() {
    let world = world().await;
    world.use_some("a", ALLOWED_GB / 2 - 1, DAYS[0]).await;
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.published().await, []);
    world.use_some("b", 1, DAYS[0]).await;
    assert_eq!(world.deliver().await, 0);
    assert_eq!(world.published().await, [threshold("2026-11", 50, "50")]);
    world.use_some("c", 60, DAYS[0]).await;
    world.use_some("d", 60, DAYS[1]).await;
    for _ in 0..3 {
        assert_eq!(world.deliver().await, 0);
        let november = [
            threshold("2026-11", 100, "110"),
            threshold("2026-11", 50, "50"),
            threshold("2026-11", 80, "110"),
        ];
        let mut expected = november.to_vec();
        expected.push(threshold("2026-12", 50, "60"));
        expected.sort();
        assert_eq!(world.published().await, expected);
    }
}

/// A tenant's own threshold that is already passed is published with the next usage.
#[tokio::test]
async fn a_tenants_own_thresholds_are_published_too() {
    let world = world().await;
    world.use_some("a", 30, DAYS[0]).await;
    assert_eq!(
        (world.deliver().await, world.published().await),
        (0, vec![])
    );
    world.set_thresholds(&[25, 60]).await;
    world.use_some("b", 30, DAYS[0]).await;
    for _ in 0..2 {
        assert_eq!(world.deliver().await, 0);
        let published = [
            threshold("2026-11", 25, "60"),
            threshold("2026-11", 50, "60"),
            threshold("2026-11", 60, "60"),
        ];
        assert_eq!(world.published().await, published);
    }
    world.set_thresholds(&[]).await;
    world.use_some("c", 30, DAYS[1]).await;
    world.deliver().await;
    assert_eq!(
        world.published().await.len(),
        3,
        "a removed threshold is not published in the next period"
    );
}

/// One bus event has the last day of the tenant's month and the first of the next, which are in the
/// same month in UTC.
#[tokio::test]
async fn thresholds_apply_to_the_tenants_own_months() {
    let world = world().await;
    let anchor = "23:00".parse().unwrap();
    world
        .use_at_once(
            anchor,
            60,
            &["2026-11-30T22:59:00Z", "2026-11-30T23:00:00Z"],
        )
        .await;
    assert_eq!(world.deliver().await, 0);
    let threshold = |month: &str| (format!("{month}T23:00:00Z"), 50, "60".to_owned());
    assert_eq!(
        world.published().await,
        [threshold("2026-10-31"), threshold("2026-11-30")]
    );
}

#[tokio::test]
async fn a_threshold_that_is_reached_again_is_not_published_again() {
    let world = world().await;
    world.use_some("a", 55, DAYS[0]).await;
    world.deliver().await;
    let correction = Correction {
        original: world.usage("a", 55, DAYS[0]),
        replacement: None,
    };
    world
        .roll_up(group_corrections(
            [correction],
            |_| BillingAnchor::default(),
            new_id,
        ))
        .await;
    world.deliver().await;
    world.use_some("b", 70, DAYS[0]).await;
    world.deliver().await;
    assert_eq!(world.published().await, [threshold("2026-11", 50, "55")]);
}

#[tokio::test]
async fn concurrent_functions_publish_a_threshold_once() {
    let world = world().await;
    world.use_some("a", 85, DAYS[0]).await;
    let failed = join_all((0..6).map(|_| world.deliver())).await;
    assert_eq!(failed, [0; 6]);
    assert_eq!(
        world.published().await,
        [
            threshold("2026-11", 50, "85"),
            threshold("2026-11", 80, "85")
        ]
    );
}
