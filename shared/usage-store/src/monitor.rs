//! Backlog and event counts of a region's metering, for its heartbeat.

use crate::UsageStoreError;
use crate::items::{self, PENDING_SHARDS, STATS_SHARDS};
use crate::pending::made_at;
use contract::{EventCounts, RejectionKind};
use dynamo::Table;
use kernel::Timestamp;
use metering::Sender;

/// Reads the backlog and the event counts of the usage table.
#[derive(Debug, Clone)]
pub struct UsageMonitor {
    table: Table,
}

/// The segments that are not yet rolled up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageBacklog {
    /// The number of segments.
    pub pending: u64,
    /// The time at which the oldest of them was received.
    pub oldest: Option<Timestamp>,
}

impl UsageMonitor {
    /// Monitors a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Counts pending segments and finds the oldest. Reads one page per partition, some 10,000
    /// markers: the count of a larger backlog is a lower bound.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn backlog(&self) -> Result<UsageBacklog, UsageStoreError> {
        let mut backlog = UsageBacklog::default();
        for shard in PENDING_SHARDS.all() {
            let query = self.table.query(items::pending_partition(shard));
            let failed = UsageStoreError::of("count pending segments");
            let counted = query.clone().count().await.map_err(&failed)?;
            if counted > 0 {
                backlog.pending += counted;
                // Sort keys are UUIDs that begin with their time: the first marker is the oldest.
                let first = query.limit(1).page().await.map_err(&failed)?;
                let id = first
                    .items
                    .first()
                    .map(|item| items::parsed(item, "sk", "marker"))
                    .transpose()?;
                let made = id.and_then(made_at);
                backlog.oldest = [backlog.oldest, made].into_iter().flatten().min();
            }
        }
        Ok(backlog)
    }

    /// The counts of all usage events of the region so far, by their result.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn counts(&self) -> Result<EventCounts, UsageStoreError> {
        let keys = STATS_SHARDS.all().map(items::stats_key).collect();
        let found = self
            .table
            .batch_get(keys)
            .send()
            .await
            .map_err(UsageStoreError::of("load counts"))?;
        let mut counts = EventCounts::default();
        for item in found {
            // Each item holds the counts that were added to it; the others are absent.
            let count = |name: &str| {
                if item.contains_key(name) {
                    items::parsed(&item, name, "count")
                } else {
                    Ok(0)
                }
            };
            counts.accepted += count("accepted")?;
            counts.duplicates += count("duplicates")?;
            counts.conflicts += count("conflicts")?;
            counts.not_stored += count(items::NOT_STORED)?;
            for kind in RejectionKind::ALL {
                let rejected = &mut counts.rejected;
                *rejected.tenants.of_mut(kind) +=
                    count(&items::rejected_attribute(Sender::Tenant, kind))?;
                *rejected.provider.of_mut(kind) +=
                    count(&items::rejected_attribute(Sender::Provider, kind))?;
            }
        }
        Ok(counts)
    }
}
