//! Settling, in one transaction.

use super::cache::Kept;
use super::items::{self, DueSeal};
use super::{CorrectionOutcome, UsageStoreError};
use contract::{Envelope, Fact, Stream};
use dynamo::{Attempts, CONTENTION, Error, Shards, Table, Write, number};
use jiff::SignedDuration;
use kernel::{EventId, RegionCode, SegmentId, TenantId, Timestamp, WindowSize};
use metering::{Counted, Head, Lacking, Segment, Settlement, State, settle};
use outbox::{Outbox, Row, Target};
use std::collections::BTreeSet;
use uuid::Uuid;

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
    /// Somebody else was quicker, or the table failed.
    NotCommitted(Error),
}

impl Outcome {
    /// Of a transaction that begins with so many pointers: one that is gone was removed with what settled it.
    pub(super) fn of(sent: Result<(), Error>, pointers: usize) -> Self {
        match sent {
            Ok(()) => Self::Committed,
            Err(Error::ConditionFailed(places)) if places.iter().any(|place| *place < pointers) => {
                Self::SettledBefore(places.into_iter().filter(|place| *place < pointers).collect())
            }
            Err(error) => Self::NotCommitted(error),
        }
    }
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
        let mut attempts = Attempts::of(CONTENTION);
        while !open.is_empty() {
            let attempt = (self.next_id)();
            let Some((state, settlement)) = self.decide(tenant, &open, attempt, now).await? else {
                if attempts.wait().await {
                    continue;
                }
                return Err(UsageStoreError::Contended);
            };
            match self.write(tenant, &open, &state.head, &settlement, now).await? {
                Outcome::Committed => {
                    let before = segments.len() - open.len();
                    return Ok(Settled { segments: open.len(), before, counted: settlement.counted });
                }
                Outcome::SettledBefore(places) => {
                    let mut place = 0..;
                    open.retain(|_| !place.next().is_some_and(|place| places.contains(&place)));
                }
                Outcome::NotCommitted(error) => {
                    attempts.again(error).await.map_err(UsageStoreError::of("settle usage"))?;
                }
            }
        }
        Ok(Settled { before: segments.len(), ..Settled::default() })
    }

    /// Decides what settling ends in, on the head as it is now, and reads what that takes of the indexes; nothing when a part
    /// of them has expired since the head was read, or is erased.
    pub(super) async fn decide(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        attempt: Uuid,
        now: Timestamp,
    ) -> Result<Option<(State, Settlement)>, UsageStoreError> {
        let mut state = self.load(tenant, segments, now).await?;
        let mut lacked = BTreeSet::new();
        loop {
            match settle(&state, segments, attempt, now) {
                Ok(settlement) => return Ok(Some((state, settlement))),
                Err(Lacking { parts }) if parts.is_subset(&lacked) => return Ok(None),
                Err(Lacking { parts }) => {
                    lacked.extend(&parts);
                    self.load_parts(tenant, parts, &mut state).await?;
                }
            }
        }
    }

    /// Writes new runs, then commits the head that names them. What no head names, be it merged or in vain, expires: to
    /// delete it would cost as much as it did to write.
    async fn write(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Head,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Outcome, UsageStoreError> {
        let parts = settlement.written.iter().flat_map(|part| items::part_items(tenant, part)).collect();
        self.table.put_all(parts).await.map_err(UsageStoreError::of("store an index"))?;
        let transaction = self.transaction(tenant, segments, before, settlement, now)?;
        let outcome = Outcome::of(self.table.transact(transaction).await, segments.len());
        if matches!(outcome, Outcome::Committed) {
            self.kept.replace(&settlement.written, &settlement.obsolete);
        }
        Ok(outcome)
    }

    /// The pointers come first: their places are those of the segments.
    fn transaction(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        before: &Head,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Vec<Write>, UsageStoreError> {
        let mut parts = Vec::with_capacity(
            segments.len() + settlement.pages.len() + settlement.days.len() + settlement.corrected.len() + 4,
        );
        let pointers = segments.iter().map(|segment| items::pending_key(segment.id));
        parts.extend(pointers.map(|pointer| self.table.delete(pointer).if_present()));
        parts.extend(self.heads(tenant, &settlement.head, before));
        parts.extend(settlement.pages.iter().map(|(key, page)| self.table.put(items::page_item(tenant, key, page))));
        let due = |day: &Timestamp| items::seal_key(&self.due(tenant, *day, now));
        parts.extend(settlement.days.iter().map(|day| self.table.put(due(day))));
        for (id, counted) in &settlement.corrected {
            parts.push(self.conclude(tenant, *id, CorrectionOutcome::of(*counted)));
        }
        parts.push(self.count(settlement));
        if let Some(data) = settlement.fact(tenant) {
            parts.push(self.state(tenant, settlement.head.sequence, now, data)?);
        }
        Ok(parts)
    }

    /// Replaces a head by its next version, and the lists of its runs in blocks as far as they changed. Whatever else a
    /// transaction with it writes in the tenant's partition needs no condition of its own.
    pub(super) fn heads(&self, tenant: TenantId, head: &Head, before: &Head) -> Vec<Write> {
        let replaced = self.table.put(items::head_item(tenant, head)).if_counter("version", before.version);
        let lists = items::list_items(tenant, head, before).into_iter().map(|list| self.table.put(list));
        [replaced].into_iter().chain(lists).collect()
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

    /// Adds to the record of a correction what came of it.
    fn conclude(&self, tenant: TenantId, id: SegmentId, outcome: CorrectionOutcome) -> Write {
        let CorrectionOutcome { voided, replaced, duplicates, unmatched, replacement_used } = outcome;
        let change = "SET voided = :v, replaced = :r, duplicates = :d, unmatched = :u, replacement_used = :x";
        self.table
            .update(items::correction_key(tenant, id), change)
            .value(":v", number(voided))
            .value(":r", number(replaced))
            .value(":d", number(duplicates))
            .value(":u", number(unmatched))
            .value(":x", number(replacement_used))
    }

    /// Adds to the region's counts.
    fn count(&self, settlement: &Settlement) -> Write {
        let counted = settlement.counted;
        let seed = Shards::seed(&(self.next_id)());
        self.table
            .update(items::stats_key(seed), "ADD accepted :a, duplicates :d, conflicts :c")
            .value(":a", number(counted.accepted))
            .value(":d", number(counted.duplicates))
            .value(":c", number(counted.conflicts))
    }
}
