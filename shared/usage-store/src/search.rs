//! Searches a tenant's stored segments for events by their dedupe keys.

use crate::UsageStoreError;
use crate::items::{self, TENANT_SHARDS};
use crate::pending::first_key;
use crate::read::UsageReader;
use dedupe::DedupeKey;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use jiff::SignedDuration;
use kernel::{TenantId, Timestamp};
use metering::Sightings;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The most bytes of segments that a search reads: some 3.5 million events of 18 bytes each.
pub const SEARCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest time of a search. It leaves the function time to store the corrections afterwards.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(6);
/// How many of a tenant's 16 partitions are read at once. Each read holds a page of 1 MB in memory.
const PARTITIONS_AT_ONCE: usize = 4;

/// The bytes and the time that a request has left to search in, shared by all its tenants.
#[derive(Debug)]
pub struct SearchBudget {
    bytes: AtomicUsize,
    until: Instant,
}

impl SearchBudget {
    /// Starts a budget of `bytes`, and of 6 s from now.
    #[must_use]
    pub fn start(bytes: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(bytes),
            until: Instant::now() + SEARCH_TIME_MAX,
        }
    }

    fn is_spent(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) == 0 || Instant::now() >= self.until
    }

    fn spend(&self, bytes: usize) {
        let left = self.bytes.load(Ordering::Relaxed);
        self.bytes
            .store(left.saturating_sub(bytes), Ordering::Relaxed);
    }
}

impl UsageReader {
    /// Searches the segments that a tenant sent within a time range for events, the newest segment
    /// first, until the budget is spent.
    ///
    /// # Errors
    /// When the table fails, or a segment cannot be read.
    pub async fn find_events(
        &self,
        tenant: TenantId,
        sought: &BTreeSet<DedupeKey>,
        (from, to): (Timestamp, Timestamp),
        budget: &SearchBudget,
    ) -> Result<Sightings, UsageStoreError> {
        // Keys of segments hold milliseconds: one more includes the segments of the last one.
        let last = to
            .saturating_add(SignedDuration::from_millis(1))
            .unwrap_or(Timestamp::MAX);
        let range = (first_key(from), first_key(last));
        let seen: Vec<Sightings> = iter(TENANT_SHARDS.all())
            .map(|shard| {
                self.search_partition(
                    items::segment_partition(tenant, shard),
                    sought,
                    &range,
                    budget,
                )
            })
            .buffer_unordered(PARTITIONS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(seen
            .into_iter()
            .fold(Sightings::default(), |mut all, some| {
                all.merge(some);
                all
            }))
    }

    async fn search_partition(
        &self,
        partition: String,
        sought: &BTreeSet<DedupeKey>,
        (first, last): &(String, String),
        budget: &SearchBudget,
    ) -> Result<Sightings, UsageStoreError> {
        let mut seen = Sightings::default();
        let query = self
            .table
            .query(partition)
            .between(first, last)
            .descending()
            .consistent();
        let mut pages = query.pages();
        loop {
            if budget.is_spent() {
                seen.is_cut_short = true;
                return Ok(seen);
            }
            let found = pages
                .next()
                .await
                .map_err(UsageStoreError::of("search for events"))?;
            let Some(found) = found else { return Ok(seen) };
            for item in found {
                let segment = items::segment(&item)?;
                budget.spend(items::body_bytes(&item));
                seen.search(sought, &segment.body);
            }
        }
    }
}
