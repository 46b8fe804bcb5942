//! Sealing days, stating sealed days again, and stating where a tenant's bus events end.

use crate::UsageStoreError;
use crate::items::{self, SEAL_SHARDS, SealTask};
use crate::rollup_writer::{CommitResult, RollupWriter};
use dynamo::{Attempts, CONTENTION, Write};
use kernel::{BillingAnchor, Generation, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, DayPublication, Page, PageKey, report_end, republish, seal};
use std::collections::BTreeMap;

/// What became of the wish to state a day again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It is published again.
    Stated,
    /// The day is not sealed: what there is of it has been published, and will be when it changes.
    NothingSealed,
}

impl RollupWriter {
    /// The days whose time to be sealed has come, at most `limit` of each of the 8 partitions, the
    /// oldest first.
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
                .map_err(UsageStoreError::of("list the days to be sealed"))?
                .items
            {
                due.push(items::due_seal(item)?);
            }
        }
        Ok(due)
    }

    /// Seals a day, once: the seal is published in the transaction that ends its being due.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again is always right.
    pub async fn seal(&self, due: &SealTask, now: Timestamp) -> Result<(), UsageStoreError> {
        let done = self.table.delete(items::seal_key(due)).if_present();
        let published =
            self.publish_day(due.tenant, due.day, now, vec![done], |checkpoint, pages| {
                match checkpoint.generation {
                    // The tenant was erased.
                    Generation::NONE => None,
                    _ => Some(seal(checkpoint, due.tenant, due.day, pages)),
                }
            });
        if !published.await? {
            let forgotten = self
                .table
                .send(self.table.delete(items::seal_key(due)))
                .await;
            forgotten.map_err(UsageStoreError::of("forget a seal"))?;
        }
        Ok(())
    }

    /// Publishes a sealed day's totals and its seal again.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again states them once
    /// more.
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
            Resent::Stated
        } else {
            Resent::NothingSealed
        })
    }

    /// Publishes where the stream of the tenant's bus events ends; whether it has one.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again states it once
    /// more.
    pub async fn report_end(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<bool, UsageStoreError> {
        let published = self.publish_all(tenant, Vec::new(), async |before| {
            let Some((checkpoint, end)) = report_end(before, tenant) else {
                return Ok(None);
            };
            let bus_events = vec![self.state(tenant, checkpoint.sequence, now, end)?];
            Ok(Some((checkpoint, bus_events)))
        });
        published.await
    }

    /// Decides what is to be published of a day, and states it, see [`RollupWriter::publish_all`].
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
                bus_events.push(self.state(tenant, sequence, now, totals)?);
            }
            bus_events.push(self.state(tenant, checkpoint.sequence, now, seal)?);
            Ok(Some((checkpoint, bus_events)))
        });
        published.await
    }

    /// Decides what is to be published, with the next checkpoint, and writes it on condition that
    /// nobody changed the checkpoint, and on those of `first`; whether anything is published. If
    /// `first` is refused, somebody else has done it.
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
                        .map_err(UsageStoreError::of("state usage"))?;
                }
            }
        }
    }

    /// The totals of the billing period that a day is in. To be read after the checkpoint, see
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
