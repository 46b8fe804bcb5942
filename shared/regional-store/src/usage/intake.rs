//! Taking events in.

use super::UsageStoreError;
use super::items;
use super::table::Table;
use kernel::Timestamp;
use metering::Segment;
use std::time::Duration;

/// How long storing may take with all its repetitions: the function answers before it is ended.
pub const STORE_TIME_MAX: Duration = Duration::from_secs(10);

/// Stores segments to be settled.
#[derive(Debug, Clone)]
pub struct Intake {
    pub(super) table: Table,
}

impl Intake {
    /// Takes usage into a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self { table: Table::new(config, table) }
    }

    /// Stores segments: every pointer first, then every segment, so that no segment is ever stored that
    /// nothing would find.
    ///
    /// # Errors
    /// When not all is stored within 10 s. Then any part of it may be: who sends the events again has them counted once.
    pub async fn store(&self, segments: &[Segment], received_at: Timestamp) -> Result<(), UsageStoreError> {
        let stored = tokio::time::timeout(STORE_TIME_MAX, self.try_store(segments, received_at)).await;
        stored
            .unwrap_or_else(|late| Err(UsageStoreError::Unavailable { action: "store usage", source: Box::new(late) }))
    }

    async fn try_store(&self, segments: &[Segment], received_at: Timestamp) -> Result<(), UsageStoreError> {
        let pointers = segments.iter().map(items::pending_item).collect();
        self.table.put_all("announce usage", pointers).await?;
        let bodies = segments.iter().map(|segment| items::segment_item(segment, received_at)).collect();
        self.table.put_all("store usage", bodies).await
    }

    /// Adds to the region's count of refused events. `seed` chooses one of the partitions of that count.
    ///
    /// # Errors
    /// When the table fails; nothing depends on it.
    pub async fn count_rejected(&self, rejected: usize, seed: u8) -> Result<(), UsageStoreError> {
        let counted = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(items::stats_key(seed)))
            .update_expression("ADD rejected :rejected")
            .expression_attribute_values(":rejected", items::number(rejected))
            .send()
            .await;
        counted.map(|_| ()).map_err(|error| UsageStoreError::of("count refused events", error))
    }
}
