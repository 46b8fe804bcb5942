//! Groups of runs: one Bloom filter in front of many runs.
//!
//! An index grows by a full run every 16,000 events or so. If a lookup searched each run, its cost
//! would grow with their number. So runs in blocks form groups of about 4, 16, 64 and 256, and a
//! group's filter decides whether its runs are searched at all. A hash of a run's id decides
//! whether a group ends there (content-defined chunking), so that borders stay the same when runs
//! are added at the end or expire at the start.

use crate::blocks::{BlockedFilter, BlockedRun, Partition};
use crate::bloom::{GROUP_KEYS_PER_WORD, filter_words};
use crate::key::Entry;
use crate::lookup::{BlockId, Blocks, MissingBlocks};
use crate::manifest::{RunId, RunMeta};
use std::collections::BTreeSet;
use std::fmt;

/// The mean number of runs in a group of each level, as powers of two: 4, 16, 64, 256.
const GROUP_RUNS_LOG2: [u32; GROUP_LEVELS] = [2, 4, 6, 8];
/// The number of levels of groups.
pub const GROUP_LEVELS: usize = 4;

/// The id of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// The last run of the group.
    pub last: RunId,
    /// The level, from 0.
    pub level: u8,
}

impl GroupId {
    pub(crate) fn new(last: RunId, level: usize) -> Self {
        Self {
            last,
            level: u8::try_from(level).unwrap_or(u8::MAX),
        }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last, self.level)
    }
}

/// Whether a run ends a group of a level.
pub(crate) fn ends_group(run: RunId, level: usize) -> bool {
    let low = u64::try_from(run.attempt.as_u128() & u128::from(u64::MAX)).unwrap_or_default();
    // Fibonacci hashing: the highest bits of the product depend on all bits of the id.
    let mixed = (low ^ u64::from(run.ordinal).rotate_right(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.leading_zeros() >= GROUP_RUNS_LOG2[level]
}

/// The runs in blocks, oldest first.
pub(crate) fn in_blocks(runs: &[RunMeta]) -> Vec<RunMeta> {
    runs.iter()
        .filter(|run| run.blocks.is_some())
        .copied()
        .collect()
}

/// Complete groups without a filter. All of them end with the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfiltered {
    /// The last run of the groups.
    pub(crate) last: RunId,
    /// The level and the runs of each group.
    groups: Vec<(usize, Vec<RunMeta>)>,
}

/// Finds the first complete groups without a filter. A group of one run gets none, since the filter
/// would equal the run's own.
pub(crate) fn unfiltered(runs: &[RunMeta]) -> Option<Unfiltered> {
    let runs = in_blocks(runs);
    let mut starts = [0; GROUP_LEVELS];
    for (at, run) in runs.iter().enumerate() {
        let mut groups = Vec::new();
        for level in (0..GROUP_LEVELS).filter(|level| ends_group(run.id, *level)) {
            let group = &runs[starts[level]..=at];
            starts[level] = at + 1;
            if group.len() > 1
                && run
                    .blocks
                    .is_some_and(|blocks| blocks.filter_words[level] == 0)
            {
                groups.push((level, group.to_vec()));
            }
        }
        if !groups.is_empty() {
            return Some(Unfiltered {
                last: run.id,
                groups,
            });
        }
    }
    None
}

impl Unfiltered {
    /// Makes the filters, each with the level of its group.
    ///
    /// # Errors
    /// [`MissingBlocks`] when blocks of the groups' runs are not loaded.
    pub(crate) fn filters(
        &self,
        blocks: &Blocks,
    ) -> Result<Vec<(usize, BlockedFilter)>, MissingBlocks> {
        let mut missing = BTreeSet::new();
        for run in self.groups.iter().flat_map(|(_, runs)| runs) {
            let of_run = |loaded: &BlockedRun| {
                loaded
                    .missing()
                    .map(|block| BlockId::Block(run.id, block))
                    .collect::<Vec<_>>()
            };
            match blocks.blocked.get(&run.id) {
                Some(loaded) => missing.extend(of_run(loaded)),
                None => missing.extend(of_run(&BlockedRun::empty(run.entries))),
            }
        }
        if !missing.is_empty() {
            return Err(MissingBlocks { blocks: missing });
        }
        let filter = |(level, runs): &(usize, Vec<RunMeta>)| {
            let entries: Vec<&[Entry]> = runs
                .iter()
                .filter_map(|run| blocks.blocked.get(&run.id))
                .flat_map(|run| run.blocks().map(|(_, block)| block.entries()))
                .collect();
            let count = entries.iter().map(|entries| entries.len()).sum();
            let keys = entries.into_iter().flatten().map(|entry| entry.key);
            (
                *level,
                BlockedFilter::of(&filter_words(
                    keys,
                    count,
                    GROUP_KEYS_PER_WORD,
                    Partition::WHOLE,
                )),
            )
        };
        Ok(self.groups.iter().map(filter).collect())
    }
}
