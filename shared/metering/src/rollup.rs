//! Rollups: stored segments become window totals, each event once.

use crate::checkpoint::{Checkpoint, Counted, DISTINCT_VALUES_KEPT, EVENT_KEYS_KEPT};
use crate::counting::{Changed, Counting, Places};
use crate::page::{Page, PageKey};
use crate::segment::Segment;
use crate::window::{Window, WindowKey};
use contract::UsageWindowUpdated;
use dedupe::{Blocks, DedupeKey, Entry, Index, Lookup, Manifest, MissingBlocks, NewPart, RunId};
use jiff::Timestamp;
use kernel::{SegmentId, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The stored state that a rollup starts from, beside blocks of the indexes.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The checkpoint of the last rollup.
    pub checkpoint: Checkpoint,
    /// The existing pages that the segments touch, see [`crate::touched_pages`].
    pub pages: BTreeMap<PageKey, Page>,
}

/// The result of a rollup. Written in one transaction, after the new parts of the indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupChanges {
    /// The new checkpoint.
    pub checkpoint: Checkpoint,
    /// The counts of this rollup's events.
    pub counted: Counted,
    /// The counts of each segment of corrections.
    pub corrected: Vec<(SegmentId, Counted)>,
    /// The published totals that changed.
    pub published: BTreeMap<WindowKey, Window>,
    /// The pages that changed, in full.
    pub pages: BTreeMap<PageKey, Page>,
    /// The starts of the days to seal: those with a new total, and the last day of their billing
    /// periods. The period is sealed with its last day, even if that day has no usage.
    pub days: BTreeSet<Timestamp>,
    /// The parts of the indexes to store before the new checkpoint names them.
    pub new_parts: Vec<NewPart>,
    /// The sorted runs that the old checkpoint names and the new one does not.
    pub obsolete: Vec<RunId>,
}

impl RollupChanges {
    /// The event to publish, unless no published total changed.
    #[must_use]
    pub fn event(&self, tenant: TenantId) -> Option<UsageWindowUpdated> {
        let windows: Vec<_> = self
            .published
            .iter()
            .map(|(key, window)| key.published(window))
            .collect();
        (!windows.is_empty()).then_some(UsageWindowUpdated { tenant, windows })
    }
}

/// The result of counting the segments of a rollup.
struct CountedSegments {
    /// The entries of segments that cannot serve as sorted runs, since some of their events did not
    /// count.
    loose: Vec<Entry>,
    /// The counts of each segment of corrections.
    corrected: Vec<(SegmentId, Counted)>,
}

/// A rollup of segments of one tenant, in three steps: [`Rollup::new`], [`Rollup::resume`] until no
/// block is missing, and [`Rollup::finish`].
///
/// The caller ensures that each segment is rolled up once. An event may be in several segments; the
/// index of events decides which of them counts.
pub struct Rollup<'s> {
    snapshot: &'s Snapshot,
    segments: &'s [Segment],
    now: Timestamp,
    counting: Counting<'s>,
    /// The indexes of the totals of each segment's slots.
    places: Vec<Vec<Places>>,
    events: Index,
    event_lookup: Lookup,
    values: Index,
    /// The lookup of distinct values. It starts after the lookup of events, since only values of
    /// events that may count are looked up.
    value_lookup: Option<Lookup>,
}

