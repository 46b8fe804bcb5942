//! The two designs at work on the local AWS.

use crate::tally::{Counter, Tally};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use catalogue::Catalogue;
use contract::{Envelope, UsageWindowUpdated};
use dedupe::Entry;
use jiff::{SignedDuration, Timestamp};
use kernel::{BillingAnchor, SegmentId, TenantId, UsageGroup};
use metering::{Measure, Segment, Sender, Usage, Value, batches, content_hash, event_key, group};
use outbox::Outbox;
use std::collections::BTreeMap;
use std::time::Instant;
use usage_store::{RollupWriter, SegmentWriter};
use uuid::Uuid;

/// A measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// The number of events.
    pub(crate) events: usize,
    /// The number of requests that sent them.
    pub(crate) batches: usize,
    /// The number of stream deliveries that rolled them up.
    pub(crate) deliveries: usize,
    /// The number of rollups that published bus events.
    pub(crate) bus_events: usize,
    /// The number of totals in those bus events.
    pub(crate) totals: usize,
    /// The requests to AWS.
    pub(crate) tally: Tally,
}

/// The default of the parameter `UsageRollupMemory`.
const MEMORY_BYTES: u64 = 1_769 * 1_024 * 1_024;

/// A usage table, with its readers and writers.
pub(crate) struct World {
    counter: Counter,
    client: Client,
    table: String,
    outbox: Outbox,
    segment_writer: SegmentWriter,
    rollups: RollupWriter,
    config: aws_types::SdkConfig,
    catalogue: Catalogue,
    sent: usize,
}

impl World {
    pub(crate) async fn new() -> Self {
        let aws = testkit::aws().await;
        let counter = Counter::default();
        let config = counter.count(&aws.config);
        let table = testkit::table(&aws, false).await;
        let outbox = Outbox::new(&config, testkit::table(&aws, false).await);
        counter.take();
        Self {
            client: Client::new(&config),
            segment_writer: SegmentWriter::new(&config, table.clone()),
            rollups: rollups(&config, &table, &outbox),
            config: config.clone(),
            catalogue: Catalogue::bundled().unwrap(),
            sent: 0,
            counter,
            table,
            outbox,
        }
    }

    /// One conditional write and one update of a counter for each event.
    pub(crate) async fn obvious(&self, events: usize) -> Measured {
        for n in 0..events {
            let text = |value: String| AttributeValue::S(value);
            let put = self.client.put_item().table_name(&self.table);
            let put = put
                .item("pk", text(format!("EVENT#{}", tenant(0))))
                .item(
                    "sk",
                    text(format!(
                        "/gateways/eu-central-1/7#{}",
                        Uuid::from_u128(n as u128)
                    )),
                )
                .item("meter", text("api-calls".to_owned()))
                .item("value", AttributeValue::N("1".to_owned()))
                .condition_expression("attribute_not_exists(pk)");
            put.send().await.unwrap();
            let update = self.client.update_item().table_name(&self.table);
            let update = update
                .key("pk", text(format!("TENANT#{}", tenant(0))))
                .key("sk", text("api-calls#2026-11-15".to_owned()))
                .update_expression("ADD events :value")
                .expression_attribute_values(":value", AttributeValue::N("1".to_owned()));
            update.send().await.unwrap();
        }
        Measured {
            events,
            tally: self.counter.take(),
            ..Measured::default()
        }
    }

    /// Requests of `batch` events of one tenant, rolled up `delivery` requests at a time.
    pub(crate) async fn ours(&mut self, batch: usize, events: usize, delivery: usize) -> Measured {
        let mut measured = Measured {
            events,
            ..Measured::default()
        };
        let mut waiting: Vec<Segment> = Vec::new();
        for n in 0..events / batch {
            let segments = self.segments(tenant(0), batch);
            self.segment_writer
                .store(&segments, Timestamp::now())
                .await
                .unwrap();
            waiting.extend(segments);
            measured.batches += 1;
            if (n + 1) % delivery == 0 || (n + 1) * batch == events {
                self.roll_up(std::mem::take(&mut waiting)).await;
                measured.deliveries += 1;
            }
        }
        measured.tally = self.counter.take();
        (measured.bus_events, measured.totals) = self.published().await;
        self.counter.take();
        measured
    }

