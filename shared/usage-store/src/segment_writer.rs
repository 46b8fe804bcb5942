//! Stores accepted events as segments.

use crate::UsageStoreError;
use crate::items;
use contract::RejectionKind;
use dynamo::{Table, number};
use kernel::Timestamp;
use metering::{Segment, Sender};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest time of a store with all its retries. The function still answers before Lambda's
/// timeout ends it.
pub const STORE_TIME_MAX: Duration = Duration::from_secs(10);

/// Stores segments for the rollup.
#[derive(Debug, Clone)]
pub struct SegmentWriter {
    pub(crate) table: Table,
}

impl SegmentWriter {
    /// Writes to a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Stores segments: all pending markers first, then all segments, so that every stored segment
    /// has a marker by which the poll finds it.
    ///
    /// # Errors
    /// When not all is stored within 10 s. Some segments may be stored then. Resending the events
    /// does not count them twice.
    pub async fn store(
        &self,
        segments: &[Segment],
        received_at: Timestamp,
    ) -> Result<(), UsageStoreError> {
        let stored =
            tokio::time::timeout(STORE_TIME_MAX, self.try_store(segments, received_at)).await;
        stored.unwrap_or_else(|late| {
            Err(UsageStoreError::Unavailable {
                action: "store usage",
                source: Box::new(late),
            })
        })
    }

    async fn try_store(
        &self,
        segments: &[Segment],
        received_at: Timestamp,
    ) -> Result<(), UsageStoreError> {
        let markers = segments.iter().map(items::pending_item).collect();
        self.table
            .put_all(markers)
            .await
            .map_err(UsageStoreError::of("store pending markers"))?;
        let bodies = segments
            .iter()
            .map(|segment| items::segment_item(segment, received_at))
            .collect();
        self.table
            .put_all(bodies)
            .await
            .map_err(UsageStoreError::of("store usage"))
    }

    /// Adds a sender's rejected events to the region's counts, by the kind of their reasons. `seed`
    /// chooses one of the partitions of the counts.
    ///
    /// # Errors
    /// When the table fails. The counts are statistics only.
    pub async fn count_rejected(
        &self,
        sender: Sender,
        rejected: impl IntoIterator<Item = RejectionKind>,
        seed: u8,
    ) -> Result<(), UsageStoreError> {
        let mut counts: BTreeMap<RejectionKind, u64> = BTreeMap::new();
        for kind in rejected {
            *counts.entry(kind).or_default() += 1;
        }
        let counts = counts
            .into_iter()
            .map(|(kind, count)| (items::rejected_attribute(sender, kind), count));
        self.count(counts.collect(), seed).await
    }

    /// Adds to the region's count of events that were not stored, though they may have been valid.
    ///
    /// # Errors
    /// When the table fails. The counts are statistics only.
    pub async fn count_not_stored(&self, events: usize, seed: u8) -> Result<(), UsageStoreError> {
        self.count(vec![(items::NOT_STORED.to_owned(), events as u64)], seed)
            .await
    }

    async fn count(&self, counts: Vec<(String, u64)>, seed: u8) -> Result<(), UsageStoreError> {
        if counts.is_empty() {
            return Ok(());
        }
        let terms: Vec<String> = counts
            .iter()
            .enumerate()
            .map(|(at, (name, _))| format!("{name} :c{at}"))
            .collect();
        let update = self
            .table
            .update(items::stats_key(seed), format!("ADD {}", terms.join(", ")));
        let update = counts
            .iter()
            .enumerate()
            .fold(update, |update, (at, (_, count))| {
                update.value(format!(":c{at}"), number(count))
            });
        self.table
            .send(update)
            .await
            .map_err(UsageStoreError::of("count rejected events"))
    }
}