impl<'s> Rollup<'s> {
    /// Starts a rollup of one of the [`crate::batches`] on a snapshot of the tenant's usage.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot, segments: &'s [Segment], now: Timestamp) -> Self {
        let Checkpoint {
            events,
            distinct_values,
            ..
        } = &snapshot.checkpoint;
        let events = Index::open(events, EVENT_KEYS_KEPT, now);
        let values = Index::open(distinct_values, DISTINCT_VALUES_KEPT, now);
        let keys: Vec<DedupeKey> = segments
            .iter()
            .flat_map(|segment| segment.body.events())
            .map(|event| event.entry.key)
            .collect();
        let event_lookup = Lookup::new(events.runs(), keys);
        let mut counting = Counting::new(snapshot);
        let places = segments
            .iter()
            .map(|segment| counting.place_slots(segment))
            .collect();
        Self {
            snapshot,
            segments,
            now,
            counting,
            places,
            events,
            event_lookup,
            values,
            value_lookup: None,
        }
    }

    /// Looks up events and distinct values in the blocks that are loaded.
    ///
    /// # Errors
    /// [`MissingBlocks`] when blocks are missing. Call it again once they are loaded.
    pub fn resume(&mut self, blocks: &Blocks) -> Result<(), MissingBlocks> {
        let known = self.event_lookup.resume(blocks)?;
        let lookup = match &mut self.value_lookup {
            Some(lookup) => lookup,
            None => {
                let keys = self
                    .counting
                    .seek_values(self.segments, &self.places, known);
                self.value_lookup
                    .insert(Lookup::new(self.values.runs(), keys))
            }
        };
        lookup.resume(blocks)?;
        self.events.filter_groups(blocks)?;
        self.values.filter_groups(blocks)
    }

    /// Counts each event that is not in the index of events. `attempt` becomes part of the ids of
    /// new sorted runs, so that two attempts never write the same run.
    ///
    /// # Errors
    /// [`MissingBlocks`] when [`Rollup::resume`] did not return `Ok` with these blocks.
    pub fn finish(
        mut self,
        attempt: Uuid,
        blocks: &Blocks,
    ) -> Result<RollupChanges, MissingBlocks> {
        self.resume(blocks)?;
        if let Some(lookup) = &mut self.value_lookup {
            self.counting.learn_values(lookup.resume(blocks)?);
        }
        let CountedSegments { loose, corrected } = self.count_segments(blocks)?;
        // Both indexes take their ids from one sequence, so that no two runs of an attempt share
        // one.
        let mut ids = (0..).map(|ordinal| RunId { attempt, ordinal });
        self.events.append(loose, self.now, &mut ids);
        self.events.compact(blocks, &mut ids);
        let value_entries = std::mem::take(&mut self.counting.value_entries);
        self.values.append(value_entries, self.now, &mut ids);
        self.values.compact(blocks, &mut ids);

        let counted = self.counting.counted;
        let Changed {
            published,
            pages,
            days,
        } = self.counting.changed();
        let before = &self.snapshot.checkpoint;
        let checkpoint = Checkpoint {
            generation: before.generation.next(),
            sequence: before.sequence + u64::from(!published.is_empty()),
            counted: before.counted.plus(counted),
            events: Manifest {
                runs: self.events.runs().to_vec(),
            },
            distinct_values: Manifest {
                runs: self.values.runs().to_vec(),
            },
            sealed_until: before.sealed_until,
        };
        Ok(RollupChanges {
            counted,
            corrected,
            published,
            pages,
            days,
            new_parts: [self.events.new_parts(), self.values.new_parts()].concat(),
            obsolete: obsolete_runs(before, &checkpoint),
            checkpoint,
        })
    }

    /// Counts the events of each segment, and adds the segments that can serve as sorted runs to
    /// the index.
    fn count_segments(&mut self, blocks: &Blocks) -> Result<CountedSegments, MissingBlocks> {
        let mut known = self.event_lookup.resume(blocks)?;
        let (mut loose, mut corrected) = (Vec::new(), Vec::new());
        for (segment, places) in self.segments.iter().zip(&self.places) {
            let counted_before = self.counting.counted;
            let events = segment.body.events();
            let (of_segment, rest) = known.split_at(events.len());
            known = rest;
            if self.counting.count(segment, places, of_segment) {
                let entries = events.iter().map(|event| event.entry).collect();
                self.events
                    .append_segment(RunId::of_segment(segment.id), entries, self.now);
            } else {
                loose.append(&mut self.counting.entries);
            }
            self.counting.entries.clear();
            if segment.body.takes_back() {
                corrected.push((segment.id, self.counting.counted.since(counted_before)));
            }
        }
        Ok(CountedSegments { loose, corrected })
    }
}

/// The sorted runs that one checkpoint names and the next one does not.
fn obsolete_runs(before: &Checkpoint, after: &Checkpoint) -> Vec<RunId> {
    let named: BTreeSet<RunId> = after.runs().map(|run| run.id).collect();
    let runs = before.runs().map(|run| run.id);
    runs.filter(|id| !named.contains(id)).collect()
}
