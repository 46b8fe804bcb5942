//! The indexes of what was counted: runs that are merged as they grow.

use crate::{Entry, MissingRun, Run, RunId, RunRef, Segment};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
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

impl RunRef {
    /// Whether the run has grown as far as it will: its reference changes no more.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.entries >= FULL_RUN_ENTRIES
    }
}

pub(crate) fn is_live(run: &RunRef, now: Timestamp, kept: SignedDuration) -> bool {
    now.duration_since(run.newest) <= kept
}

/// An index as it is and as it will be.
pub(crate) struct Index<'s> {
    /// What the head is to name.
    pub(crate) refs: Vec<RunRef>,
    stored: &'s BTreeMap<RunId, Arc<Run>>,
    made: BTreeMap<RunId, Arc<Run>>,
}

impl<'s> Index<'s> {
    /// The live runs of a head.
    ///
    /// # Errors
    /// When one of them is not there.
    pub(crate) fn open(
        named: &[RunRef],
        stored: &'s BTreeMap<RunId, Arc<Run>>,
        kept: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, MissingRun> {
        let refs: Vec<RunRef> = named.iter().filter(|run| is_live(run, now, kept)).copied().collect();
        if let Some(missing) = refs.iter().find(|run| !stored.contains_key(&run.id)) {
            return Err(MissingRun { id: missing.id });
        }
        Ok(Self { refs, stored, made: BTreeMap::new() })
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
        let contents = merged.iter().filter_map(|run| self.made.get(&run.id).or_else(|| self.stored.get(&run.id)));
        let runs = Run::merge(contents.map(AsRef::as_ref));
        self.insert_all(runs, newest, names);
    }

    fn insert_all(&mut self, runs: Vec<Run>, newest: Timestamp, names: &mut impl Iterator<Item = RunId>) {
        for (run, id) in runs.into_iter().zip(names) {
            self.insert(id, run, newest);
        }
    }

    fn insert(&mut self, id: RunId, run: Run, newest: Timestamp) {
        let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
        self.refs.push(RunRef { id, entries, newest });
        self.made.insert(id, Arc::new(run));
    }

    /// The runs that are new and named, segments included: those are stored as what they are.
    pub(crate) fn written(&self) -> impl Iterator<Item = (RunRef, Arc<Run>)> {
        self.refs.iter().filter_map(|run| self.made.get(&run.id).map(|made| (*run, Arc::clone(made))))
    }
}

/// The tier of a run that is stored as one.
fn tier_of(run: &RunRef) -> Option<usize> {
    let is_settled = run.is_full() || run.id.segment().is_some();
    (!is_settled).then(|| TIER_ENTRIES.iter().filter(|least| run.entries >= **least).count())
}
