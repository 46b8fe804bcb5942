//! A store in memory that rolls up segments as the real store does.

use super::now;
use super::tenant;
use crate::*;
use contract::UsageWindow;
use dedupe::{BlockId, BlockedFilter, BlockedRun, Blocks, MissingBlocks, NewPart, RunId};
use jiff::Timestamp;
use kernel::SegmentId;
use proptest::prelude::prop;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A store in memory with the guarantees of the real one: a rollup removes the pending markers of
/// its segments together with its changes.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) checkpoint: Checkpoint,
    pub(super) stored: Blocks,
    /// The number of blocks that the last rollup read.
    pub(super) read: usize,
    pub(super) pages: BTreeMap<PageKey, Page>,
    pub(super) pending: HashSet<SegmentId>,
    pub(super) days: HashSet<Timestamp>,
    pub(super) attempts: u128,
    pub(super) published: Vec<(u64, Vec<UsageWindow>)>,
}

impl Memory {
    pub(super) fn roll_up(&mut self, segments: &[Segment], now: Timestamp) {
        let open: Vec<Segment> = segments
            .iter()
            .filter(|s| self.pending.contains(&s.id))
            .cloned()
            .collect();
        for batch in batches(open) {
            self.attempts += 1;
            let attempt = Uuid::from_u128(self.attempts);
            let keys = touched_pages(&batch);
            let pages = self.pages.iter().filter(|(key, _)| keys.contains(*key));
            let pages = pages
                .map(|(key, page)| (key.clone(), page.clone()))
                .collect();
            let snapshot = Snapshot {
                checkpoint: self.checkpoint.clone(),
                pages,
            };
            self.read = 0;
            let mut loaded = Blocks::default();
            let mut rollup = Rollup::new(&snapshot, &batch, now);
            // Only the missing blocks are loaded, so a lookup cannot depend on others.
            while let Err(MissingBlocks { blocks }) = rollup.resume(&loaded) {
                self.load(blocks, &mut loaded);
            }
            let changes = rollup.finish(attempt, &loaded).unwrap();
            let events: usize = batch
                .iter()
                .map(|segment| segment.body.events().len())
                .sum();
            assert_eq!(changes.counted.total(), events as u64);
            assert!(changes.published.len() <= SEGMENT_TOTALS_MAX);
            let rows =
                changes.pages.len() + changes.days.len() + changes.corrected.len() + batch.len();
            assert!(
                rows + 9 <= 100,
                "{rows} rows and nine others fit one transaction"
            );
            if let Some(event) = changes.event(tenant(1)) {
                self.published
                    .push((changes.checkpoint.sequence, event.windows));
            }
            for segment in &batch {
                self.pending.remove(&segment.id);
            }
            self.store(changes.new_parts);
            self.stored
                .whole
                .retain(|id, _| !changes.obsolete.contains(id));
            self.stored
                .blocked
                .retain(|id, _| !changes.obsolete.contains(id));
            let named: HashSet<RunId> = changes.checkpoint.runs().map(|run| run.id).collect();
            let stored = self.stored.whole.keys().chain(self.stored.blocked.keys());
            assert_eq!(
                named,
                stored.copied().collect(),
                "the checkpoint names exactly the stored runs"
            );
            self.checkpoint = changes.checkpoint;
            for (key, page) in changes.pages {
                let stored = Page::decode(&key, &page.encode(&key)).unwrap();
                assert_eq!(stored, page);
                self.pages.insert(key, stored);
            }
            self.days.extend(changes.days);
        }
    }

    /// Loads stored blocks.
    fn load(&mut self, blocks: BTreeSet<BlockId>, to: &mut Blocks) {
        assert!(!blocks.is_empty());
        self.read += blocks.len();
        for block in blocks {
            match block {
                BlockId::Run(id) => assert_eq!(
                    to.whole.insert(id, Arc::clone(&self.stored.whole[&id])),
                    None
                ),
                BlockId::Block(id, block) => {
                    let (_, stored) = self.stored.blocked[&id]
                        .blocks()
                        .nth(usize::from(block))
                        .unwrap();
                    let entries = self
                        .checkpoint
                        .runs()
                        .find(|run| run.id == id)
                        .unwrap()
                        .entries;
                    let loaded = to
                        .blocked
                        .entry(id)
                        .or_insert_with(|| Arc::new(BlockedRun::empty(entries)));
                    assert!(Arc::make_mut(loaded).insert(block, Arc::clone(stored)));
                }
                BlockId::Filter(group, block) => {
                    let stored = &self.stored.filters[&group];
                    let words = u32::try_from(stored.words()).unwrap();
                    let loaded = to
                        .filters
                        .entry(group)
                        .or_insert_with(|| Arc::new(BlockedFilter::empty(words)));
                    let (_, bytes) = stored.blocks().nth(usize::from(block)).unwrap();
                    assert!(Arc::make_mut(loaded).fill(block, &bytes));
                }
            }
        }
    }

    fn store(&mut self, parts: Vec<NewPart>) {
        for part in parts {
            match part {
                NewPart::Run(meta, run) => drop(self.stored.whole.insert(meta.id, run)),
                NewPart::Blocks(meta, run) => drop(self.stored.blocked.insert(meta.id, run)),
                NewPart::Filter(_, group, filter) => {
                    drop(self.stored.filters.insert(group, filter))
                }
            }
        }
    }

    pub(super) fn windows(&self) -> BTreeMap<WindowKey, Window> {
        self.pages
            .iter()
            .flat_map(|(key, page)| page.windows(key))
            .collect()
    }

    pub(super) fn seal(&mut self, day: Timestamp) -> contract::UsageSealed {
        let sealed = seal(&self.checkpoint, tenant(1), day, &self.pages);
        self.published
            .push((sealed.checkpoint.sequence, Vec::new()));
        self.checkpoint = sealed.checkpoint;
        sealed.seal
    }
}

/// Delivers segments in the given deliveries, repeats included, and then the rest, as the poller
/// does. Returns the order in which they were first delivered.
pub(super) fn deliver<'s>(
    memory: &mut Memory,
    segments: &'s [Segment],
    deliveries: &[Vec<prop::sample::Index>],
) -> Vec<&'s Segment> {
    memory
        .pending
        .extend(segments.iter().map(|segment| segment.id));
    let mut order: Vec<&Segment> = Vec::new();
    let mut seen = HashSet::new();
    let given = deliveries
        .iter()
        .map(|delivery| delivery.iter().map(|at| at.get(segments)).collect());
    let rest = [segments.iter().collect::<Vec<_>>()];
    for delivery in given.chain(rest) {
        let unique: BTreeMap<SegmentId, &Segment> =
            delivery.into_iter().map(|s| (s.id, s)).collect();
        order.extend(unique.values().filter(|segment| seen.insert(segment.id)));
        let delivered: Vec<Segment> = unique.into_values().cloned().collect();
        memory.roll_up(&delivered, now());
    }
    order
}
