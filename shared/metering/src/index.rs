//! The indexes of what was counted: runs that are merged as they grow.

use crate::blocks::{BlockFilter, BlockRun};
use crate::grouped::{self, unmade};
use crate::{Blocks, Entry, GroupId, Identity, Known, PartId, Parts, Run, RunId, RunRef, Segment};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long it is kept that a value was counted: a billing period, and as long after it as events may be late.
pub const MEMBERS_KEPT: SignedDuration = SignedDuration::from_hours((31 + 40) * 24);

/// How many runs of one tier are merged into the next.
const MERGE_FANOUT: usize = 8;
/// How many segments may be runs by themselves: as many of some size as make a full run.
const SEGMENT_RUNS_MAX: usize = 128;
/// Of small ones, which are cheap to merge, fewer: each is named in a head that every settlement writes.
const SMALL_SEGMENT_RUNS_MAX: usize = 32;
/// The least entries of a segment, on the whole, that is not small.
const SMALL_SEGMENT_ENTRIES: usize = 64;
/// A run of at least so many entries is full: merging it would save nothing.
const FULL_RUN_ENTRIES: u32 = 12_000;
/// The entries that divide the tiers below full.
const TIER_ENTRIES: [u32; 2] = [512, 4_096];

pub(crate) fn is_live(run: &RunRef, now: Timestamp, kept: SignedDuration) -> bool {
    now.duration_since(run.newest) <= kept
}

/// How many runs a list of those in blocks has: with all that can be said of each, some 200 kB.
const LISTED_MAX: usize = 4_000;

/// The live ones of the runs that a head names.
pub(crate) fn live(named: &[RunRef], now: Timestamp, kept: SignedDuration) -> Vec<RunRef> {
    named.iter().filter(|run| is_live(run, now, kept)).copied().collect()
}

/// An index as it is and as it will be.
pub(crate) struct Index<'s> {
    /// What the head is to name.
    pub(crate) refs: Vec<RunRef>,
    stored: &'s Parts,
    made: Parts,
}

/// What is stored of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPart {
    /// A run in one item; one that is a segment is stored already.
    Run(RunRef, Arc<Run>),
    /// A run in blocks, all of which are there.
    Blocks(RunRef, Arc<BlockRun>),
    /// The filter of a group, named by its last run, all of which is there.
    Filter(RunRef, GroupId, Arc<BlockFilter>),
}

impl<'s> Index<'s> {
    /// The live runs of a head.
    pub(crate) fn open(named: &[RunRef], stored: &'s Parts, kept: SignedDuration, now: Timestamp) -> Self {
        Self { refs: live(named, now, kept), stored, made: Parts::default() }
    }

    /// What the live runs of the head say of identities; or which parts it takes to know.
    pub(crate) fn known(&self, identities: &[Identity]) -> Result<Vec<Known>, BTreeSet<PartId>> {
        grouped::known(&self.refs, self.stored, identities)
    }

    /// Makes the filters of groups that have become complete, those that end with one run; or says which parts it takes.
    pub(crate) fn group(&mut self) -> Result<(), BTreeSet<PartId>> {
        let Some(unmade) = unmade(&self.refs) else { return Ok(()) };
        for (level, filter) in unmade.make(self.stored)? {
            let last = self.refs.iter_mut().find(|run| run.id == unmade.last);
            if let Some(blocks) = last.and_then(|run| run.blocks.as_mut()) {
                blocks.filter_words[level] = u32::try_from(filter.words()).unwrap_or(u32::MAX);
            }
            let group = GroupId { last: unmade.last, level: u8::try_from(level).unwrap_or(u8::MAX) };
            self.made.filters.insert(group, Arc::new(filter));
        }
        Ok(())
    }

    /// Takes a segment as a run: it is stored already.
    pub(crate) fn append_segment(&mut self, segment: &Segment, newest: Timestamp) {
        let entries = segment.body.events().iter().map(|event| event.entry).collect();
        self.insert(RunId::of_segment(segment.id), Run::of(entries), newest);
    }

