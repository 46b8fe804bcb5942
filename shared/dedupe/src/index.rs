//! Adding entries to an index, and compacting it (size-tiered compaction).

use crate::blocks::{BlockedFilter, BlockedRun};
use crate::groups::GroupId;
use crate::groups::unfiltered;
use crate::key::Entry;
use crate::lookup::{Blocks, MissingBlocks};
use crate::manifest::{BlockMeta, Manifest, RunId, RunMeta};
use crate::sorted_run::SortedRun;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// The number of runs of a tier that are merged into one of the next. A higher number means fewer
/// writes, but more runs to search.
const MERGE_FANOUT: usize = 8;
/// The most segments that serve as runs: at medium size, so many make a full run.
const SEGMENT_RUNS_MAX: usize = 128;
/// The most segments that serve as runs while they are small. Small ones are cheap to merge, and
/// each of them is repeated in every write of the manifest.
const SMALL_SEGMENT_RUNS_MAX: usize = 32;
/// The mean number of entries below which segments are small.
const SMALL_SEGMENT_ENTRIES: usize = 64;
/// The least number of entries of a full run. A full run is stored in blocks and never merged
/// again: a second merge would double what an event costs to write.
const FULL_RUN_ENTRIES: u32 = 12_000;
/// The least numbers of entries of the second and the third tier below full runs.
const TIER_ENTRIES: [u32; 2] = [512, 4_096];

/// The most runs in blocks of one list. With all filters they take 200 kB, below the 400 kB limit
/// of an item.
const LISTED_MAX: usize = 4_000;

/// An index that is being changed: the runs of the next manifest, and the contents of the new ones.
#[derive(Debug, Clone)]
pub struct Index {
    runs: Vec<RunMeta>,
    made: Blocks,
}

/// A new part of an index. It must be stored before a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewPart {
    /// A run in one item. A segment that serves as a run is already stored.
    Run(RunMeta, Arc<SortedRun>),
    /// All blocks of a run in blocks.
    Blocks(RunMeta, Arc<BlockedRun>),
    /// The complete filter of a group, with the group's last run.
    Filter(RunMeta, GroupId, Arc<BlockedFilter>),
}

impl Index {
    /// Opens the live runs of a manifest.
    #[must_use]
    pub fn open(manifest: &Manifest, retention: SignedDuration, now: Timestamp) -> Self {
        Self {
            runs: manifest.live(now, retention).collect(),
            made: Blocks::default(),
        }
    }

    /// The runs of the next manifest.
    #[must_use]
    pub fn runs(&self) -> &[RunMeta] {
        &self.runs
    }

    /// Makes the filters of complete groups that end with one run, once. Further groups are left to
    /// the next change, since their blocks cost reads, and no lookup is wrong without their
    /// filters.
    ///
    /// # Errors
    /// [`MissingBlocks`] when blocks of these groups are not loaded. The index is then unchanged.
    pub fn filter_groups(&mut self, blocks: &Blocks) -> Result<(), MissingBlocks> {
        if !self.made.filters.is_empty() {
            return Ok(());
        }
        let Some(unfiltered) = unfiltered(&self.runs) else {
            return Ok(());
        };
        for (level, filter) in unfiltered.filters(blocks)? {
            let last = self.runs.iter_mut().find(|run| run.id == unfiltered.last);
            if let Some(meta) = last.and_then(|run| run.blocks.as_mut()) {
                meta.filter_words[level] = u32::try_from(filter.words()).unwrap_or(u32::MAX);
            }
            self.made
                .filters
                .insert(GroupId::new(unfiltered.last, level), Arc::new(filter));
        }
        Ok(())
    }

    /// Adds a segment as a run. The segment is already stored, so this writes nothing.
    pub fn append_segment(&mut self, id: RunId, entries: Vec<Entry>, newest: Timestamp) {
        self.insert(id, SortedRun::of(entries), newest);
    }

    /// Adds entries as new runs. `ids` are the unused ids of this attempt.
    pub fn append(
        &mut self,
        entries: Vec<Entry>,
        newest: Timestamp,
        ids: &mut (impl Iterator<Item = RunId> + ?Sized),
    ) {
        if !entries.is_empty() {
            self.insert_all(
                SortedRun::merge([SortedRun::of(entries)].iter()),
                newest,
                ids,
            );
        }
    }