    /// A request of `batch` events for each of many tenants, rolled up `delivery` requests at a
    /// time.
    pub(crate) async fn many(&mut self, tenants: usize, batch: usize, delivery: usize) -> Measured {
        let mut measured = Measured {
            events: tenants * batch,
            ..Measured::default()
        };
        let mut waiting: Vec<Segment> = Vec::new();
        for n in 0..tenants {
            let segments = self.segments(tenant(n), batch);
            self.segment_writer
                .store(&segments, Timestamp::now())
                .await
                .unwrap();
            waiting.extend(segments);
            if waiting.len() >= delivery || n + 1 == tenants {
                self.roll_up(std::mem::take(&mut waiting)).await;
            }
        }
        measured.tally = self.counter.take();
        measured
    }

    /// Requests of a tenant, each rolled up by a function with an empty cache.
    pub(crate) async fn cold(&mut self, batch: usize, requests: usize) -> Measured {
        let before = self.published().await;
        self.counter.take();
        for _ in 0..requests {
            self.rollups = rollups(&self.config, &self.table, &self.outbox);
            let segments = self.segments(tenant(0), batch);
            self.segment_writer
                .store(&segments, Timestamp::now())
                .await
                .unwrap();
            self.roll_up(segments).await;
        }
        let tally = self.counter.take();
        let after = self.published().await;
        let (bus_events, totals) = (after.0 - before.0, after.1 - before.1);
        Measured {
            events: batch * requests,
            batches: requests,
            deliveries: requests,
            bus_events,
            totals,
            tally,
        }
    }

    /// The report of a tenant's stream end, after `requests` requests of 100 events.
    pub(crate) async fn end(&mut self, requests: usize) -> Tally {
        self.ours(100, 100 * requests, 50).await;
        assert!(
            self.rollups
                .report_end(tenant(0), Timestamp::now())
                .await
                .unwrap()
        );
        self.counter.take()
    }

    async fn roll_up(&self, segments: Vec<Segment>) {
        let mut by_tenant: BTreeMap<TenantId, Vec<Segment>> = BTreeMap::new();
        for segment in segments {
            by_tenant.entry(segment.tenant).or_default().push(segment);
        }
        for (tenant, segments) in by_tenant {
            for batch in batches(segments) {
                self.rollups
                    .roll_up(tenant, &batch, Timestamp::now())
                    .await
                    .unwrap();
            }
        }
    }

    /// The number of published bus events, and of the totals in them.
    async fn published(&self) -> (usize, usize) {
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, u16::MAX)
            .await
            .unwrap();
        let totals = rows.iter().map(|row| {
            let bus_event: Envelope<UsageWindowUpdated> =
                serde_json::from_str(&row.detail).unwrap();
            bus_event.data.windows.len()
        });
        (rows.len(), totals.sum())
    }

    /// New events of a tenant, of three meters, in the present minute.
    fn segments(&mut self, tenant: TenantId, events: usize) -> Vec<Segment> {
        let at = Timestamp::now();
        let first = self.sent;
        self.sent += events;
        let usage = (first..self.sent).map(|n| {
            let meter = &self.catalogue.meters[n % 3];
            let group = meter
                .groups()
                .first()
                .cloned()
                .unwrap_or_else(UsageGroup::default);
            let measure = Measure::Number(Value::new(n as i128 % 10_000, 3).unwrap());
            let content = content_hash(&meter.event_type, tenant, at, &measure, &group);
            let entry = Entry {
                key: event_key(Sender::Provider, "/gateways/eu-central-1/7", &n.to_string()),
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
        });
        group(
            usage,
            |_| BillingAnchor::default(),
            || SegmentId::from_uuid(Uuid::now_v7()),
        )
    }
}

/// A rollup writer as it is deployed.
fn rollups(config: &aws_types::SdkConfig, table: &str, outbox: &Outbox) -> RollupWriter {
    let (region, seal_after) = (
        "eu-central-1".parse().unwrap(),
        SignedDuration::from_hours(72),
    );
    RollupWriter::new(
        config,
        table.to_owned(),
        outbox.clone(),
        region,
        seal_after,
        Uuid::now_v7,
    )
    .within_memory(MEMORY_BYTES)
}

fn tenant(n: usize) -> TenantId {
    // The last byte chooses the partition, as that of a random id does.
    TenantId::from_uuid(Uuid::from_u128(1 + n as u128))
}

/// The seconds since a start.
pub(crate) fn seconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
