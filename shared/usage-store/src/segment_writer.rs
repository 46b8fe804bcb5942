//! Taking events in.

use crate::UsageStoreError;
use crate::items;
use contract::RejectionKind;
use dynamo::{Table, number};
use kernel::Timestamp;
use metering::{Segment, Sender};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long storing may take with all its repetitions: the function answers before it is ended.
pub const STORE_TIME_MAX: Duration = Duration::from_secs(10);

/// Stores segments to be settled.
#[derive(Debug, Clone)]
pub struct SegmentWriter {
    pub(crate) table: Table,
}

impl SegmentWriter {
    /// Takes usage into a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Stores segments: every pending marker first, then every segment, so that no segment is ever stored
    /// that nothing would find.
    ///
    /// # Errors
    /// When not all is stored within 10 s. Then any part of it may be: who sends the events again
    /// has them counted once.
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
            .map_err(UsageStoreError::of("announce usage"))?;
        let bodies = segments
            .iter()
            .map(|segment| items::segment_item(segment, received_at))
            .collect();
        self.table
            .put_all(bodies)
            .await
            .map_err(UsageStoreError::of("store usage"))
    }

    /// Adds to the region's counts of events that a sender's requests had and that were refused,
    /// each for a reason of some kind. `seed` chooses one of the partitions of those counts.
    ///
    /// # Errors
    /// When the table fails; nothing depends on it.
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
    /// When the table fails; nothing depends on it.
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
            .map_err(UsageStoreError::of("count refused events"))
    }
}
