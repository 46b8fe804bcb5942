//! Billing runs, and what items have in common.

use crate::contention::is_refused;
use crate::item::{
    INVOICE_PREFIX, Item, VERSION, counter, from_item, number, period_partition, run_key, text, to_item,
};
use crate::{BillingStore, StoreError};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use billing::{InvoiceSummary, Run};
use kernel::{BillingPeriod, TenantId};

/// A run as it was read, with the version that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// The run.
    pub run: Run,
    pub(crate) version: u64,
}

impl BillingStore {
    /// The run of a period.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_run(&self, period: BillingPeriod) -> Result<Option<HeldRun>, StoreError> {
        self.get("a run", run_key(period)).await?.map(held_run).transpose()
    }

    /// Records a run that starts or changes. False when somebody else was faster.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_run(&self, before: Option<&HeldRun>, run: &Run) -> Result<bool, StoreError> {
        let what = "a run";
        let version = before.map_or(0, |held| held.version);
        self.put_versioned(what, to_item(what, run_key(run.period), run)?, version).await
    }

    /// The tenants that have an invoice for a period.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_invoiced(&self, period: BillingPeriod) -> Result<Vec<TenantId>, StoreError> {
        let what = "a period's invoices";
        let mut tenants = Vec::new();
        let take = |item| from_item(what, item).map(|invoice: InvoiceSummary| tenants.push(invoice.tenant));
        self.each_item(what, period_partition(period), INVOICE_PREFIX, take).await?;
        Ok(tenants)
    }

    /// Takes each item of a partition whose sort key begins with a prefix, page by page, in the order of these keys.
    pub(crate) async fn each_item(
        &self,
        what: &'static str,
        partition: String,
        prefix: &str,
        mut take: impl FnMut(Item) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.expression_attribute_values(":partition", text(partition));
        // A condition on a key takes no empty text.
        let query = match prefix {
            "" => query.key_condition_expression("pk = :partition"),
            _ => query
                .key_condition_expression("pk = :partition AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", text(prefix)),
        };
        let mut items = query.into_paginator().items().send();
        while let Some(item) = items.next().await {
            take(item.map_err(StoreError::read(what))?)?;
        }
        Ok(())
    }

    pub(crate) async fn get(&self, what: &'static str, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        get.send().await.map(|found| found.item).map_err(StoreError::read(what))
    }

    /// Writes an item over the version that was read, zero for none. False when there is another by now.
    pub(crate) async fn put_versioned(&self, what: &'static str, item: Item, version: u64) -> Result<bool, StoreError> {
        let guarded = Guarded::new(item, version);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(guarded.item))
            .condition_expression(guarded.condition)
            .set_expression_attribute_values(guarded.values);
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(StoreError::write(what)(error)),
        }
    }

    /// The same, as a part of a transaction.
    pub(crate) fn versioned_put(
        &self,
        what: &'static str,
        item: Item,
        version: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let guarded = Guarded::new(item, version);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(guarded.item))
            .condition_expression(guarded.condition)
            .set_expression_attribute_values(guarded.values);
        let put = put.build().map_err(StoreError::unbuilt(what))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// An item with its next version, and the condition that nobody wrote it in between.
struct Guarded {
    item: Item,
    condition: &'static str,
    values: Option<Item>,
}

impl Guarded {
    fn new(mut item: Item, version: u64) -> Self {
        item.insert(VERSION.to_owned(), number(version + 1));
        if version == 0 {
            return Self { item, condition: "attribute_not_exists(pk)", values: None };
        }
        let values: Item = [(":version".to_owned(), number(version))].into();
        Self { item, condition: "version = :version", values: Some(values) }
    }
}

pub(crate) fn held_run(item: Item) -> Result<HeldRun, StoreError> {
    let what = "a run";
    let version = counter(what, Some(&item), VERSION)?;
    Ok(HeldRun { run: from_item(what, item)?, version })
}
