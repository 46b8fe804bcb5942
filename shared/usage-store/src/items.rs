//! The items of the usage table.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `PENDING#<shard>` | segment id | the pending marker of a segment; its rollup removes it |
//! | `SEGMENT#<tenant>#<shard>` | segment id | events, as they were accepted |
//! | `RUN#<tenant>#<shard>` | run id | a sorted run of an index |
//! | `RUN#<tenant>#<shard>` | run id`#`block | a block of a run |
//! | `RUN#<tenant>#<shard>` | group id`#FILTER#`block | a block of the filter over a group of runs |
//! | `TENANT#<tenant>` | `CHECKPOINT` | generation, sequence, counts, end of the sealed days, the runs that are not in blocks, and the numbers of the lists of the others |
//! | `TENANT#<tenant>` | `RUNS#<number>` | a list of runs in blocks, which are many and seldom change |
//! | `TENANT#<tenant>` | `TOTALS#<period>#<meter>` | the page of a billing period: its days, and itself |
//! | `TENANT#<tenant>` | `PAGE#<meter>#<start>#<span>` | the page of an hour's minutes or of a day's hours |
//! | `TENANT#<tenant>` | `ALERT#<period>#<meter>#<percent>` | the mark of a published threshold |
//! | `TENANT#<tenant>` | `CORRECTION#<segment id>` | the record of a correction; only its result is added later |
//! | `SEAL#<shard>` | due moment`#`tenant`#`day | the task to seal a day |
//! | `STATS#<shard>` | `REGION` | counts of the region |

use crate::UsageStoreError;
use contract::RejectionKind;
use dedupe::{BlockId, Manifest, NewPart, RunId, RunMeta, SortedRun};
use dynamo::{AttributeValue, Attributes as _, GENERATION, Item, Shards, bytes, key, number, text};
use kernel::{MeterCode, SegmentId, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, Counted, Page, PageKey, Segment, SegmentBody, Sender};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The partitions of pending markers. Each segment writes and removes one marker, and DynamoDB
/// takes 1,000 write units a second per partition, so these take some 20,000 segments a second.
pub(crate) const PENDING_SHARDS: Shards = Shards::new(64);
/// The partitions of seal tasks.
pub(crate) const SEAL_SHARDS: Shards = Shards::new(8);
/// The items of a region's counts. Concurrent transactions on the same item conflict, so there are
/// many.
pub(crate) const STATS_SHARDS: Shards = Shards::new(128);
/// The partitions of a tenant's segments, and those of its runs. Some 800 requests of 1,000 events
/// (18 KB) a second fit them (docs/rollup.md).
pub(crate) const TENANT_SHARDS: Shards = Shards::new(16);

/// How long a segment is retained after its receipt: longer than events may be late.
const SEGMENT_RETENTION_S: i64 = 100 * 86_400;
/// How long a run is retained after its newest entry: five days longer than its entries count.
const RUN_RETENTION_S: i64 = metering::DISTINCT_VALUES_KEPT.as_secs() + 5 * 86_400;

/// Reads the new image of a stream record about a segment.
///
/// # Errors
/// When this release cannot read the segment.
pub fn segment_of_image(image: impl Into<Item>) -> Result<Segment, UsageStoreError> {
    segment(&image.into())
}

