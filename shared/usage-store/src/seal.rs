//! Seals days, publishes sealed days again, and publishes where a tenant's usage stream ends.

use crate::UsageStoreError;
use crate::items::{self, SEAL_SHARDS, SealTask};
use crate::rollup_writer::{CommitResult, RollupWriter};
use dynamo::{Attempts, CONTENTION, Write};
use kernel::{BillingAnchor, Generation, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, DayPublication, Page, PageKey, report_end, republish, seal};
use std::collections::BTreeMap;

/// The result of a request to publish a day again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// The day's totals and seal are published again.
    Published,
    /// The day is not sealed. Its totals so far have been published, and are published again with
    /// their next change.
    NotSealed,
}

impl RollupWriter {
    /// The days that are due to be sealed, at most `limit` per partition, the oldest first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn due_seals(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<SealTask>, UsageStoreError> {
        let mut due = Vec::new();
        for shard in SEAL_SHARDS.all() {
            let query = self
                .table
                .query(items::seal_partition(shard))
                .before(items::seal_sort(now))
                .limit(limit);
            for item in &query
                .page()
                .await
                .map_err(UsageStoreError::of("list the days due to be sealed"))?
                .items
            {
                due.push(items::due_seal(item)?);
            }
        }
        Ok(due)
    }

    /// Seals a day once: one transaction publishes the seal and removes the task.
    ///
    /// # Errors
    /// When the table fails, or concurrent writers collide too often. The call may always be
    /// repeated.
    pub async fn seal(&self, due: &SealTask, now: Timestamp) -> Result<(), UsageStoreError> {
        let done = self.table.delete(items::seal_key(due)).if_present();
        let published =
            self.publish_day(due.tenant, due.day, now, vec![done], |checkpoint, pages| {
                match checkpoint.generation {
                    // The tenant is erased: a new checkpoint would be usage that nothing erases.
                    Generation::NONE => None,
                    _ => Some(seal(checkpoint, due.tenant, due.day, pages)),
                }
            });
        if !published.await? {
            let removed = self
                .table
                .send(self.table.delete(items::seal_key(due)))
                .await;
            removed.map_err(UsageStoreError::of("remove a seal task"))?;
        }
        Ok(())
    }

    /// Publishes a sealed day's totals and its seal again.
    ///
    /// # Errors
    /// When the table fails, or concurrent writers collide too often. A repeated call publishes
    /// them once more.
    pub async fn resend(
        &self,
        tenant: TenantId,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<Resent, UsageStoreError> {
        let published = self
            .publish_day(tenant, day, now, Vec::new(), |checkpoint, pages| {
                republish(checkpoint, tenant, day, pages)
            })
            .await?;
        Ok(if published {
            Resent::Published
        } else {
            Resent::NotSealed
        })
    }

    /// Publishes the end of a tenant's usage stream. Returns false for a tenant without a stream.
    ///
    /// # Errors
    /// When the table fails, or concurrent writers collide too often. A repeated call publishes it
    /// once more.
    pub async fn report_end(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<bool, UsageStoreError> {
        let published = self.publish_all(tenant, Vec::new(), async |before| {
            let Some((checkpoint, end)) = report_end(before, tenant) else {
                return Ok(None);
            };
            let bus_events = vec![self.outbox_row(tenant, checkpoint.sequence, now, end)?];
            Ok(Some((checkpoint, bus_events)))
        });
        published.await
    }

    /// Publishes the totals and the seal of a day that `decide` returns, see
    /// [`RollupWriter::publish_all`].
    async fn publish_day(
        &self,
        tenant: TenantId,
        day: Timestamp,
        now: Timestamp,
        first: Vec<Write>,
        decide: impl Fn(&Checkpoint, &BTreeMap<PageKey, Page>) -> Option<DayPublication>,
    ) -> Result<bool, UsageStoreError> {
        let published = self.publish_all(tenant, first, async |before| {
            let pages = self.totals(tenant, day).await?;
            let Some(DayPublication {
                checkpoint,
                totals,
                seal,
            }) = decide(before, &pages)
            else {
                return Ok(None);
            };
            let mut bus_events = Vec::with_capacity(totals.len() + 1);
            for (sequence, totals) in (before.sequence + 1..).zip(totals) {
                bus_events.push(self.outbox_row(tenant, sequence, now, totals)?);
            }
            // The seal has the last number: its receiver then has all totals under it.
            bus_events.push(self.outbox_row(tenant, checkpoint.sequence, now, seal)?);
            Ok(Some((checkpoint, bus_events)))
        });
        published.await
    }

    /// Writes the bus events and the next checkpoint that `decide` returns, on condition that
    /// nobody changed the checkpoint, and on the conditions of the writes in `first`. Returns
    /// whether anything was published. A refused condition of `first` means that another invocation
    /// has published it.
    async fn publish_all(
        &self,
        tenant: TenantId,
        first: Vec<Write>,
        decide: impl AsyncFn(&Checkpoint) -> Result<Option<(Checkpoint, Vec<Write>)>, UsageStoreError>,
    ) -> Result<bool, UsageStoreError> {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let (before, _) = self.load_checkpoint(tenant, Vec::new()).await?;
            let Some((checkpoint, bus_events)) = decide(&before).await? else {
                return Ok(false);
            };
            let mut parts = first.clone();
            parts.extend(self.checkpoint(tenant, &checkpoint, &before));
            parts.extend(bus_events);
            match CommitResult::of(self.table.transact(parts).await, first.len()) {
                CommitResult::Committed => return Ok(true),
                CommitResult::AlreadyRolledUp(_) => return Ok(false),
                CommitResult::NotCommitted(error) => {
                    attempts
                        .again(error)
                        .await
                        .map_err(UsageStoreError::of("publish usage"))?;
                }
            }
        }
    }

    /// The totals of a day's billing period. Load the checkpoint first, see
    /// [`RollupWriter::load_checkpoint`].
    async fn totals(
        &self,
        tenant: TenantId,
        day: Timestamp,
    ) -> Result<BTreeMap<PageKey, Page>, UsageStoreError> {
        let anchor = BillingAnchor::of_day(day);
        let prefix = items::totals_prefix(WindowSize::Month.start(day, anchor));
        let mut pages = BTreeMap::new();
        let query = self
            .table
            .query(items::tenant_partition(tenant))
            .beginning_with(&prefix)
            .consistent();
        let mut found = query.pages();
        while let Some(items) = found
            .next()
            .await
            .map_err(UsageStoreError::of("load totals"))?
        {
            for item in &items {
                pages.extend([items::page(item)?]);
            }
        }
        Ok(pages)
    }
}
