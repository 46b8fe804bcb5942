//! Settling, in one transaction.

use super::cache::Kept;
use super::items::{self, DueSeal, Item};
use super::table::{Table, wait};
use super::{CorrectionOutcome, UsageStoreError};
use crate::throttled::THROTTLED;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Delete, Put, TransactWriteItem, Update};
use contract::{Envelope, Fact, Stream};
use dedupe::Blocks;
use jiff::SignedDuration;
use kernel::{EventId, RegionCode, SegmentId, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, Counted, Rollup, RollupChanges, Segment};
use outbox::{Outbox, Row, Target};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How often a rollup is tried when others roll up the same tenant at once.
pub(super) const ATTEMPTS_MAX: u32 = 8;
/// The memory of the smallest function.
const MEMORY_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// How long a day stays open that was due when its first event came.
const LATE_DAY_TIME: SignedDuration = SignedDuration::from_mins(15);

/// Settles segments.
#[derive(Debug)]
pub struct Settler {
    pub(super) table: Table,
    pub(super) kept: Kept,
    outbox: Outbox,
    region: RegionCode,
    seal_after: SignedDuration,
    next_id: fn() -> Uuid,
}

/// What settling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// How many segments were settled now.
    pub segments: usize,
    /// How many had been settled before.
    pub before: usize,
    /// What became of the events.
    pub counted: Counted,
}

/// What became of a transaction.
pub(super) enum Outcome {
    Committed,
    /// Some segments had been settled before, by their place in the list.
    SettledBefore(Vec<usize>),
    /// Somebody else was quicker.
    Overtaken,
}

impl Settler {
    /// Settles usage of a table, for facts of a region. A day is sealed so long after its end. `next_id` makes ids of facts
    /// and attempts.
    #[must_use]
    pub fn new(
        config: &aws_types::SdkConfig,
        table: String,
        outbox: Outbox,
        region: RegionCode,
        seal_after: SignedDuration,
        next_id: fn() -> Uuid,
    ) -> Self {
        let (table, kept) = (Table::new(config, table), Kept::within(MEMORY_BYTES_MIN));
        Self { table, kept, outbox, region, seal_after, next_id }
    }

    /// The same in a function with so much memory: most of it keeps what was used last of the indexes.
    #[must_use]
    pub fn within_memory(self, memory_bytes: u64) -> Self {
        Self { kept: Kept::within(memory_bytes), ..self }
    }

