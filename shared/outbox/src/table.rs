//! The outbox table.

use crate::row::{Row, SHARDS, partition};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, Select, TransactWriteItem};
use kernel::Timestamp;

/// The outbox of a region.
#[derive(Debug, Clone)]
pub struct Outbox {
    client: Client,
    table: String,
}

/// What waits to be published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many facts.
    pub waiting: u64,
    /// When the oldest of them became true.
    pub oldest: Option<Timestamp>,
}

/// Why the outbox table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A row could not be written.
    #[error("a fact could not be stored in the outbox")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rows could not be read.
    #[error("the outbox could not be read")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A published row could not be removed; it will be published again.
    #[error("a published row could not be removed from the outbox")]
    Remove(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Outbox {
    /// The outbox in a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    /// The part of a store's transaction that states a fact.
    ///
    /// # Errors
    /// Never in practice: the request is complete.
    pub fn put(&self, row: &Row) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(row.item())).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// States a fact that no state goes with, as a request whose repetition changes nothing.
    ///
    /// # Errors
    /// When the table refuses.
    pub async fn state(&self, row: &Row) -> Result<(), OutboxError> {
        let stated = self.client.put_item().table_name(&self.table).set_item(Some(row.item())).send().await;
        stated.map(|_| ()).map_err(|error| OutboxError::Write(error.into()))
    }

    /// Removes a published row. Removing it twice is no error.
    ///
    /// # Errors
    /// When the table refuses.
    pub async fn remove(&self, row: &Row) -> Result<(), OutboxError> {
        let removed = self.client.delete_item().table_name(&self.table).set_key(Some(row.key())).send().await;
        removed.map(|_| ()).map_err(|error| OutboxError::Remove(error.into()))
    }

    /// The oldest rows that became true before a moment, at most `limit` of each of the 8 partitions.
    /// Rows that are malformed are logged and left out.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn sweep(&self, before: Timestamp, limit: u16) -> Result<Vec<Row>, OutboxError> {
        let mut rows = Vec::new();
        for shard in 0..SHARDS {
            let found = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :partition AND sk < :before")
                .expression_attribute_values(":partition", AttributeValue::S(partition(shard)))
                .expression_attribute_values(
                    ":before",
                    AttributeValue::S(format!("{:013}", before.as_millisecond().max(0))),
                )
                .limit(i32::from(limit))
                .send()
                .await
                .map_err(|error| OutboxError::Read(error.into()))?;
            for item in found.items() {
                match Row::from_item(item) {
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

    /// How much waits, and since when. Reads the keys of what waits, one page of each partition: beyond
    /// that the count is a lower bound.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn backlog(&self) -> Result<Backlog, OutboxError> {
        let mut backlog = Backlog::default();
        for shard in 0..SHARDS {
            backlog.waiting += self.count(shard).await?;
        }
        if backlog.waiting > 0 {
            let oldest = self.sweep(Timestamp::MAX, 1).await?;
            backlog.oldest = oldest.first().map(|row| row.occurred_at);
        }
        Ok(backlog)
    }

    async fn count(&self, shard: u8) -> Result<u64, OutboxError> {
        let counted = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", AttributeValue::S(partition(shard)))
            .select(Select::Count)
            .send()
            .await
            .map_err(|error| OutboxError::Read(error.into()))?;
        Ok(u64::try_from(counted.count()).unwrap_or_default())
    }
}
