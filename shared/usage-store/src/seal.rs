//! Sealing days, stating sealed days again, and stating where a tenant's facts end.

use crate::UsageStoreError;
use crate::items::{self, DueSeal, SEAL_SHARDS};
use crate::settler::{Outcome, Settler};
use dynamo::{Attempts, CONTENTION, Write};
use kernel::{BillingAnchor, Generation, TenantId, Timestamp, WindowSize};
use metering::{Checkpoint, Page, PageKey, Statement, restate, seal, state_end};
use std::collections::BTreeMap;

/// What became of the wish to state a day again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It is stated again.
    Stated,
    /// The day is not sealed: what there is of it has been stated, and will be when it changes.
    NothingSealed,
}

impl Settler {
    /// The days whose time to be sealed has come, at most `limit` of each of the 8 partitions, the
    /// oldest first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn due_seals(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<DueSeal>, UsageStoreError> {
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

    /// Seals a day, once: the seal is stated in the transaction that ends its being due.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again is always right.
    pub async fn seal(&self, due: &DueSeal, now: Timestamp) -> Result<(), UsageStoreError> {
        let done = self.table.delete(items::seal_key(due)).if_present();
        let stated = self.state_day(due.tenant, due.day, now, vec![done], |checkpoint, pages| {
            match checkpoint.generation {
                // The tenant was erased.
                Generation::NONE => None,
                _ => Some(seal(checkpoint, due.tenant, due.day, pages)),
            }
        });
        if !stated.await? {
            let forgotten = self
                .table
                .send(self.table.delete(items::seal_key(due)))
                .await;
            forgotten.map_err(UsageStoreError::of("forget a seal"))?;
        }
        Ok(())
    }

    /// States a sealed day's totals and its seal again.
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
        let stated = self
            .state_day(tenant, day, now, Vec::new(), |checkpoint, pages| {
                restate(checkpoint, tenant, day, pages)
            })
            .await?;
        Ok(if stated {
            Resent::Stated
        } else {
            Resent::NothingSealed
        })
    }

    /// States where the stream of the tenant's facts ends; whether it has one.
    ///
    /// # Errors
    /// When the table fails, or others were quicker too often. Calling it again states it once
    /// more.
    pub async fn state_end(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<bool, UsageStoreError> {
        let stated = self.state_all(tenant, Vec::new(), async |before| {
            let Some((checkpoint, end)) = state_end(before, tenant) else {
                return Ok(None);
            };
            let facts = vec![self.state(tenant, checkpoint.sequence, now, end)?];
            Ok(Some((checkpoint, facts)))
        });
        stated.await
    }

    /// Decides what is to be stated of a day, and states it, see [`Settler::state_all`].
    async fn state_day(
        &self,
        tenant: TenantId,
        day: Timestamp,
        now: Timestamp,
        first: Vec<Write>,
        decide: impl Fn(&Checkpoint, &BTreeMap<PageKey, Page>) -> Option<Statement>,
    ) -> Result<bool, UsageStoreError> {
        let stated = self.state_all(tenant, first, async |before| {
            let pages = self.totals(tenant, day).await?;
            let Some(Statement {
                checkpoint,
                totals,
                seal,
            }) = decide(before, &pages)
            else {
                return Ok(None);
            };
            let mut facts = Vec::with_capacity(totals.len() + 1);
            for (sequence, totals) in (before.sequence + 1..).zip(totals) {
                facts.push(self.state(tenant, sequence, now, totals)?);
            }
            facts.push(self.state(tenant, checkpoint.sequence, now, seal)?);
            Ok(Some((checkpoint, facts)))
        });
        stated.await
    }

    /// Decides what is to be stated, with the next checkpoint, and writes it on condition that
    /// nobody changed the checkpoint, and on those of `first`; whether anything is stated. If
    /// `first` is refused, somebody else has done it.
    async fn state_all(
        &self,
        tenant: TenantId,
        first: Vec<Write>,
        decide: impl AsyncFn(&Checkpoint) -> Result<Option<(Checkpoint, Vec<Write>)>, UsageStoreError>,
    ) -> Result<bool, UsageStoreError> {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let (before, _) = self.load_checkpoint(tenant, Vec::new()).await?;
            let Some((checkpoint, facts)) = decide(&before).await? else {
                return Ok(false);
            };
            let mut parts = first.clone();
            parts.extend(self.checkpoint(tenant, &checkpoint, &before));
            parts.extend(facts);
            match Outcome::of(self.table.transact(parts).await, first.len()) {
                Outcome::Committed => return Ok(true),
                Outcome::SettledBefore(_) => return Ok(false),
                Outcome::NotCommitted(error) => {
                    attempts
                        .again(error)
                        .await
                        .map_err(UsageStoreError::of("state usage"))?;
                }
            }
        }
    }

    /// The totals of the billing period that a day is in. To be read after the checkpoint, see
    /// [`Settler::load_checkpoint`].
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
