//! Billing runs, and the reads and writes that all items share.

use crate::item::{
    INVOICE_PREFIX, VERSION, counter, from_item, period_partition, run_key, to_item,
};
use crate::{BillingStore, StoreError};
use billing::{InvoiceSummary, Run};
use dynamo::{Error, Item, Write, number};
use kernel::{BillingPeriod, TenantId};

/// A loaded run, with the version that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// The run.
    pub run: Run,
    pub(crate) version: u64,
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
        let version = before.map_or(0, |held| held.version);
        self.put_versioned(what, to_item(what, run_key(run.period), run)?, version)
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

    /// Writes an item over the version that was read, zero for none. Returns false when the version
    /// has changed.
    pub(crate) async fn put_versioned(
        &self,
        what: &'static str,
        item: Item,
        version: u64,
    ) -> Result<bool, StoreError> {
        let put = self.versioned_put(item, version);
        Error::is_written(self.table.send(put).await).map_err(StoreError::write(what))
    }

    /// The same write as a part of a transaction.
    pub(crate) fn versioned_put(&self, mut item: Item, version: u64) -> Write {
        item.insert(VERSION.to_owned(), number(version + 1));
        self.table.put(item).if_counter(VERSION, version)
    }
}

pub(crate) fn held_run(item: Item) -> Result<HeldRun, StoreError> {
    let what = "a run";
    let version = counter(what, Some(&item), VERSION)?;
    Ok(HeldRun {
        run: from_item(what, item)?,
        version,
    })
}
