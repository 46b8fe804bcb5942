//! The items of the usage table.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `PENDING#<shard>` | segment id | that a segment waits; its removal is what settles it |
//! | `SEGMENT#<tenant>` | segment id | events, as they were accepted |
//! | `TENANT#<tenant>` | `HEAD` | version, sequence, counts, the list of runs |
//! | `TENANT#<tenant>` | `RUN#<id>` | a run of the identity index |
//! | `TENANT#<tenant>` | `WINDOW#<meter>#<start>` | a window's total |
//! | `STATS#<shard>` | `REGION` | counts of the region |

use super::UsageStoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{SegmentId, TenantId, Timestamp};
use metering::{Counted, Head, Run, RunId, RunRef, Segment, SegmentBody, Window, WindowKey};
use std::collections::HashMap;
use std::str::FromStr;

/// An item of the table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// How many partitions pointers and counts are spread over, each.
pub(super) const SHARDS: u8 = 8;

/// How long a segment is kept after it came: longer than events may be late.
const SEGMENT_KEPT_S: i64 = 100 * 86_400;
/// How much longer than its identities count a run is kept.
const RUN_KEPT_S: i64 = metering::IDENTITY_KEPT.as_secs() + 5 * 86_400;

/// Reads the new image of a stream record about a segment.
///
/// # Errors
/// When it is not a segment that this release can settle.
pub fn segment_of_image(image: impl Into<HashMap<String, AttributeValue>>) -> Result<Segment, UsageStoreError> {
    segment(&image.into())
}

pub(super) fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(value.into())
}

fn key(partition: String, sort: impl ToString) -> Item {
    HashMap::from([("pk".to_owned(), AttributeValue::S(partition)), ("sk".to_owned(), text(sort))])
}

