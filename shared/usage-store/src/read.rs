//! Reads a tenant's totals to answer usage queries.

use crate::UsageStoreError;
use crate::items;
use dynamo::Table;
use kernel::{TenantId, Timestamp, WindowSize};
use metering::{Counted, Page, PageKey, Question};
use std::collections::BTreeMap;

/// The most pages of minutes or hours read for one response.
const PAGES_MAX: u16 = 48;
/// The most billing periods read for one response.
const PERIODS_MAX: usize = 13;

/// Reads totals.
#[derive(Debug, Clone)]
pub struct UsageReader {
    pub(crate) table: Table,
}

/// Stored totals of a meter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredTotals {
    /// The pages, by their keys.
    pub pages: BTreeMap<PageKey, Page>,
    /// The counts of all events of the tenant so far, over all meters.
    pub counted: Counted,
    /// Days that end at or before this moment are sealed.
    pub sealed_until: Option<Timestamp>,
    /// The moment at which the next read continues: `pages` has all windows that begin before it.
    /// None when the read is complete.
    pub read_until: Option<Timestamp>,
}

impl UsageReader {
    /// Reads from a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Reads the first pages that answer a question, from its first moment on. `source` is the size
    /// of the windows that answer it.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn totals(
        &self,
        tenant: TenantId,
        question: &Question<'_>,
        source: WindowSize,
    ) -> Result<StoredTotals, UsageStoreError> {
        // The checkpoint is read first: a day that it reports as sealed cannot change before its
        // pages are read.
        let checkpoint = self
            .table
            .batch_get(vec![items::checkpoint_key(tenant)])
            .send()
            .await;
        let checkpoint = checkpoint.map_err(UsageStoreError::of("load a checkpoint"))?;
        let sealed_until = checkpoint
            .first()
            .map(items::sealed_until)
            .transpose()?
            .flatten();
        let counted = checkpoint
            .first()
            .map(items::counted)
            .transpose()?
            .unwrap_or_default();
        let (pages, read_until) = match source {
            WindowSize::Minute | WindowSize::Hour => self.short(tenant, question, source).await?,
            WindowSize::Day | WindowSize::Month => self.periods(tenant, question).await?,
        };
        Ok(StoredTotals {
            pages,
            counted,
            sealed_until,
            read_until,
        })
    }

    /// Pages of minutes or hours.
    async fn short(
        &self,
        tenant: TenantId,
        question: &Question<'_>,
        source: WindowSize,
    ) -> Result<(BTreeMap<PageKey, Page>, Option<Timestamp>), UsageStoreError> {
        let page_of = |moment: Timestamp| {
            PageKey::of(
                &question.meter.code,
                source,
                source.start(moment, question.anchor),
            )
        };
        let (first, last) = (page_of(question.from), page_of(question.to));
        let query = self.table.query(items::tenant_partition(tenant));
        let query = query
            .between(items::page_sort(&first), items::page_sort(&last))
            .limit(PAGES_MAX);
        let found = query
            .page()
            .await
            .map_err(UsageStoreError::of("load totals"))?;
        let pages: BTreeMap<PageKey, Page> = found
            .items
            .iter()
            .map(items::page)
            .collect::<Result<_, _>>()?;
        let last = pages
            .last_key_value()
            .map(|(key, _)| key.span.end(key.start));
        Ok((pages, last.filter(|_| found.next.is_some())))
    }

    /// Pages of billing periods.
    async fn periods(
        &self,
        tenant: TenantId,
        question: &Question<'_>,
    ) -> Result<(BTreeMap<PageKey, Page>, Option<Timestamp>), UsageStoreError> {
        let mut start = WindowSize::Month.start(question.from, question.anchor);
        let mut keys = Vec::new();
        while start < question.to && keys.len() < PERIODS_MAX {
            keys.push(PageKey::of(&question.meter.code, WindowSize::Month, start));
            start = WindowSize::Month.end(start);
        }
        let keys = keys
            .iter()
            .map(|key| items::page_key(tenant, key))
            .collect();
        let found = self.table.batch_get(keys).of_large_items().send().await;
        let found = found.map_err(UsageStoreError::of("load totals"))?;
        let pages = found.iter().map(items::page).collect::<Result<_, _>>()?;
        Ok((pages, (start < question.to).then_some(start)))
    }
}