fn with<const N: usize>(mut item: Item, attributes: [(&str, AttributeValue); N]) -> Item {
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

pub(crate) fn pending_partition(shard: u8) -> String {
    format!("PENDING#{shard}")
}

/// The pending marker of a segment.
pub(crate) fn pending_key(id: SegmentId) -> Item {
    key(
        pending_partition(PENDING_SHARDS.of(id.as_uuid())),
        id.to_string(),
    )
}

pub(crate) fn pending_item(segment: &Segment) -> Item {
    with(
        pending_key(segment.id),
        [("tenant", text(segment.tenant.to_string()))],
    )
}

pub(crate) fn segment_partition(tenant: TenantId, shard: u8) -> String {
    format!("SEGMENT#{tenant}#{shard}")
}

pub(crate) fn segment_key(tenant: TenantId, id: SegmentId) -> Item {
    key(
        segment_partition(tenant, TENANT_SHARDS.of(id.as_uuid())),
        id.to_string(),
    )
}

pub(crate) fn segment_item(segment: &Segment, received_at: Timestamp) -> Item {
    with(
        segment_key(segment.tenant, segment.id),
        [
            ("body", bytes(segment.body.encode())),
            (
                "expires_at",
                number(received_at.as_second() + SEGMENT_RETENTION_S),
            ),
        ],
    )
}

pub(crate) fn tenant_partition(tenant: TenantId) -> String {
    format!("TENANT#{tenant}")
}

pub(crate) fn checkpoint_key(tenant: TenantId) -> Item {
    key(tenant_partition(tenant), "CHECKPOINT")
}

/// The runs that the checkpoint's item itself names.
fn in_checkpoint(runs: &[RunMeta]) -> impl Iterator<Item = &RunMeta> {
    runs.iter().filter(|run| run.blocks.is_none())
}

/// The runs that a list names.
fn of_list(runs: &[RunMeta], list: u32) -> impl Iterator<Item = &RunMeta> {
    runs.iter()
        .filter(move |run| run.blocks.is_some_and(|blocks| blocks.list == list))
}

/// The numbers of a checkpoint's lists.
fn lists(checkpoint: &Checkpoint) -> BTreeSet<u32> {
    checkpoint
        .runs()
        .filter_map(|run| run.blocks)
        .map(|blocks| blocks.list)
        .collect()
}

pub(crate) fn checkpoint_item(tenant: TenantId, checkpoint: &Checkpoint) -> Item {
    let mut item = with(
        checkpoint_key(tenant),
        [
            (GENERATION, number(checkpoint.generation)),
            ("sequence", number(checkpoint.sequence)),
            ("accepted", number(checkpoint.counted.accepted)),
            ("duplicates", number(checkpoint.counted.duplicates)),
            ("conflicts", number(checkpoint.counted.conflicts)),
            ("voided", number(checkpoint.counted.voided)),
            ("unmatched", number(checkpoint.counted.unmatched)),
            (
                "replacement_used",
                number(checkpoint.counted.replacement_used),
            ),
            (
                "events",
                bytes(Manifest::encode(in_checkpoint(&checkpoint.events.runs))),
            ),
            (
                "distinct_values",
                bytes(Manifest::encode(in_checkpoint(
                    &checkpoint.distinct_values.runs,
                ))),
            ),
            (
                "lists",
                bytes(
                    lists(checkpoint)
                        .into_iter()
                        .flat_map(u32::to_be_bytes)
                        .collect(),
                ),
            ),
        ],
    );
    if let Some(until) = checkpoint.sealed_until {
        item.insert("sealed_until".to_owned(), number(until.as_second()));
    }
    item
}

const LIST: &str = "RUNS#";

fn list_key(tenant: TenantId, list: u32) -> Item {
    key(tenant_partition(tenant), format!("{LIST}{list}"))
}

/// The keys of the lists that the item of a checkpoint names.
///
/// # Errors
/// When the checkpoint has no well-formed list of numbers.
pub(crate) fn list_keys(tenant: TenantId, checkpoint: &Item) -> Result<Vec<Item>, UsageStoreError> {
    let (lists, rest) = blob(checkpoint, "lists", "checkpoint")?.as_chunks();
    if !rest.is_empty() {
        return Err(UsageStoreError::Malformed {
            entity: "checkpoint",
        });
    }
    Ok(lists
        .iter()
        .map(|list| list_key(tenant, u32::from_be_bytes(*list)))
        .collect())
}

/// The lists of runs in blocks that differ between a checkpoint and the one before. A list without
/// runs is no longer named, so it needs no write.
pub(crate) fn list_items(
    tenant: TenantId,
    checkpoint: &Checkpoint,
    before: &Checkpoint,
) -> Vec<Item> {
    let of = |checkpoint: &Checkpoint, list| {
        [&checkpoint.events.runs, &checkpoint.distinct_values.runs]
            .map(|runs| Manifest::encode(of_list(runs, list)))
    };
    let changed = lists(checkpoint)
        .into_iter()
        .filter(|list| of(checkpoint, *list) != of(before, *list));
    let item = |list| {
        let [events, values] = of(checkpoint, list);
        with(
            list_key(tenant, list),
            [
                ("events", bytes(events)),
                ("distinct_values", bytes(values)),
            ],
        )
    };
    changed.map(item).collect()
}

pub(crate) fn run_partition(tenant: TenantId, shard: u8) -> String {
    format!("RUN#{tenant}#{shard}")
}

/// The key of a run. The run of a segment whose events all counted is the segment itself.
pub(crate) fn run_key(tenant: TenantId, id: RunId) -> Item {
    match id.segment() {
        Some(segment) => segment_key(tenant, segment),
        // The attempt's UUID ends in random bits, which spread runs over the partitions; runs of
        // one attempt are next to each other.
        None => key(
            run_partition(tenant, TENANT_SHARDS.of(&id.attempt)),
            id.to_string(),
        ),
    }
}

/// The key of an index block. The blocks of a run, and those of a filter, are spread over
/// partitions, because a lookup reads many at once.
pub(crate) fn block_key(tenant: TenantId, block: BlockId) -> Item {
    let spread = |run: RunId, block: u16, sort: String| {
        key(
            run_partition(tenant, TENANT_SHARDS.of_part(&run.attempt, block)),
            sort,
        )
    };
    match block {
        BlockId::Run(run) => run_key(tenant, run),
        BlockId::Block(run, block) => spread(run, block, format!("{run}#{block}")),
        BlockId::Filter(group, block) => {
            spread(group.last, block, format!("{group}{FILTER}{block}"))
        }
    }
}

/// The text between group and block in the sort key of a filter's block.
const FILTER: &str = "#FILTER#";

/// The items of a part of an index. None for a run that is a segment: it is stored already.
pub(crate) fn part_items(tenant: TenantId, part: &NewPart) -> Vec<Item> {
    let item = |named: &RunMeta, block, entries| {
        let expires_at = number(named.newest.as_second() + RUN_RETENTION_S);
        with(
            block_key(tenant, block),
            [("entries", bytes(entries)), ("expires_at", expires_at)],
        )
    };
    match part {
        NewPart::Run(named, _) if named.id.segment().is_some() => Vec::new(),
        NewPart::Run(named, run) => vec![item(named, BlockId::Run(named.id), run.encode())],
        NewPart::Blocks(named, run) => run
            .blocks()
            .map(|(block, run)| item(named, BlockId::Block(named.id, block), run.encode()))
            .collect(),
        NewPart::Filter(named, group, filter) => filter
            .blocks()
            .map(|(block, words)| item(named, BlockId::Filter(*group, block), words))
            .collect(),
    }
}

pub(crate) fn alert_sort(period_start: Timestamp, meter: &MeterCode, percent: u16) -> String {
    format!("ALERT#{period_start}#{meter}#{percent}")
}

pub(crate) fn alert_key(
    tenant: TenantId,
    period_start: Timestamp,
    meter: &MeterCode,
    percent: u16,
) -> Item {
    key(
        tenant_partition(tenant),
        alert_sort(period_start, meter, percent),
    )
}

/// The prefix of the sort keys of corrections.
pub(crate) const CORRECTION: &str = "CORRECTION#";

pub(crate) fn correction_key(tenant: TenantId, id: SegmentId) -> Item {
    key(tenant_partition(tenant), format!("{CORRECTION}{id}"))
}

const TOTALS: &str = "TOTALS#";
const PAGE: &str = "PAGE#";

/// The prefix of the sort keys of a billing period's pages.
pub(crate) fn totals_prefix(period_start: Timestamp) -> String {
    format!("{TOTALS}{period_start}#")
}

/// The sort key of a page. Pages of one meter sort by their start, so that a range of time is a
/// range of keys.
pub(crate) fn page_sort(page: &PageKey) -> String {
    let PageKey { meter, start, span } = page;
    match span {
        WindowSize::Month => format!("{}{meter}", totals_prefix(*start)),
        WindowSize::Minute | WindowSize::Hour | WindowSize::Day => {
            format!("{PAGE}{meter}#{start}#{span}")
        }
    }
}

pub(crate) fn page_key(tenant: TenantId, page: &PageKey) -> Item {
    key(tenant_partition(tenant), page_sort(page))
}

pub(crate) fn page_item(tenant: TenantId, key: &PageKey, page: &Page) -> Item {
    with(
        page_key(tenant, key),
        [
            ("span", text(key.span.to_string())),
            ("totals", bytes(page.encode(key))),
        ],
    )
}

/// The task to seal a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealTask {
    /// The moment at which the day is to be sealed.
    pub due: Timestamp,
    /// The tenant whose day it is.
    pub tenant: TenantId,
    /// The day's first moment.
    pub day: Timestamp,
}

