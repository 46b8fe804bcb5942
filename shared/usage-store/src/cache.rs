//! Caches parts of the dedupe indexes in memory, bounded by their size in bytes.

use dedupe::{
    BlockedFilter, BlockedRun, Blocks, GROUP_LEVELS, GroupId, NewPart, RunId, RunMeta, SortedRun,
};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The shares of a function's memory that its indexes may take; the rest is for the segments of a
/// rollup and for the function itself. Filters have the largest share for their size, since they
/// save the most reads and take a quarter of the memory of the runs that they cover.
const RUNS_PERCENT: u64 = 15;
const BLOCKS_PERCENT: u64 = 30;
const FILTERS_PERCENT: u64 = 20;
/// The expected size of a part. It only sets how many keys the cache reserves room for at first.
const PART_BYTES: u64 = 64 * 1024;

/// A cache of the most recently used parts of indexes.
#[derive(Debug)]
pub(crate) struct BlockCache {
    runs: Cache<RunId, Arc<SortedRun>, Bytes>,
    blocked: Cache<RunId, Arc<BlockedRun>, Bytes>,
    filters: Cache<GroupId, Arc<BlockedFilter>, Bytes>,
}

impl BlockCache {
    /// A cache for a function with `memory_bytes` of memory.
    pub(crate) fn within(memory_bytes: u64) -> Self {
        let bytes = |percent| memory_bytes / 100 * percent;
        let count = |percent| usize::try_from(bytes(percent) / PART_BYTES).unwrap_or(usize::MAX);
        Self {
            runs: Cache::with_weighter(count(RUNS_PERCENT), bytes(RUNS_PERCENT), Bytes),
            blocked: Cache::with_weighter(count(BLOCKS_PERCENT), bytes(BLOCKS_PERCENT), Bytes),
            filters: Cache::with_weighter(count(FILTERS_PERCENT), bytes(FILTERS_PERCENT), Bytes),
        }
    }

    /// The cached parts of runs and of the filters over them.
    pub(crate) fn blocks(&self, runs: impl Iterator<Item = RunMeta>) -> Blocks {
        let mut blocks = Blocks::default();
        for run in runs {
            let Some(meta) = run.blocks else {
                blocks
                    .whole
                    .extend(self.runs.get(&run.id).map(|cached| (run.id, cached)));
                continue;
            };
            blocks
                .blocked
                .extend(self.blocked.get(&run.id).map(|cached| (run.id, cached)));
            for level in (0..GROUP_LEVELS).filter(|level| meta.filter_words[*level] > 0) {
                let group = GroupId {
                    last: run.id,
                    level: u8::try_from(level).unwrap_or(u8::MAX),
                };
                blocks
                    .filters
                    .extend(self.filters.get(&group).map(|cached| (group, cached)));
            }
        }
        blocks
    }

    /// Caches the named runs and filters of the loaded blocks.
    pub(crate) fn insert(
        &self,
        blocks: &Blocks,
        runs: &BTreeSet<RunId>,
        filters: &BTreeSet<GroupId>,
    ) {
        for id in runs {
            blocks
                .whole
                .get(id)
                .into_iter()
                .for_each(|run| self.runs.insert(*id, Arc::clone(run)));
            blocks
                .blocked
                .get(id)
                .into_iter()
                .for_each(|run| self.blocked.insert(*id, Arc::clone(run)));
        }
        for group in filters {
            blocks
                .filters
                .get(group)
                .into_iter()
                .for_each(|filter| self.filters.insert(*group, Arc::clone(filter)));
        }
    }

    /// Caches the written parts, and removes the runs that were merged into them.
    pub(crate) fn replace(&self, written: &[NewPart], obsolete: &[RunId]) {
        for part in written {
            match part {
                NewPart::Run(meta, run) => self.runs.insert(meta.id, Arc::clone(run)),
                NewPart::Blocks(meta, run) => self.blocked.insert(meta.id, Arc::clone(run)),
                NewPart::Filter(_, group, filter) => {
                    self.filters.insert(*group, Arc::clone(filter))
                }
            }
        }
        for merged in obsolete {
            self.runs.remove(merged);
        }
    }
}

/// Weighs cached parts by their bytes in memory.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<RunId, Arc<SortedRun>> for Bytes {
    fn weight(&self, _: &RunId, run: &Arc<SortedRun>) -> u64 {
        run.memory_bytes() as u64
    }
}

impl Weighter<RunId, Arc<BlockedRun>> for Bytes {
    fn weight(&self, _: &RunId, run: &Arc<BlockedRun>) -> u64 {
        run.memory_bytes() as u64
    }
}

impl Weighter<GroupId, Arc<BlockedFilter>> for Bytes {
    fn weight(&self, _: &GroupId, filter: &Arc<BlockedFilter>) -> u64 {
        filter.memory_bytes() as u64
    }
}
