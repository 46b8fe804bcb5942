//! Figures of the region's metering, for its heartbeat.

use super::UsageStoreError;
use super::items::{self, PENDING_SHARDS, STATS_SHARDS};
use super::pending::made_at;
use super::table::Table;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use contract::{EventCounts, RejectionKind};
use kernel::Timestamp;
use metering::Sender;

/// Reads figures of the usage table.
#[derive(Debug, Clone)]
pub struct UsageMonitor {
    table: Table,
}

/// What waits to be settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageBacklog {
    /// How many segments.
    pub waiting: u64,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
}

impl UsageMonitor {
    /// Watches a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self { table: Table::new(config, table) }
    }

    /// How much waits, and since when. Reads one page of each partition: beyond that, some 10,000 each, the
    /// count is a lower bound.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn backlog(&self) -> Result<UsageBacklog, UsageStoreError> {
        let mut backlog = UsageBacklog::default();
        for shard in 0..PENDING_SHARDS {
            let partition = AttributeValue::S(items::pending_partition(shard));
            let query = || {
                let query = self.table.client.query().table_name(&self.table.name);
                query
                    .key_condition_expression("pk = :partition")
                    .expression_attribute_values(":partition", partition.clone())
            };
            let failed = |error| UsageStoreError::of("count what waits", error);
            let counted = query().select(Select::Count).send().await.map_err(failed)?.count();
            if counted > 0 {
                backlog.waiting += u64::try_from(counted).unwrap_or_default();
                let first = query().limit(1).send().await.map_err(failed)?;
                let id = first.items().first().map(|item| items::parsed(item, "sk", "pointer")).transpose()?;
                let made = id.and_then(made_at);
                backlog.oldest = [backlog.oldest, made].into_iter().flatten().min();
            }
        }
        Ok(backlog)
    }

    /// What became of all usage events of the region so far.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn counts(&self) -> Result<EventCounts, UsageStoreError> {
        let keys = (0..STATS_SHARDS).map(items::stats_key).collect();
        let mut counts = EventCounts::default();
        for item in self.table.get_all("load counts", keys).await? {
            let count = |name: &str| if item.contains_key(name) { items::parsed(&item, name, "count") } else { Ok(0) };
            counts.accepted += count("accepted")?;
            counts.duplicates += count("duplicates")?;
            counts.conflicts += count("conflicts")?;
            counts.not_stored += count(items::NOT_STORED)?;
            for kind in RejectionKind::ALL {
                let rejected = &mut counts.rejected;
                *rejected.tenants.of_mut(kind) += count(&items::rejected_attribute(Sender::Tenant, kind))?;
                *rejected.provider.of_mut(kind) += count(&items::rejected_attribute(Sender::Provider, kind))?;
            }
        }
        Ok(counts)
    }
}