fn with<const N: usize>(mut item: Item, attributes: [(&str, AttributeValue); N]) -> Item {
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

pub(super) fn pending_partition(shard: u8) -> String {
    format!("PENDING#{shard}")
}

/// The pointer of a segment; the last byte of a UUID of version 7 is random.
pub(super) fn pending_key(id: SegmentId) -> Item {
    key(pending_partition(id.as_uuid().as_bytes()[15] % SHARDS), id)
}

pub(super) fn pending_item(segment: &Segment) -> Item {
    with(pending_key(segment.id), [("tenant", text(segment.tenant))])
}

pub(super) fn segment_partition(tenant: TenantId) -> String {
    format!("SEGMENT#{tenant}")
}

pub(super) fn segment_key(tenant: TenantId, id: SegmentId) -> Item {
    key(segment_partition(tenant), id)
}

pub(super) fn segment_item(segment: &Segment, received_at: Timestamp) -> Item {
    with(
        segment_key(segment.tenant, segment.id),
        [
            ("body", bytes(segment.body.encode())),
            ("received_at", number(received_at.as_millisecond())),
            ("expires_at", number(received_at.as_second() + SEGMENT_KEPT_S)),
        ],
    )
}

pub(super) fn tenant_partition(tenant: TenantId) -> String {
    format!("TENANT#{tenant}")
}

pub(super) fn head_key(tenant: TenantId) -> Item {
    key(tenant_partition(tenant), "HEAD")
}

pub(super) fn head_item(tenant: TenantId, head: &Head) -> Item {
    with(
        head_key(tenant),
        [
            ("version", number(head.version)),
            ("sequence", number(head.sequence)),
            ("accepted", number(head.counted.accepted)),
            ("duplicates", number(head.counted.duplicates)),
            ("conflicts", number(head.counted.conflicts)),
            ("overflowed", number(head.counted.overflowed)),
            ("runs", bytes(head.encode_runs())),
        ],
    )
}

pub(super) fn run_key(tenant: TenantId, id: RunId) -> Item {
    key(tenant_partition(tenant), format!("RUN#{id}"))
}

pub(super) fn run_item(tenant: TenantId, named: &RunRef, run: &Run) -> Item {
    let expires_at = number(named.newest.as_second() + RUN_KEPT_S);
    with(run_key(tenant, named.id), [("entries", bytes(run.encode())), ("expires_at", expires_at)])
}

pub(super) fn window_key(tenant: TenantId, window: &WindowKey) -> Item {
    key(tenant_partition(tenant), format!("WINDOW#{}#{}", window.meter, window.start))
}

/// The value is a text, since a number of DynamoDB's would lose how far it goes after the point.
pub(super) fn window_item(tenant: TenantId, key: &WindowKey, window: &Window) -> Item {
    with(
        window_key(tenant, key),
        [("value", text(window.value)), ("events", number(window.events)), ("revision", number(window.revision))],
    )
}

pub(super) fn stats_key(shard: u8) -> Item {
    key(format!("STATS#{}", shard % SHARDS), "REGION")
}

/// Reads a number, or says which entity is malformed.
pub(super) fn parsed<T: FromStr>(item: &Item, name: &str, entity: &'static str) -> Result<T, UsageStoreError> {
    match item.get(name) {
        Some(AttributeValue::N(text) | AttributeValue::S(text)) => text.parse().ok(),
        _ => None,
    }
    .ok_or(UsageStoreError::Malformed { entity })
}

fn blob<'i>(item: &'i Item, name: &str, entity: &'static str) -> Result<&'i [u8], UsageStoreError> {
    match item.get(name) {
        Some(AttributeValue::B(blob)) => Ok(blob.as_ref()),
        _ => Err(UsageStoreError::Malformed { entity }),
    }
}

pub(super) fn segment(item: &Item) -> Result<Segment, UsageStoreError> {
    let entity = "segment";
    let partition: String = parsed(item, "pk", entity)?;
    let tenant = partition.strip_prefix("SEGMENT#").and_then(|tenant| tenant.parse().ok());
    Ok(Segment {
        id: parsed(item, "sk", entity)?,
        tenant: tenant.ok_or(UsageStoreError::Malformed { entity })?,
        body: SegmentBody::decode(blob(item, "body", entity)?).map_err(UsageStoreError::UnknownSegment)?,
    })
}

pub(super) fn head(item: &Item) -> Result<Head, UsageStoreError> {
    let entity = "head";
    Ok(Head {
        version: parsed(item, "version", entity)?,
        sequence: parsed(item, "sequence", entity)?,
        counted: Counted {
            accepted: parsed(item, "accepted", entity)?,
            duplicates: parsed(item, "duplicates", entity)?,
            conflicts: parsed(item, "conflicts", entity)?,
            overflowed: parsed(item, "overflowed", entity)?,
        },
        runs: Head::decode_runs(blob(item, "runs", entity)?).ok_or(UsageStoreError::Malformed { entity })?,
    })
}

pub(super) fn run(item: &Item) -> Result<(RunId, Run), UsageStoreError> {
    let malformed = UsageStoreError::Malformed { entity: "run" };
    let sort: String = parsed(item, "sk", "run")?;
    let id = sort.strip_prefix("RUN#").and_then(|id| id.parse().ok());
    let run = Run::decode(blob(item, "entries", "run")?);
    id.zip(run).ok_or(malformed)
}

pub(super) fn window(item: &Item) -> Result<(WindowKey, Window), UsageStoreError> {
    let entity = "window";
    let sort: String = parsed(item, "sk", entity)?;
    let key = || {
        let (meter, start) = sort.strip_prefix("WINDOW#")?.split_once('#')?;
        Some(WindowKey { meter: meter.parse().ok()?, start: start.parse().ok()? })
    };
    let window = Window {
        value: parsed(item, "value", entity)?,
        events: parsed(item, "events", entity)?,
        revision: parsed(item, "revision", entity)?,
    };
    Ok((key().ok_or(UsageStoreError::Malformed { entity })?, window))
}
