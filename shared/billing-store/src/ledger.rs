//! The ledger: windows of usage, and which reports of them have arrived.

use crate::contention::{ATTEMPTS_MAX, is_refused, pause};
use crate::item::{VERSION, counter, from_item, ledger_partition, number, received_key, text, to_item, window_key};
use crate::{BillingStore, StoreError};
use billing::Received;
use contract::{UsageWindow, UsageWindowUpdated};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kernel::{BillingPeriod, RegionCode, TenantId};

/// How many windows of a report are written at once.
const CONCURRENCY: usize = 16;

impl BillingStore {
    /// Keeps each window's highest revision, whatever the order in which reports arrive.
    ///
    /// # Errors
    /// When the table cannot be written; windows that were written stay, and come to the same again.
    pub async fn record_windows(&self, usage: &UsageWindowUpdated) -> Result<(), StoreError> {
        let write = |window| self.record_window(usage.tenant, window);
        stream::iter(&usage.windows).map(write).buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn record_window(&self, tenant: TenantId, window: &UsageWindow) -> Result<(), StoreError> {
        let what = "a window";
        let item = to_item(what, window_key(tenant, &window.meter, window.start), window)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(pk) OR revision < :revision")
            .expression_attribute_values(":revision", number(window.revision));
        match put.send().await {
            Err(error) if !is_refused(&error) => Err(StoreError::write(what)(error)),
            _ => Ok(()),
        }
    }

    /// The windows of a tenant's period.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_windows(&self, tenant: TenantId, period: BillingPeriod) -> Result<Vec<UsageWindow>, StoreError> {
        let what = "windows";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", text(ledger_partition(tenant, period)))
            .into_paginator()
            .items()
            .send();
        let mut windows = Vec::new();
        while let Some(item) = pages.next().await {
            windows.push(from_item(what, item.map_err(StoreError::read(what))?)?);
        }
        Ok(windows)
    }

    /// Notes that a usage report of a tenant has arrived. Called after its windows are recorded, so that
    /// what is noted is in the ledger.
    ///
    /// # Errors
    /// When the table does not do it, or the report is too far ahead of those that are missing.
    pub async fn record_received(&self, tenant: TenantId, region: &RegionCode, report: u64) -> Result<(), StoreError> {
        let what = "received reports";
        for attempt in 0..ATTEMPTS_MAX {
            let key = received_key(tenant, region);
            let found = self.get(what, key.clone()).await?;
            let version = counter(what, found.as_ref(), VERSION)?;
            let received: Received = found.map_or_else(|| Ok(Received::default()), |item| from_item(what, item))?;
            let Some(received) = received.mark(report).map_err(StoreError::Gaps)? else {
                return Ok(());
            };
            let item = to_item(what, key, &received)?;
            if self.put_versioned(what, item, version).await? {
                return Ok(());
            }
            pause(tenant, attempt).await;
        }
        Err(StoreError::Contended { what, attempts: ATTEMPTS_MAX })
    }
}
