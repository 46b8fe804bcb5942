//! Billing runs, and the reads and writes that all items share.

use crate::BillingStore;
use crate::error::StoreError;
use crate::item::{INVOICE_PREFIX, from_item, generation, period_partition, run_key, to_item};
use billing::{InvoiceSummary, Run};
use dynamo::{Error, GENERATION, Item, Write, number};
use kernel::{BillingPeriod, Generation, TenantId};

/// A loaded run, with the version that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// The run.
    pub run: Run,
    pub(crate) generation: Generation,
}

impl BillingStore {
    /// Loads the run of a period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_run(&self, period: BillingPeriod) -> Result<Option<HeldRun>, StoreError> {
        self.get("a run", run_key(period))
            .await?
            .map(held_run)
            .transpose()
    }

    /// Writes a new or changed run. Returns false when another writer was faster.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written.
    pub async fn record_run(
        &self,
        before: Option<&HeldRun>,
        run: &Run,
    ) -> Result<bool, StoreError> {
        let what = "a run";
        let generation = before.map_or(Generation::NONE, |held| held.generation);
        self.put_guarded(what, to_item(what, run_key(run.period), run)?, generation)
            .await
    }

    /// Loads the tenants that have an invoice for a period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_invoiced(&self, period: BillingPeriod) -> Result<Vec<TenantId>, StoreError> {
        let what = "a period's invoices";
        let mut tenants = Vec::new();
        let take = |item| {
            from_item(what, item).map(|invoice: InvoiceSummary| tenants.push(invoice.tenant))
        };
        self.each_item(what, period_partition(period), INVOICE_PREFIX, take)
            .await?;
        Ok(tenants)
    }

    /// Calls `take` for each item of a partition whose sort key begins with a prefix, page by page
    /// and in the order of the keys.
    pub(crate) async fn each_item(
        &self,
        what: &'static str,
        partition: String,
        prefix: &str,
        mut take: impl FnMut(Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut pages = self
            .table
            .query(partition)
            .beginning_with(prefix)
            .consistent()
            .pages();
        while let Some(items) = pages.next().await.map_err(StoreError::read(what))? {
            for item in items {
                take(item)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn get(
        &self,
        what: &'static str,
        key: Item,
    ) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await.map_err(StoreError::read(what))
    }

    /// Writes an item over the generation that was read. False when there is another by now.
    pub(crate) async fn put_guarded(
        &self,
        what: &'static str,
        item: Item,
        generation: Generation,
    ) -> Result<bool, StoreError> {
        let put = self.guarded_put(item, generation);
        Error::is_written(self.table.send(put).await).map_err(StoreError::write(what))
    }

    /// The same, as a part of a transaction.
    pub(crate) fn guarded_put(&self, mut item: Item, generation: Generation) -> Write {
        item.insert(GENERATION.to_owned(), number(generation.next()));
        self.table.put(item).if_generation(generation)
    }
}

pub(crate) fn held_run(item: Item) -> Result<HeldRun, StoreError> {
    let what = "a run";
    let generation = generation(what, Some(&item))?;
    Ok(HeldRun {
        run: from_item(what, item)?,
        generation,
    })
}