    /// Settles segments of one tenant that fit one transaction, see [`metering::batches`], each once however
    /// often it is called and by however many.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again is always right.
    pub async fn settle(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<Settled, UsageStoreError> {
        let mut open = segments.to_vec();
        for round in 0..ATTEMPTS_MAX {
            if open.is_empty() {
                return Ok(Settled { before: segments.len(), ..Settled::default() });
            }
            let attempt = (self.next_id)();
            if let Some((before, _, changes)) = self.decide(tenant, &open, attempt, now).await? {
                match self.write(tenant, &open, &before, &changes, now).await? {
                    Outcome::Committed => {
                        let before = segments.len() - open.len();
                        return Ok(Settled { segments: open.len(), before, counted: changes.counted });
                    }
                    Outcome::SettledBefore(places) => {
                        let mut place = 0..;
                        open.retain(|_| !place.next().is_some_and(|place| places.contains(&place)));
                        continue;
                    }
                    Outcome::Overtaken => {}
                }
            }
            tokio::time::sleep(wait(round, usize::from(attempt.as_bytes()[15]))).await;
        }
        Err(UsageStoreError::Contended)
    }

    /// Rolls segments up on the checkpoint as it is now. Returns that checkpoint, the blocks of the indexes that were loaded,
    /// and the changes. Returns nothing when a block has expired since the checkpoint was read, or is erased.
    pub(super) async fn decide(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        attempt: Uuid,
        now: Timestamp,
    ) -> Result<Option<(Checkpoint, Blocks, RollupChanges)>, UsageStoreError> {
        let (snapshot, mut blocks) = self.load(tenant, segments, now).await?;
        let mut rollup = Rollup::new(&snapshot, segments, now);
        let mut requested = BTreeSet::new();
        while let Err(missing) = rollup.resume(&blocks) {
            if missing.blocks.is_subset(&requested) {
                return Ok(None);
            }
            requested.extend(&missing.blocks);
            self.load_blocks(tenant, missing, &snapshot.checkpoint, &mut blocks).await?;
        }
        let changes = rollup.finish(attempt, &blocks).ok();
        Ok(changes.map(|changes| (snapshot.checkpoint, blocks, changes)))
    }

    /// Writes new runs, then commits the checkpoint that names them. What no checkpoint names, be it merged or in vain, expires: to
    /// delete it would cost as much as it did to write.
    async fn write(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Checkpoint,
        changes: &RollupChanges,
        now: Timestamp,
    ) -> Result<Outcome, UsageStoreError> {
        let parts = changes.new_parts.iter().flat_map(|part| items::part_items(tenant, part)).collect();
        self.table.put_all("store an index", parts).await?;
        let transaction = self.transaction(tenant, segments, before, changes, now)?;
        let request = self.table.client.transact_write_items().set_transact_items(Some(transaction));
        let outcome = match request.send().await {
            Ok(_) => Outcome::Committed,
            Err(error) => outcome_of(error, segments.len())?,
        };
        if matches!(outcome, Outcome::Committed) {
            self.kept.replace(&changes.new_parts, &changes.obsolete);
        }
        Ok(outcome)
    }

    /// The pointers come first: their places are those of the segments.
    fn transaction(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Checkpoint,
        changes: &RollupChanges,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, UsageStoreError> {
        let mut parts =
            Vec::with_capacity(segments.len() + changes.pages.len() + changes.days.len() + changes.corrected.len() + 4);
        for segment in segments {
            parts.push(self.remove_pointer(segment)?);
        }
        parts.extend(self.checkpoint(tenant, &changes.checkpoint, before)?);
        for (key, page) in &changes.pages {
            parts.push(self.put(items::page_item(tenant, key, page))?);
        }
        for day in &changes.days {
            parts.push(self.put(items::seal_key(&self.due(tenant, *day, now)))?);
        }
        for (id, counted) in &changes.corrected {
            parts.push(self.conclude(tenant, *id, CorrectionOutcome::of(*counted))?);
        }
        parts.push(self.count(changes)?);
        if let Some(data) = changes.event(tenant) {
            parts.push(self.state(tenant, changes.checkpoint.sequence, now, data)?);
        }
        Ok(parts)
    }

    /// Replaces a checkpoint by its next version, and the lists of its runs in blocks as far as they changed. Whatever else a
    /// transaction with it writes in the tenant's partition needs no condition of its own.
    pub(super) fn checkpoint(
        &self,
        tenant: TenantId,
        checkpoint: &Checkpoint,
        before: &Checkpoint,
    ) -> Result<Vec<TransactWriteItem>, UsageStoreError> {
        let mut parts =
            vec![self.replace(items::checkpoint_item(tenant, checkpoint), "generation", checkpoint.generation)?];
        for list in items::list_items(tenant, checkpoint, before) {
            parts.push(self.put(list)?);
        }
        Ok(parts)
    }

    /// When a day is to be sealed. One that has its first event when it should have been sealed long ago is
    /// given a quarter of an hour for the rest.
    fn due(&self, tenant: TenantId, day: Timestamp, now: Timestamp) -> DueSeal {
        let usual = WindowSize::Day.end(day) + self.seal_after;
        let soon = WindowSize::Minute.start(now, kernel::BillingAnchor::default()) + LATE_DAY_TIME;
        DueSeal { due: if usual < now { soon } else { usual }, tenant, day }
    }

    /// The row of a fact in the tenant's usage stream.
    pub(super) fn state<T: Fact>(
        &self,
        tenant: TenantId,
        sequence: u64,
        now: Timestamp,
        data: T,
    ) -> Result<TransactWriteItem, UsageStoreError> {
        let envelope = Envelope {
            id: EventId::from_uuid((self.next_id)()),
            region: self.region.clone(),
            stream: Stream::Usage(tenant),
            sequence,
            occurred_at: now,
            data,
        };
        let row = Row::new(Target::Regional, &envelope).map_err(UsageStoreError::unwritable)?;
        Ok(self.outbox.put(&row)?)
    }

    fn put(&self, item: Item) -> Result<TransactWriteItem, UsageStoreError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn remove_pointer(&self, segment: &Segment) -> Result<TransactWriteItem, UsageStoreError> {
        let delete = Delete::builder()
            .table_name(&self.table.name)
            .set_key(Some(items::pending_key(segment.id)))
            .condition_expression("attribute_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Puts an item whose counter is now `next`, on condition that it was one less, or that there was none.
    fn replace(&self, item: Item, counter: &str, next: u64) -> Result<TransactWriteItem, UsageStoreError> {
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = if next == 1 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("#counter = :before")
                .expression_attribute_names("#counter", counter)
                .expression_attribute_values(":before", items::number(next - 1))
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    /// Adds to the record of a correction what came of it.
    fn conclude(
        &self,
        tenant: TenantId,
        id: SegmentId,
        outcome: CorrectionOutcome,
    ) -> Result<TransactWriteItem, UsageStoreError> {
        let CorrectionOutcome { voided, replaced, duplicates, unmatched, replacement_used } = outcome;
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(items::correction_key(tenant, id)))
            .update_expression("SET voided = :v, replaced = :r, duplicates = :d, unmatched = :u, replacement_used = :x")
            .expression_attribute_values(":v", items::number(voided))
            .expression_attribute_values(":r", items::number(replaced))
            .expression_attribute_values(":d", items::number(duplicates))
            .expression_attribute_values(":u", items::number(unmatched))
            .expression_attribute_values(":x", items::number(replacement_used))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Adds to the region's counts.
    fn count(&self, changes: &RollupChanges) -> Result<TransactWriteItem, UsageStoreError> {
        let counted = changes.counted;
        let shard = (self.next_id)().as_bytes()[15];
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(items::stats_key(shard)))
            .update_expression("ADD accepted :a, duplicates :d, conflicts :c")
            .expression_attribute_values(":a", items::number(counted.accepted))
            .expression_attribute_values(":d", items::number(counted.duplicates))
            .expression_attribute_values(":c", items::number(counted.conflicts))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// Reads why a transaction was cancelled: a pointer that is gone, a version that moved on, or both at once by
/// somebody else. Anything else is a failure, and may even have committed.
pub(super) fn outcome_of(
    error: SdkError<TransactWriteItemsError>,
    pointers: usize,
) -> Result<Outcome, UsageStoreError> {
    let action = "settle usage";
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => return Err(UsageStoreError::of(action, error)),
    };
    let code = |reason: &CancellationReason| reason.code().unwrap_or_default().to_owned();
    let codes: Vec<String> = reasons.iter().map(code).collect();
    let gone: Vec<usize> =
        (0..pointers).filter(|at| codes.get(*at).is_some_and(|code| code == "ConditionalCheckFailed")).collect();
    if !gone.is_empty() {
        return Ok(Outcome::SettledBefore(gone));
    }
    let overtaken = |code: &String| matches!(code.as_str(), "ConditionalCheckFailed" | "TransactionConflict");
    let throttled = |code: &String| THROTTLED.contains(&code.as_str());
    if codes.iter().any(|code| overtaken(code) || throttled(code)) {
        return Ok(Outcome::Overtaken);
    }
    Err(UsageStoreError::of(action, error))
}