pub(crate) fn seal_partition(shard: u8) -> String {
    format!("SEAL#{shard}")
}

/// The upper bound of the sort keys of tasks that are due by a moment.
pub(crate) fn seal_sort(due: Timestamp) -> String {
    format!("{:012}", due.as_second().max(0))
}

pub(crate) fn seal_key(seal: &SealTask) -> Item {
    let SealTask { due, tenant, day } = seal;
    key(
        seal_partition(SEAL_SHARDS.of(tenant.as_uuid())),
        format!("{}#{tenant}#{}", seal_sort(*due), day.as_second()),
    )
}

pub(crate) fn due_seal(item: &Item) -> Result<SealTask, UsageStoreError> {
    let entity = "seal";
    let sort: String = parsed(item, "sk", entity)?;
    let moment = |text: &str| {
        text.parse()
            .ok()
            .and_then(|second| Timestamp::from_second(second).ok())
    };
    let read = || {
        let (due, rest) = sort.split_once('#')?;
        let (tenant, day) = rest.split_once('#')?;
        Some(SealTask {
            due: moment(due)?,
            tenant: tenant.parse().ok()?,
            day: moment(day)?,
        })
    };
    read().ok_or(UsageStoreError::Malformed { entity })
}

/// The key of one of the items of counts, chosen by a random byte.
pub(crate) fn stats_key(seed: u8) -> Item {
    key(format!("STATS#{}", STATS_SHARDS.at(seed)), "REGION")
}

