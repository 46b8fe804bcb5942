mod erasure;
mod pending;
mod rollups;
mod seals;
mod throttled;

use super::items;
use crate::Leaving;
use crate::erase::UsageEraser;
use crate::items::SealTask;
use crate::monitor::UsageMonitor;
use crate::pending::{FoundSegment, Pending};
use crate::rollup_writer::{RolledUp, RollupWriter};
use crate::seal::Resent;
use crate::segment_writer::SegmentWriter;
use catalogue::Catalogue;
use contract::{
    BusEvent, Envelope, EventCounts, ReasonCounts, RejectionKind, SealDigest, Stream, UsageSealed,
    UsageStreamEndReported, UsageWindow, UsageWindowUpdated, WindowPart,
};
use dedupe::{DedupeKey, Entry};
use dynamo::Attributes as _;
use futures::future::join_all;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, TenantId, Timestamp, UsageGroup};
use metering::{
    Counted, Measure, Segment, Sender, Usage, Value, batches, content_hash, event_key, group,
};
use outbox::Outbox;
use std::collections::BTreeMap;
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "tests need fresh ids")]
fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

#[expect(
    clippy::disallowed_methods,
    reason = "segment ids hold the present time"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

const SEAL_AFTER: SignedDuration = SignedDuration::from_hours(72);

struct World {
    aws: testkit::LocalAws,
    table: String,
    outbox: Outbox,
    segment_writer: SegmentWriter,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let segment_writer = SegmentWriter::new(&aws.config, table.clone());
    World {
        aws,
        table,
        outbox,
        segment_writer,
    }
}

impl World {
    fn rollups(&self) -> RollupWriter {
        let region = "eu-central-1".parse().unwrap();
        RollupWriter::new(
            &self.aws.config,
            self.table.clone(),
            self.outbox.clone(),
            region,
            SEAL_AFTER,
            fresh_id,
        )
    }

    fn monitor(&self) -> UsageMonitor {
        UsageMonitor::new(&self.aws.config, self.table.clone())
    }

    /// The number of items of a tenant's usage.
    async fn items(&self, tenant: TenantId) -> u64 {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let mut count = 0;
        let spread = items::TENANT_SHARDS.all().flat_map(|shard| {
            [
                items::segment_partition(tenant, shard),
                items::run_partition(tenant, shard),
            ]
        });
        for partition in spread.chain([items::tenant_partition(tenant)]) {
            let query = client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :partition");
            let found = query
                .expression_attribute_values(":partition", dynamo::text(partition))
                .send()
                .await
                .unwrap();
            count += u64::try_from(found.count()).unwrap();
        }
        count
    }

    /// The number of published bus events, and the last published total of each window.
    async fn published(&self) -> (u64, BTreeMap<(TenantId, Timestamp), UsageWindow>) {
        let mut windows: BTreeMap<(TenantId, Timestamp), UsageWindow> = BTreeMap::new();
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, 1_000)
            .await
            .unwrap();
        for row in &rows {
            let bus_event: Envelope<UsageWindowUpdated> =
                serde_json::from_str(&row.detail).unwrap();
            for window in bus_event.data.windows {
                let known = windows
                    .entry((bus_event.data.tenant, window.start))
                    .or_insert_with(|| window.clone());
                if window.revision > known.revision {
                    *known = window;
                }
            }
        }
        (rows.len() as u64, windows)
    }
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// Events with the numbers of a range. The value of an event is its number.
fn segments(
    catalogue: &Catalogue,
    tenant: TenantId,
    numbers: impl Iterator<Item = u32>,
) -> Vec<Segment> {
    let meter = &catalogue.meters[3];
    let usage = numbers.map(|number| {
        let measure = Measure::Number(Value::new(i128::from(number), 1).unwrap());
        let (at, group) = (Timestamp::UNIX_EPOCH, UsageGroup::default());
        let content = content_hash(&meter.event_type, tenant, at, &measure, &group);
        let entry = Entry {
            key: event_key(Sender::Provider, "source", &number.to_string()),
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
        || SegmentId::from_uuid(fresh_id()),
    )
}
