//! Rolls up segments of a tenant in one transaction.

use crate::UsageStoreError;
use crate::cache::BlockCache;
use crate::corrections::CorrectionOutcome;
use crate::items::{self, SealTask};
use contract::{BusEvent, Envelope, Stream};
use dedupe::Blocks;
use dynamo::{Attempts, CONTENTION, Error, Shards, Table, Write, number};
use jiff::SignedDuration;
use kernel::{EventId, RegionCode, SegmentId, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, Counted, Rollup, RollupChanges, Segment};
use outbox::{Outbox, Row, Target};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The memory of the smallest Lambda function, for a writer that was not given a size.
const MEMORY_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// How long a day stays open whose first event arrives after the day was due to be sealed: the
/// client usually has more late events of that day.
const LATE_DAY_TIME: SignedDuration = SignedDuration::from_mins(15);

/// Rolls up segments, and seals days.
#[derive(Debug)]
pub struct RollupWriter {
    pub(crate) table: Table,
    pub(crate) cache: BlockCache,
    outbox: Outbox,
    region: RegionCode,
    seal_after: SignedDuration,
    next_id: fn() -> Uuid,
}

/// The result of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolledUp {
    /// The number of segments that this call rolled up.
    pub segments: usize,
    /// The number of segments that had been rolled up before.
    pub before: usize,
    /// The events of the former, by their result.
    pub counted: Counted,
}

/// The result of a transaction.
pub(crate) enum CommitResult {
    Committed,
    /// Some segments had been rolled up before. Holds their indexes in the list.
    AlreadyRolledUp(Vec<usize>),
    /// A concurrent writer was faster, or the table failed.
    NotCommitted(Error),
}

impl CommitResult {
    /// The result of a transaction that begins with the removal of `markers` pending markers. A
    /// missing marker was removed by the transaction that rolled its segment up.
    pub(crate) fn of(sent: Result<(), Error>, markers: usize) -> Self {
        match sent {
            Ok(()) => Self::Committed,
            Err(Error::ConditionFailed(places)) if places.iter().any(|place| *place < markers) => {
                Self::AlreadyRolledUp(
                    places
                        .into_iter()
                        .filter(|place| *place < markers)
                        .collect(),
                )
            }
            Err(error) => Self::NotCommitted(error),
        }
    }
}

impl RollupWriter {
    /// Rolls up usage in a table, and publishes bus events of a region. A day is sealed
    /// `seal_after` its end. `next_id` makes the ids of bus events and attempts.
    #[must_use]
    pub fn new(
        config: &aws_types::SdkConfig,
        table: String,
        outbox: Outbox,
        region: RegionCode,
        seal_after: SignedDuration,
        next_id: fn() -> Uuid,
    ) -> Self {
        let (table, cache) = (
            Table::new(config, table),
            BlockCache::within(MEMORY_BYTES_MIN),
        );
        Self {
            table,
            cache,
            outbox,
            region,
            seal_after,
            next_id,
        }
    }

    /// The same writer in a function with `memory_bytes` of memory. Two thirds of it cache the
    /// indexes.
    #[must_use]
    pub fn within_memory(self, memory_bytes: u64) -> Self {
        Self {
            cache: BlockCache::within(memory_bytes),
            ..self
        }
    }

    /// Rolls up segments of one tenant that fit one transaction, see [`metering::batches`]. Each
    /// segment is rolled up once, however often and by however many callers this is called.
    ///
    /// # Errors
    /// When the table fails, or concurrent writers collide too often. The call may always be
    /// repeated.
    pub async fn roll_up(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<RolledUp, UsageStoreError> {
        let mut open = segments.to_vec();
        let mut attempts = Attempts::of(CONTENTION);
        while !open.is_empty() {
            let attempt = (self.next_id)();
            let Some((before, _, changes)) = self.decide(tenant, &open, attempt, now).await? else {
                if attempts.wait().await {
                    continue;
                }
                return Err(UsageStoreError::Contended);
            };
            match self.write(tenant, &open, &before, &changes, now).await? {
                CommitResult::Committed => {
                    let before = segments.len() - open.len();
                    return Ok(RolledUp {
                        segments: open.len(),
                        before,
                        counted: changes.counted,
                    });
                }
                CommitResult::AlreadyRolledUp(places) => {
                    let mut place = 0..;
                    open.retain(|_| !place.next().is_some_and(|place| places.contains(&place)));
                }
                CommitResult::NotCommitted(error) => {
                    attempts
                        .again(error)
                        .await
                        .map_err(UsageStoreError::of("roll up usage"))?;
                }
            }
        }
        Ok(RolledUp {
            before: segments.len(),
            ..RolledUp::default()
        })
    }

    /// Decides the rollup of segments on the present checkpoint. Returns that checkpoint, the
    /// loaded index blocks, and the changes. Returns none when a block has expired or was erased
    /// after the checkpoint was read; the next attempt reads a newer checkpoint.
    pub(crate) async fn decide(
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
            // A block that is still missing after it was requested does not exist any more.
            if missing.blocks.is_subset(&requested) {
                return Ok(None);
            }
            requested.extend(&missing.blocks);
            self.load_blocks(tenant, missing, &snapshot.checkpoint, &mut blocks)
                .await?;
        }
        let changes = rollup.finish(attempt, &blocks).ok();
        Ok(changes.map(|changes| (snapshot.checkpoint, blocks, changes)))
    }