    /// Merges segments once there are many, and then each full tier, the lowest first, since a
    /// merge can fill the next tier. `ids` are the unused ids of this attempt. The lookup before
    /// has loaded all runs in one item.
    pub fn compact(&mut self, loaded: &Blocks, ids: &mut (impl Iterator<Item = RunId> + ?Sized)) {
        let is_segment = |run: &RunMeta| run.id.segment().is_some();
        let entries: u32 = self
            .runs
            .iter()
            .filter(|run| is_segment(run))
            .map(|run| run.entries)
            .sum();
        let segments = self.runs.iter().filter(|run| is_segment(run)).count();
        let are_small = (entries as usize) < segments * SMALL_SEGMENT_ENTRIES;
        let segments_max = if are_small {
            SMALL_SEGMENT_RUNS_MAX
        } else {
            SEGMENT_RUNS_MAX
        };
        // Segments with the entries of a full run are merged at once into a run that stays.
        if segments > segments_max || entries >= FULL_RUN_ENTRIES {
            self.merge(loaded, is_segment, ids);
        }
        for tier in 0..=TIER_ENTRIES.len() {
            let of_tier = |run: &RunMeta| tier_of(run) == Some(tier);
            if self.runs.iter().filter(|run| of_tier(run)).count() >= MERGE_FANOUT {
                self.merge(loaded, of_tier, ids);
            }
        }
    }

    fn merge(
        &mut self,
        loaded: &Blocks,
        selects: impl Fn(&RunMeta) -> bool,
        ids: &mut (impl Iterator<Item = RunId> + ?Sized),
    ) {
        let merged: Vec<RunMeta> = self.runs.extract_if(.., |run| selects(run)).collect();
        let newest = merged
            .iter()
            .map(|run| run.newest)
            .max()
            .unwrap_or_default();
        let found = |run: &RunMeta| {
            self.made
                .whole
                .get(&run.id)
                .or_else(|| loaded.whole.get(&run.id))
        };
        let contents = merged.iter().filter_map(found);
        let runs = SortedRun::merge(contents.map(AsRef::as_ref));
        self.insert_all(runs, newest, ids);
    }

    fn insert_all(
        &mut self,
        runs: Vec<SortedRun>,
        newest: Timestamp,
        ids: &mut (impl Iterator<Item = RunId> + ?Sized),
    ) {
        for (run, id) in runs.into_iter().zip(ids) {
            if run.len() >= FULL_RUN_ENTRIES as usize {
                self.insert_blocks(id, &run, newest);
            } else {
                self.insert(id, run, newest);
            }
        }
    }

    fn insert(&mut self, id: RunId, run: SortedRun, newest: Timestamp) {
        let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
        self.runs.push(RunMeta {
            id,
            entries,
            newest,
            blocks: None,
        });
        self.made.whole.insert(id, Arc::new(run));
    }

    fn insert_blocks(&mut self, id: RunId, run: &SortedRun, newest: Timestamp) {
        let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
        let lists = self
            .runs
            .iter()
            .filter_map(|run| run.blocks)
            .map(|blocks| blocks.list);
        let last = lists.clone().max().unwrap_or_default();
        // Runs are added to the last list only, since a list is one item and is written as a whole.
        let is_full = lists.filter(|list| *list == last).count() >= LISTED_MAX;
        let blocks = BlockMeta {
            list: last + u32::from(is_full),
            ..BlockMeta::default()
        };
        self.runs.push(RunMeta {
            id,
            entries,
            newest,
            blocks: Some(blocks),
        });
        self.made.blocked.insert(id, Arc::new(BlockedRun::of(run)));
    }

    /// The new parts of the next manifest, including segments that serve as runs.
    #[must_use]
    pub fn new_parts(&self) -> Vec<NewPart> {
        let mut new = Vec::new();
        for run in &self.runs {
            new.extend(
                self.made
                    .whole
                    .get(&run.id)
                    .map(|made| NewPart::Run(*run, Arc::clone(made))),
            );
            new.extend(
                self.made
                    .blocked
                    .get(&run.id)
                    .map(|made| NewPart::Blocks(*run, Arc::clone(made))),
            );
            let filters = self
                .made
                .filters
                .iter()
                .filter(|(group, _)| group.last == run.id);
            new.extend(
                filters.map(|(group, made)| NewPart::Filter(*run, *group, Arc::clone(made))),
            );
        }
        new
    }
}

/// The tier of a run, or nothing for a segment or a run in blocks, which are not merged by tiers.
fn tier_of(run: &RunMeta) -> Option<usize> {
    let is_fixed = run.blocks.is_some() || run.id.segment().is_some();
    (!is_fixed).then(|| {
        TIER_ENTRIES
            .iter()
            .filter(|least| run.entries >= **least)
            .count()
    })
}