    pub(crate) fn append(&mut self, entries: Vec<Entry>, newest: Timestamp, names: &mut impl Iterator<Item = RunId>) {
        if !entries.is_empty() {
            self.insert_all(Run::merge([Run::of(entries)].iter()), newest, names);
        }
    }

    /// Merges segments once they are many, then tiers that have grown full, the lowest first, until none has.
    pub(crate) fn merge(&mut self, names: &mut impl Iterator<Item = RunId>) {
        let is_segment = |run: &RunRef| run.id.segment().is_some();
        let entries: u32 = self.refs.iter().filter(|run| is_segment(run)).map(|run| run.entries).sum();
        let segments = self.refs.iter().filter(|run| is_segment(run)).count();
        let are_small = (entries as usize) < segments * SMALL_SEGMENT_ENTRIES;
        let segments_max = if are_small { SMALL_SEGMENT_RUNS_MAX } else { SEGMENT_RUNS_MAX };
        if segments > segments_max || entries >= FULL_RUN_ENTRIES {
            self.merge_those(is_segment, names);
        }
        for tier in 0..=TIER_ENTRIES.len() {
            let of_tier = |run: &RunRef| tier_of(run) == Some(tier);
            if self.refs.iter().filter(|run| of_tier(run)).count() >= MERGE_FANOUT {
                self.merge_those(of_tier, names);
            }
        }
    }

    fn merge_those(&mut self, those: impl Fn(&RunRef) -> bool, names: &mut impl Iterator<Item = RunId>) {
        let merged: Vec<RunRef> = self.refs.extract_if(.., |run| those(run)).collect();
        let newest = merged.iter().map(|run| run.newest).max().unwrap_or_default();
        let found = |run: &RunRef| self.made.whole.get(&run.id).or_else(|| self.stored.whole.get(&run.id));
        let contents = merged.iter().filter_map(found);
        let runs = Run::merge(contents.map(AsRef::as_ref));
        self.insert_all(runs, newest, names);
    }

    fn insert_all(&mut self, runs: Vec<Run>, newest: Timestamp, names: &mut impl Iterator<Item = RunId>) {
        for (run, id) in runs.into_iter().zip(names) {
            if run.len() >= FULL_RUN_ENTRIES as usize {
                self.insert_blocks(id, &run, newest);
            } else {
                self.insert(id, run, newest);
            }
        }
    }

    fn insert(&mut self, id: RunId, run: Run, newest: Timestamp) {
        let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
        self.refs.push(RunRef { id, entries, newest, blocks: None });
        self.made.whole.insert(id, Arc::new(run));
    }

    fn insert_blocks(&mut self, id: RunId, run: &Run, newest: Timestamp) {
        let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
        let lists = self.refs.iter().filter_map(|run| run.blocks).map(|blocks| blocks.list);
        let last = lists.clone().max().unwrap_or_default();
        let is_full = lists.filter(|list| *list == last).count() >= LISTED_MAX;
        let blocks = Blocks { list: last + u32::from(is_full), ..Blocks::default() };
        self.refs.push(RunRef { id, entries, newest, blocks: Some(blocks) });
        self.made.cut.insert(id, Arc::new(BlockRun::of(run)));
    }

    /// What is new and named, segments included.
    pub(crate) fn written(&self) -> Vec<StoredPart> {
        let mut written = Vec::new();
        for run in &self.refs {
            written.extend(self.made.whole.get(&run.id).map(|made| StoredPart::Run(*run, Arc::clone(made))));
            written.extend(self.made.cut.get(&run.id).map(|made| StoredPart::Blocks(*run, Arc::clone(made))));
            let filters = self.made.filters.iter().filter(|(group, _)| group.last == run.id);
            written.extend(filters.map(|(group, made)| StoredPart::Filter(*run, *group, Arc::clone(made))));
        }
        written
    }
}

/// The tier of a run that is stored as one.
fn tier_of(run: &RunRef) -> Option<usize> {
    let is_settled = run.blocks.is_some() || run.id.segment().is_some();
    (!is_settled).then(|| TIER_ENTRIES.iter().filter(|least| run.entries >= **least).count())
}
