//! Finds segments that are not yet rolled up, without the table's stream.

use crate::UsageStoreError;
use crate::items::{self, PENDING_SHARDS};
use crate::rollup_writer::RollupWriter;
use dynamo::Item;
use kernel::{SegmentId, TenantId, Timestamp};
use metering::Segment;
use std::collections::HashMap;

/// The pending marker of a segment that is not yet rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The segment's id.
    pub segment: SegmentId,
    /// The tenant whose usage the segment holds.
    pub tenant: TenantId,
}

/// The segment that a pending marker names, as far as it exists.
#[derive(Debug)]
pub enum FoundSegment {
    /// A segment that can be rolled up.
    Ready(Segment),
    /// A segment that this release cannot read.
    Malformed(UsageStoreError),
    /// No segment: its writer has not stored it yet, or ended before it did and acknowledged
    /// nothing.
    Absent,
}

impl Pending {
    /// The time at which the marker was made, by its writer's clock: the time in its UUID.
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

/// The lowest sort key of a pending marker or a segment that was made at a moment.
pub(crate) fn first_key(moment: Timestamp) -> String {
    let ms = moment.as_millisecond().max(0);
    format!("{:08x}-{:04x}", ms >> 16, ms & 0xffff)
}

impl RollupWriter {
    /// The oldest pending markers that were made before a moment, at most `limit` per partition.
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
                .map_err(UsageStoreError::of("list pending segments"))?
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

    /// Loads the segments that pending markers name.
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
        let found_segment = |marker: &Pending| match found.get(&marker.segment).map(items::segment)
        {
            Some(Ok(segment)) => FoundSegment::Ready(segment),
            Some(Err(error)) => FoundSegment::Malformed(error),
            None => FoundSegment::Absent,
        };
        Ok(markers
            .iter()
            .map(|marker| (*marker, found_segment(marker)))
            .collect())
    }

    /// Removes a pending marker without a segment.
    ///
    /// Call it only when the marker's writer can no longer store the segment: a segment without a
    /// marker counts as rolled up.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn remove_marker(&self, marker: Pending) -> Result<(), UsageStoreError> {
        let removal = self.table.delete(items::pending_key(marker.segment));
        self.table
            .send(removal)
            .await
            .map_err(UsageStoreError::of("remove a marker"))
    }
}