    /// Writes new runs, then commits the checkpoint that names them. Runs that no checkpoint names,
    /// because they were merged or their commit failed, expire: deleting them would cost as much as
    /// writing them did.
    async fn write(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Checkpoint,
        changes: &RollupChanges,
        now: Timestamp,
    ) -> Result<CommitResult, UsageStoreError> {
        let parts = changes
            .new_parts
            .iter()
            .flat_map(|part| items::part_items(tenant, part))
            .collect();
        self.table
            .put_all(parts)
            .await
            .map_err(UsageStoreError::of("store an index"))?;
        let transaction = self.transaction(tenant, segments, before, changes, now)?;
        let result = CommitResult::of(self.table.transact(transaction).await, segments.len());
        if matches!(result, CommitResult::Committed) {
            self.cache.replace(&changes.new_parts, &changes.obsolete);
        }
        Ok(result)
    }

    /// The writes of a rollup. The pending markers come first, so that the index of a refused
    /// condition is that of its segment, see [`CommitResult::of`].
    fn transaction(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Checkpoint,
        changes: &RollupChanges,
        now: Timestamp,
    ) -> Result<Vec<Write>, UsageStoreError> {
        let mut parts = Vec::with_capacity(
            segments.len() + changes.pages.len() + changes.days.len() + changes.corrected.len() + 4,
        );
        let markers = segments
            .iter()
            .map(|segment| items::pending_key(segment.id));
        parts.extend(markers.map(|marker| self.table.delete(marker).if_present()));
        parts.extend(self.checkpoint(tenant, &changes.checkpoint, before));
        parts.extend(
            changes
                .pages
                .iter()
                .map(|(key, page)| self.table.put(items::page_item(tenant, key, page))),
        );
        let due = |day: &Timestamp| items::seal_key(&self.due(tenant, *day, now));
        parts.extend(changes.days.iter().map(|day| self.table.put(due(day))));
        for (id, counted) in &changes.corrected {
            parts.push(self.conclude(tenant, *id, CorrectionOutcome::of(*counted)));
        }
        parts.push(self.count(changes));
        if let Some(data) = changes.event(tenant) {
            parts.push(self.outbox_row(tenant, changes.checkpoint.sequence, now, data)?);
        }
        Ok(parts)
    }

    /// Replaces a checkpoint by its next generation, with those of its lists of runs that changed.
    /// The other writes of the transaction in the tenant's partition need no condition of their
    /// own, because every writer replaces the checkpoint.
    pub(crate) fn checkpoint(
        &self,
        tenant: TenantId,
        checkpoint: &Checkpoint,
        before: &Checkpoint,
    ) -> Vec<Write> {
        let replaced = self
            .table
            .put(items::checkpoint_item(tenant, checkpoint))
            .if_generation(before.generation);
        let lists = items::list_items(tenant, checkpoint, before)
            .into_iter()
            .map(|list| self.table.put(list));
        [replaced].into_iter().chain(lists).collect()
    }

    /// The task to seal a day. A day that is already past its time is sealed [`LATE_DAY_TIME`]
    /// from now.
    fn due(&self, tenant: TenantId, day: Timestamp, now: Timestamp) -> SealTask {
        let usual = WindowSize::Day.end(day) + self.seal_after;
        // Whole minutes: rollups of the same minute write the same task.
        let soon = WindowSize::Minute.start(now, kernel::BillingAnchor::default()) + LATE_DAY_TIME;
        SealTask {
            due: if usual < now { soon } else { usual },
            tenant,
            day,
        }
    }

    /// The outbox row of a bus event in the tenant's usage stream.
    pub(crate) fn outbox_row<T: BusEvent>(
        &self,
        tenant: TenantId,
        sequence: u64,
        now: Timestamp,
        data: T,
    ) -> Result<Write, UsageStoreError> {
        let envelope = Envelope {
            id: EventId::from_uuid((self.next_id)()),
            region: self.region.clone(),
            stream: Stream::Usage(tenant),
            sequence,
            occurred_at: now,
            data,
        };
        let row = Row::new(Target::Regional, &envelope).map_err(UsageStoreError::unwritable)?;
        Ok(self.outbox.put(&row))
    }

    /// Adds its result to the record of a correction.
    fn conclude(&self, tenant: TenantId, id: SegmentId, outcome: CorrectionOutcome) -> Write {
        let CorrectionOutcome {
            voided,
            replaced,
            duplicates,
            unmatched,
            replacement_used,
        } = outcome;
        let change = "SET voided = :v, replaced = :r, duplicates = :d, unmatched = :u, replacement_used = :x";
        self.table
            .update(items::correction_key(tenant, id), change)
            .value(":v", number(voided))
            .value(":r", number(replaced))
            .value(":d", number(duplicates))
            .value(":u", number(unmatched))
            .value(":x", number(replacement_used))
    }

    /// Adds to the region's counts, in a random one of their items: transactions on the same item
    /// collide.
    fn count(&self, changes: &RollupChanges) -> Write {
        let counted = changes.counted;
        let seed = Shards::seed(&(self.next_id)());
        self.table
            .update(
                items::stats_key(seed),
                "ADD accepted :a, duplicates :d, conflicts :c",
            )
            .value(":a", number(counted.accepted))
            .value(":d", number(counted.duplicates))
            .value(":c", number(counted.conflicts))
    }
}
