//! Adding entries to an index, and compacting it (size-tiered compaction).

use crate::groups::unfiltered;
use crate::{
    BlockMeta, BlockedFilter, BlockedRun, Blocks, Entry, GroupId, Manifest, MissingBlocks, RunId,
    RunMeta, SortedRun,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many runs of a tier are merged into one of the next. Higher means fewer writes and more runs
/// to look in.
const MERGE_FANOUT: usize = 8;
/// How many segments may serve as runs: as many of medium size as make a full run.
const SEGMENT_RUNS_MAX: usize = 128;
/// How many of them while they are small: they are cheap to merge, and every write of the manifest
/// names each.
const SMALL_SEGMENT_RUNS_MAX: usize = 32;
/// The mean number of entries below which segments are small.
const SMALL_SEGMENT_ENTRIES: usize = 64;
/// The entries of a full run. It is stored in blocks and never merged again: a larger one would
/// save nothing.
const FULL_RUN_ENTRIES: u32 = 12_000;
/// The numbers of entries that divide the tiers below full runs.
const TIER_ENTRIES: [u32; 2] = [512, 4_096];

/// The most runs in blocks of one list: 200 kB with all filters, below the 400 kB limit of an item.
const LISTED_MAX: usize = 4_000;

/// An index that is being changed: the runs that the next manifest names, and the new ones among
/// them.
#[derive(Debug, Clone)]
pub struct Index {
    runs: Vec<RunMeta>,
    made: Blocks,
}

/// A part of an index that is to be stored before the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewPart {
    /// A run that is one item. A segment that serves as a run is stored already.
    Run(RunMeta, Arc<SortedRun>),
    /// A run in blocks, all of them.
    Blocks(RunMeta, Arc<BlockedRun>),
    /// The filter of a group, all of it, with the group's last run.
    Filter(RunMeta, GroupId, Arc<BlockedFilter>),
}

impl Index {
    /// The live runs of a manifest.
    #[must_use]
    pub fn open(manifest: &Manifest, kept: SignedDuration, now: Timestamp) -> Self {
        Self {
            runs: manifest.live(now, kept).collect(),
            made: Blocks::default(),
        }
    }

    /// The runs that the next manifest names.
    #[must_use]
    pub fn runs(&self) -> &[RunMeta] {
        &self.runs
    }

    /// Makes the filters of groups that have become complete, of those that end with one run. Does
    /// so once: further groups wait for the next change, since their blocks cost reads and no
    /// lookup is wrong without their filters.
    ///
    /// # Errors
    /// When blocks of these groups are not loaded. The index is unchanged then.
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

    /// Adds a segment as a run of its own. Segments are stored already, so this writes nothing.
    pub fn append_segment(&mut self, id: RunId, entries: Vec<Entry>, newest: Timestamp) {
        self.insert(id, SortedRun::of(entries), newest);
    }

    /// Adds entries as new runs. `ids` are the ids of this attempt that are free.
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

    /// Merges segments once there are many, then each tier that has grown full, the lowest first.
    /// `ids` are the ids of this attempt that are free. All runs that are one item are loaded,
    /// since the lookup before needed them.
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
        those: impl Fn(&RunMeta) -> bool,
        ids: &mut (impl Iterator<Item = RunId> + ?Sized),
    ) {
        let merged: Vec<RunMeta> = self.runs.extract_if(.., |run| those(run)).collect();
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

    /// The new parts that the next manifest names, segments that serve as runs included.
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

/// The tier of a run that can be merged: one that is an item of its own.
fn tier_of(run: &RunMeta) -> Option<usize> {
    let is_fixed = run.blocks.is_some() || run.id.segment().is_some();
    (!is_fixed).then(|| {
        TIER_ENTRIES
            .iter()
            .filter(|least| run.entries >= **least)
            .count()
    })
}
