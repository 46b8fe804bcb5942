//! What settling keeps in memory: parts of the indexes, by how much of it they take.

use metering::{BlockFilter, BlockRun, GROUP_LEVELS, GroupId, Parts, Run, RunId, RunRef, StoredPart};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Of a function's memory, what its indexes may take: the rest is for what is settled, and for the function itself. Filters keep
/// runs from being read, and take a quarter of what these do.
const RUNS_PERCENT: u64 = 15;
const BLOCKS_PERCENT: u64 = 30;
const FILTERS_PERCENT: u64 = 20;
/// What a part is expected to take, which only decides how much room is made for their keys at first.
const PART_BYTES: u64 = 64 * 1024;

/// The parts of indexes that were used last, as far as they were read.
#[derive(Debug)]
pub(super) struct Kept {
    runs: Cache<RunId, Arc<Run>, Bytes>,
    cut: Cache<RunId, Arc<BlockRun>, Bytes>,
    filters: Cache<GroupId, Arc<BlockFilter>, Bytes>,
}

impl Kept {
    /// Keeps what a function of so much memory can.
    pub(super) fn within(memory_bytes: u64) -> Self {
        let bytes = |percent| memory_bytes / 100 * percent;
        let count = |percent| usize::try_from(bytes(percent) / PART_BYTES).unwrap_or(usize::MAX);
        Self {
            runs: Cache::with_weighter(count(RUNS_PERCENT), bytes(RUNS_PERCENT), Bytes),
            cut: Cache::with_weighter(count(BLOCKS_PERCENT), bytes(BLOCKS_PERCENT), Bytes),
            filters: Cache::with_weighter(count(FILTERS_PERCENT), bytes(FILTERS_PERCENT), Bytes),
        }
    }

    /// What is kept of runs.
    pub(super) fn parts(&self, runs: impl Iterator<Item = RunRef>) -> Parts {
        let mut parts = Parts::default();
        for run in runs {
            let Some(blocks) = run.blocks else {
                parts.whole.extend(self.runs.get(&run.id).map(|kept| (run.id, kept)));
                continue;
            };
            parts.cut.extend(self.cut.get(&run.id).map(|kept| (run.id, kept)));
            for level in (0..GROUP_LEVELS).filter(|level| blocks.filter_words[*level] > 0) {
                let group = GroupId { last: run.id, level: u8::try_from(level).unwrap_or(u8::MAX) };
                parts.filters.extend(self.filters.get(&group).map(|kept| (group, kept)));
            }
        }
        parts
    }

    /// Keeps some of the parts.
    pub(super) fn keep(&self, parts: &Parts, runs: &BTreeSet<RunId>, filters: &BTreeSet<GroupId>) {
        for id in runs {
            parts.whole.get(id).into_iter().for_each(|run| self.runs.insert(*id, Arc::clone(run)));
            parts.cut.get(id).into_iter().for_each(|run| self.cut.insert(*id, Arc::clone(run)));
        }
        for group in filters {
            parts.filters.get(group).into_iter().for_each(|filter| self.filters.insert(*group, Arc::clone(filter)));
        }
    }

    /// Keeps what was written, and nothing more of what was merged.
    pub(super) fn replace(&self, written: &[StoredPart], obsolete: &[RunId]) {
        for part in written {
            match part {
                StoredPart::Run(named, run) => self.runs.insert(named.id, Arc::clone(run)),
                StoredPart::Blocks(named, run) => self.cut.insert(named.id, Arc::clone(run)),
                StoredPart::Filter(_, group, filter) => self.filters.insert(*group, Arc::clone(filter)),
            }
        }
        for merged in obsolete {
            self.runs.remove(merged);
        }
    }
}

/// Weighs by the memory that is taken.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<RunId, Arc<Run>> for Bytes {
    fn weight(&self, _: &RunId, run: &Arc<Run>) -> u64 {
        run.memory_bytes() as u64
    }
}

impl Weighter<RunId, Arc<BlockRun>> for Bytes {
    fn weight(&self, _: &RunId, run: &Arc<BlockRun>) -> u64 {
        run.memory_bytes() as u64
    }
}

impl Weighter<GroupId, Arc<BlockFilter>> for Bytes {
    fn weight(&self, _: &GroupId, filter: &Arc<BlockFilter>) -> u64 {
        filter.memory_bytes() as u64
    }
}