/// The attribute that counts events that were not stored.
pub(crate) const NOT_STORED: &str = "not_stored";

/// The attribute that counts a sender's rejected events, by the kind of the reason.
pub(crate) fn rejected_attribute(sender: Sender, kind: RejectionKind) -> String {
    let sender = match sender {
        Sender::Tenant => "tenants",
        Sender::Provider | Sender::Meridian => "provider",
    };
    format!("rejected_{sender}_{}", kind.as_str())
}

/// Reads a number or a parsed text. `entity` names the item in the error.
pub(crate) fn parsed<T: FromStr>(
    item: &Item,
    name: &str,
    entity: &'static str,
) -> Result<T, UsageStoreError> {
    item.number(name)
        .or_else(|| item.parsed(name))
        .ok_or(UsageStoreError::Malformed { entity })
}

fn blob<'i>(item: &'i Item, name: &str, entity: &'static str) -> Result<&'i [u8], UsageStoreError> {
    item.bytes(name)
        .ok_or(UsageStoreError::Malformed { entity })
}

pub(crate) fn segment(item: &Item) -> Result<Segment, UsageStoreError> {
    let entity = "segment";
    let partition: String = parsed(item, "pk", entity)?;
    let tenant = || {
        partition
            .strip_prefix("SEGMENT#")?
            .split_once('#')?
            .0
            .parse()
            .ok()
    };
    Ok(Segment {
        id: parsed(item, "sk", entity)?,
        tenant: tenant().ok_or(UsageStoreError::Malformed { entity })?,
        body: SegmentBody::decode(blob(item, "body", entity)?)
            .map_err(UsageStoreError::UnknownSegment)?,
    })
}

/// The encoded size of a segment's events in bytes.
pub(crate) fn body_bytes(item: &Item) -> usize {
    blob(item, "body", "segment").map_or(0, <[u8]>::len)
}

