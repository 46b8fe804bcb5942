//! The ledger: the totals of usage.

use crate::BillingStore;
use crate::error::StoreError;
use crate::item::{
    WINDOW_PREFIX, from_item, ledger_partition, to_item, window_key, windows_prefix,
};
use contract::{SealDigest, UsageWindow, UsageWindowUpdated};
use dynamo::{Error, number};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kernel::{BillingPeriod, TenantId, Timestamp, WindowSize};
use serde::de::DeserializeOwned;

/// The number of windows of a report that are written at once.
const CONCURRENCY: usize = 16;

impl BillingStore {
    /// Stores the windows of a report. The highest revision of each window wins, whatever the order
    /// of reports.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written. Some windows may be stored; writing the
    /// report again is safe.
    pub async fn record_windows(&self, usage: &UsageWindowUpdated) -> Result<(), StoreError> {
        let write = |window| self.record_window(usage.tenant, window);
        stream::iter(&usage.windows)
            .map(write)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn record_window(
        &self,
        tenant: TenantId,
        window: &UsageWindow,
    ) -> Result<(), StoreError> {
        let what = "a window";
        let item = to_item(what, window_key(tenant, window), window)?;
        let put = self
            .table
            .put(item)
            .when("attribute_not_exists(pk) OR revision < :revision");
        let put = put.value(":revision", number(window.revision));
        // A refused write means that the same or a higher revision is stored.
        Error::is_written(self.table.send(put).await)
            .map(|_| ())
            .map_err(StoreError::write(what))
    }

    /// Loads the windows of a tenant's period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_windows(
        &self,
        tenant: TenantId,
        period: BillingPeriod,
    ) -> Result<Vec<UsageWindow>, StoreError> {
        self.load_ledger("windows", tenant, period, WINDOW_PREFIX)
            .await
    }

    /// Loads the totals that are sealed with a day, see [`SealDigest::covers`].
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_day(
        &self,
        tenant: TenantId,
        day: Timestamp,
    ) -> Result<Vec<UsageWindow>, StoreError> {
        let what = "the totals of a day";
        let period = BillingPeriod::of_day(day);
        let mut totals: Vec<UsageWindow> = self
            .load_ledger(what, tenant, period, &windows_prefix(WindowSize::Day, day))
            .await?;
        let next = WindowSize::Day.end(day);
        // The totals of the period itself are sealed with its last day.
        if BillingPeriod::of_day(next) != period {
            totals.extend(
                self.load_ledger(
                    what,
                    tenant,
                    period,
                    &format!("{WINDOW_PREFIX}{}#", WindowSize::Month),
                )
                .await?,
            );
        }
        totals.retain(|total| SealDigest::covers(day, total));
        Ok(totals)
    }

    /// Loads the items of a tenant's period under a prefix.
    pub(crate) async fn load_ledger<T: DeserializeOwned>(
        &self,
        what: &'static str,
        tenant: TenantId,
        period: BillingPeriod,
        prefix: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let take = |item| from_item(what, item).map(|value| found.push(value));
        self.each_item(what, ledger_partition(tenant, period), prefix, take)
            .await?;
        Ok(found)
    }
}
