//! The outbox table.

use crate::row::{Row, SHARDS, first_sort, partition};
use dynamo::{Item, Table, Write};
use kernel::Timestamp;
use std::collections::BTreeMap;

/// The outbox of a region.
#[derive(Debug, Clone)]
pub struct Outbox {
    table: Table,
}

/// The rows that are not yet published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of rows.
    pub waiting: u64,
    /// The time of the oldest event.
    pub oldest: Option<Timestamp>,
}

/// Errors of the outbox table.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A row could not be written.
    #[error("an event could not be stored in the outbox")]
    Write(#[source] dynamo::Error),
    /// Rows could not be read.
    #[error("the outbox could not be read")]
    Read(#[source] dynamo::Error),
    /// Published rows could not be removed; they will be published again.
    #[error("published rows could not be removed from the outbox")]
    Remove(#[source] dynamo::Error),
}

impl Outbox {
    /// Makes the outbox of a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// The write of a row, for the transaction of the state that the event belongs to.
    pub fn put(&self, row: &Row) -> Write {
        self.table.put(row.item())
    }

    /// Stores an event that belongs to no state, such as a request whose repetition changes
    /// nothing. The relay publishes it like any other row.
    ///
    /// # Errors
    /// [`OutboxError`] when the table fails.
    pub async fn publish(&self, row: &Row) -> Result<(), OutboxError> {
        self.table
            .send(self.put(row))
            .await
            .map_err(OutboxError::Write)
    }

    /// Removes published rows. Removing one twice is no error.
    ///
    /// # Errors
    /// When the table refuses; any of the rows may be removed then.
    pub async fn remove(&self, rows: &[&Row]) -> Result<(), OutboxError> {
        // A stream may bring a row twice, and a batch takes a key once.
        let keys: BTreeMap<_, Item> = rows
            .iter()
            .map(|row| ((row.occurred_at.as_millisecond(), row.id), row.key()))
            .collect();
        self.table
            .delete_all(keys.into_values().collect())
            .await
            .map_err(OutboxError::Remove)
    }

    /// Loads the oldest rows of events before a moment, at most `limit` of each of the 8
    /// partitions. Malformed rows are logged and skipped, so that they do not block the others.
    ///
    /// # Errors
    /// [`OutboxError::Read`] when the table cannot be read.
    pub async fn unpublished(
        &self,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Row>, OutboxError> {
        let mut rows = Vec::new();
        for shard in SHARDS.all() {
            let query = self
                .table
                .query(partition(shard))
                .before(first_sort(before))
                .limit(limit);
            for item in query.page().await.map_err(OutboxError::Read)?.items {
                match Row::from_item(&item) {
                    Ok(row) => rows.push(row),
                    Err(error) => {
                        tracing::error!(error = error.to_string(), shard, "malformed outbox row")
                    }
                }
            }
        }
        rows.sort_by_key(|row| row.occurred_at);
        Ok(rows)
    }

    /// Counts the rows that are not yet published, and finds the oldest. It counts one page of each
    /// partition; beyond that the count is a lower bound.
    ///
    /// # Errors
    /// [`OutboxError::Read`] when the table cannot be read.
    pub async fn backlog(&self) -> Result<Backlog, OutboxError> {
        let mut backlog = Backlog::default();
        for shard in SHARDS.all() {
            backlog.waiting += self
                .table
                .query(partition(shard))
                .count()
                .await
                .map_err(OutboxError::Read)?;
        }
        if backlog.waiting > 0 {
            let oldest = self.unpublished(Timestamp::MAX, 1).await?;
            backlog.oldest = oldest.first().map(|row| row.occurred_at);
        }
        Ok(backlog)
    }
}