/// Reads the end of the sealed days from a checkpoint.
pub(crate) fn sealed_until(item: &Item) -> Result<Option<Timestamp>, UsageStoreError> {
    let entity = "checkpoint";
    if !item.contains_key("sealed_until") {
        return Ok(None);
    }
    let until = Timestamp::from_second(parsed(item, "sealed_until", entity)?);
    until
        .map(Some)
        .map_err(|_| UsageStoreError::Malformed { entity })
}

/// Reads the counts of all events of a tenant from its checkpoint.
pub(crate) fn counted(item: &Item) -> Result<Counted, UsageStoreError> {
    let entity = "checkpoint";
    Ok(Counted {
        accepted: parsed(item, "accepted", entity)?,
        duplicates: parsed(item, "duplicates", entity)?,
        conflicts: parsed(item, "conflicts", entity)?,
        voided: parsed(item, "voided", entity)?,
        unmatched: parsed(item, "unmatched", entity)?,
        replacement_used: parsed(item, "replacement_used", entity)?,
    })
}

/// Reads a checkpoint and the lists of its runs in blocks, in the order of their numbers.
pub(crate) fn checkpoint(
    item: &Item,
    lists: &BTreeMap<u32, Item>,
) -> Result<Checkpoint, UsageStoreError> {
    let entity = "checkpoint";
    let malformed = || UsageStoreError::Malformed { entity };
    let manifest = |name| -> Result<Manifest, UsageStoreError> {
        let mut runs = Manifest::decode(blob(item, name, entity)?, None).ok_or_else(malformed)?;
        for (list, item) in lists {
            runs.extend(
                Manifest::decode(blob(item, name, entity)?, Some(*list)).ok_or_else(malformed)?,
            );
        }
        Ok(Manifest { runs })
    };
    Ok(Checkpoint {
        generation: parsed(item, GENERATION, entity)?,
        sequence: parsed(item, "sequence", entity)?,
        counted: counted(item)?,
        events: manifest("events")?,
        distinct_values: manifest("distinct_values")?,
        sealed_until: sealed_until(item)?,
    })
}

/// Reads the number of a list from its item.
pub(crate) fn list_number(item: &Item) -> Result<u32, UsageStoreError> {
    let sort: String = parsed(item, "sk", "list")?;
    let number = sort
        .strip_prefix(LIST)
        .and_then(|number| number.parse().ok());
    number.ok_or(UsageStoreError::Malformed { entity: "list" })
}

/// Reads a run, which is stored as a run or as a segment, see [`run_key`].
pub(crate) fn run(item: &Item) -> Result<SortedRun, UsageStoreError> {
    let partition: String = parsed(item, "pk", "run")?;
    if partition.starts_with("SEGMENT#") {
        let segment = segment(item)?;
        return Ok(SortedRun::of(
            segment
                .body
                .events()
                .iter()
                .map(|event| event.entry)
                .collect(),
        ));
    }
    SortedRun::decode(entries(item)?).ok_or(UsageStoreError::Malformed { entity: "run" })
}

/// The bytes of a block of an index.
pub(crate) fn entries(item: &Item) -> Result<&[u8], UsageStoreError> {
    blob(item, "entries", "run")
}

pub(crate) fn is_page(sort: &str) -> bool {
    sort.starts_with(TOTALS) || sort.starts_with(PAGE)
}

pub(crate) fn page(item: &Item) -> Result<(PageKey, Page), UsageStoreError> {
    let entity = "page";
    let malformed = || UsageStoreError::Malformed { entity };
    let sort: String = parsed(item, "sk", entity)?;
    let mut parts = sort.split('#').skip(1);
    let (first, second) = parts.next().zip(parts.next()).ok_or_else(malformed)?;
    let (meter, start) = if sort.starts_with(TOTALS) {
        (second, first)
    } else {
        (first, second)
    };
    let key = PageKey {
        meter: meter.parse().map_err(|_| malformed())?,
        start: start.parse().map_err(|_| malformed())?,
        span: parsed(item, "span", entity)?,
    };
    let page = Page::decode(&key, blob(item, "totals", entity)?)
        .map_err(UsageStoreError::UnknownSegment)?;
    Ok((key, page))
}
