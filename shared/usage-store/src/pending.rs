//! What waits to be settled, found without the stream.

use crate::UsageStoreError;
use crate::items::{self, PENDING_SHARDS};
use crate::rollup_writer::RollupWriter;
use dynamo::Item;
use kernel::{SegmentId, TenantId, Timestamp};
use metering::Segment;
use std::collections::HashMap;

/// The pending marker of a segment that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The segment.
    pub segment: SegmentId,
    /// Whose usage it holds.
    pub tenant: TenantId,
}

/// What a pending marker leads to.
#[derive(Debug)]
pub enum FoundSegment {
    /// A segment that can be settled.
    Ready(Segment),
    /// Something that this release cannot settle.
    Malformed(UsageStoreError),
    /// Nothing: whoever wrote the pending marker ended before the segment, and acknowledged nothing.
    Absent,
}

impl Pending {
    /// When the pending marker was made, in the clock of whoever made it: the time that its UUID holds.
    #[must_use]
    pub fn made_at(&self) -> Option<Timestamp> {
        made_at(self.segment)
    }
}

pub(crate) fn made_at(segment: SegmentId) -> Option<Timestamp> {
    let (seconds, nanoseconds) = segment.as_uuid().get_timestamp()?.to_unix();
    Timestamp::new(
        i64::try_from(seconds).ok()?,
        i32::try_from(nanoseconds).ok()?,
    )
    .ok()
}

/// The first sort key that a pending marker, or a segment, made at a moment can have.
pub(crate) fn first_key(moment: Timestamp) -> String {
    let ms = moment.as_millisecond().max(0);
    format!("{:08x}-{:04x}", ms >> 16, ms & 0xffff)
}

impl RollupWriter {
    /// The oldest pending markers that were made before a moment, at most `limit` of each of their
    /// partitions.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn backlog(
        &self,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Pending>, UsageStoreError> {
        let mut markers = Vec::new();
        for shard in PENDING_SHARDS.all() {
            let query = self
                .table
                .query(items::pending_partition(shard))
                .before(first_key(before))
                .limit(limit);
            for item in &query
                .page()
                .await
                .map_err(UsageStoreError::of("list what waits"))?
                .items
            {
                let segment = items::parsed(item, "sk", "marker")?;
                markers.push(Pending {
                    segment,
                    tenant: items::parsed(item, "tenant", "marker")?,
                });
            }
        }
        Ok(markers)
    }

    /// Loads what pending markers lead to.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn find(
        &self,
        markers: &[Pending],
    ) -> Result<Vec<(Pending, FoundSegment)>, UsageStoreError> {
        let keys = markers
            .iter()
            .map(|marker| items::segment_key(marker.tenant, marker.segment))
            .collect();
        let mut found: HashMap<SegmentId, Item> = HashMap::with_capacity(markers.len());
        let segments = self.table.batch_get(keys).of_large_items().send().await;
        for item in segments.map_err(UsageStoreError::of("load segments"))? {
            found.insert(items::parsed(&item, "sk", "segment")?, item);
        }
        let lead = |marker: &Pending| match found.get(&marker.segment).map(items::segment) {
            Some(Ok(segment)) => FoundSegment::Ready(segment),
            Some(Err(error)) => FoundSegment::Malformed(error),
            None => FoundSegment::Absent,
        };
        Ok(markers
            .iter()
            .map(|marker| (*marker, lead(marker)))
            .collect())
    }

    /// Removes a pending marker that leads to nothing.
    ///
    /// Only right when whoever made it cannot be writing the segment any more: a segment without a
    /// pending marker is taken for one that was settled.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn forget(&self, marker: Pending) -> Result<(), UsageStoreError> {
        let removal = self.table.delete(items::pending_key(marker.segment));
        self.table
            .send(removal)
            .await
            .map_err(UsageStoreError::of("remove a marker"))
    }
}
