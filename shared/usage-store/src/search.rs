//! Finding events in what is stored of a tenant's usage, by their identities.

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

/// The most bytes of segments that a search reads: some 3.5 million events with a value.
pub const SEARCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a search may take, so that there is time left to store what follows from it.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(6);
/// How many of a tenant's partitions are read at once: a page has a megabyte.
const PARTITIONS_AT_ONCE: usize = 4;

/// What a search may still read, of whatever tenants.
#[derive(Debug)]
pub struct SearchBudget {
    bytes: AtomicUsize,
    until: Instant,
}

impl SearchBudget {
    /// A budget of so many bytes, and of 6 s from now on.
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
    /// Looks for events of a tenant in the segments that came within a time, the newest first,
    /// until the budget is spent.
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
        // The keys of segments hold milliseconds; what came within the last one is looked through
        // too.
        let last = to
            .saturating_add(SignedDuration::from_millis(1))
            .unwrap_or(Timestamp::MAX);
        let range = (first_key(from), first_key(last));
        let seen: Vec<Sightings> = iter(TENANT_SHARDS.all())
            .map(|shard| {
                self.look_in(
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

    async fn look_in(
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
                .map_err(UsageStoreError::of("look for events"))?;
            let Some(found) = found else { return Ok(seen) };
            for item in found {
                let segment = items::segment(&item)?;
                budget.spend(items::body_bytes(&item));
                seen.search(sought, &segment.body);
            }
        }
    }
}
