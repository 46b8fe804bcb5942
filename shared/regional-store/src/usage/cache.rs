//! What settling keeps in memory: runs of the index and their groups, by how much of it they take.

use metering::{Entry, Group, GroupId, Run, RunId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Of a function's memory, what its indexes may take: the rest is for what is settled, and for the function itself.
const RUNS_PERCENT: u64 = 60;
const GROUPS_PERCENT: u64 = 11;
/// What a run is expected to take, which only decides how much room is made for their keys at first.
const RUN_BYTES: u64 = 64 * 1024;
/// What an entry takes of a run, filter included.
const ENTRY_BYTES: u64 = Entry::BYTES as u64 + 2;

/// Runs and groups that were used last.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) runs: Cache<RunId, Arc<Run>, Bytes>,
    pub(super) groups: Cache<GroupId, Arc<Group>, Bytes>,
    /// How many entries an index may have, so that a function holds it.
    pub(super) entries_max: u64,
}

impl Kept {
    /// Keeps what a function of so much memory can.
    pub(super) fn within(memory_bytes: u64) -> Self {
        let runs_bytes = memory_bytes / 100 * RUNS_PERCENT;
        let groups_bytes = memory_bytes / 100 * GROUPS_PERCENT;
        let count = usize::try_from(runs_bytes / RUN_BYTES).unwrap_or(usize::MAX);
        Self {
            runs: Cache::with_weighter(count, runs_bytes, Bytes),
            groups: Cache::with_weighter(count, groups_bytes, Bytes),
            entries_max: runs_bytes / ENTRY_BYTES,
        }
    }
}

/// Weighs by the memory that is taken.
#[derive(Debug, Clone)]
pub(super) struct Bytes;

impl Weighter<RunId, Arc<Run>> for Bytes {
    fn weight(&self, _: &RunId, run: &Arc<Run>) -> u64 {
        run.memory_bytes() as u64
    }
}

impl Weighter<GroupId, Arc<Group>> for Bytes {
    fn weight(&self, _: &GroupId, group: &Arc<Group>) -> u64 {
        group.memory_bytes() as u64
    }
}
