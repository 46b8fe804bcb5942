//! Lookups of many keys at once, which resume where blocks were missing.

use crate::blocks::{BlockedFilter, BlockedRun};
use crate::bloom::BloomHash;
use crate::groups::{GROUP_LEVELS, GroupId};
use crate::groups::{ends_group, in_blocks};
use crate::key::DedupeKey;
use crate::manifest::{RunId, RunMeta};
use crate::sorted_run::{Known, SortedRun};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The unit in which an index is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockId {
    /// A run in one item.
    Run(RunId),
    /// A block of a run in blocks.
    Block(RunId, u16),
    /// A block of a group's filter.
    Filter(GroupId, u16),
}

/// The loaded blocks of an index.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    /// Runs in one item.
    pub whole: BTreeMap<RunId, Arc<SortedRun>>,
    /// Runs in blocks, with the loaded blocks.
    pub blocked: BTreeMap<RunId, Arc<BlockedRun>>,
    /// Filters of groups, with the loaded blocks.
    pub filters: BTreeMap<GroupId, Arc<BlockedFilter>>,
}

/// Blocks that must be loaded. Without them, an event could count twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} blocks of an index are not loaded", blocks.len())]
pub struct MissingBlocks {
    /// The blocks. Once they are loaded, the lookup may need further ones.
    pub blocks: BTreeSet<BlockId>,
}

/// A lookup of keys in an index.
///
/// All keys pass one block, in their order, before the next, so that a block stays in the
/// processor's cache. A missing block leaves a step open for the keys that need it.
/// [`Lookup::resume`] repeats only the open steps.
#[derive(Debug, Clone)]
pub struct Lookup {
    keys: Vec<DedupeKey>,
    known: Vec<Known>,
    open: Vec<Step>,
}

/// A key of the lookup.
#[derive(Debug, Clone, Copy)]
struct Sought {
    hash: BloomHash,
    /// The index of the key in the lookup.
    place: usize,
}

/// An open step for some of the keys.
#[derive(Debug, Clone)]
struct Step {
    place: Place,
    keys: Arc<[Sought]>,
}

#[derive(Debug, Clone)]
enum Place {
    /// A run in one item.
    Whole(RunId),
    /// A run in blocks.
    Blocked(RunMeta),
    /// Runs to search by their groups of the levels below this one.
    Groups(Arc<[RunMeta]>, usize),
    /// A group's filter with its number of words, and the group's runs behind it.
    Filter(GroupId, u32, Arc<[RunMeta]>),
}

impl Lookup {
    /// Prepares a lookup in the runs of a manifest.
    #[must_use]
    pub fn new(runs: &[RunMeta], keys: Vec<DedupeKey>) -> Self {
        let mut sought: Vec<Sought> = keys
            .iter()
            .enumerate()
            .map(|(place, key)| Sought {
                hash: BloomHash::of(*key),
                place,
            })
            .collect();
        // This is the order of the keys, since a hash starts with the key's prefix.
        sought.sort_unstable_by_key(|sought| sought.hash);
        let sought: Arc<[Sought]> = sought.into();
        let whole = runs
            .iter()
            .filter(|run| run.blocks.is_none())
            .map(|run| Place::Whole(run.id));
        let blocked = Place::Groups(in_blocks(runs).into(), GROUP_LEVELS);
        let steps = whole.chain([blocked]).map(|place| Step {
            place,
            keys: Arc::clone(&sought),
        });
        let open = steps.collect();
        Self {
            known: vec![Known::default(); keys.len()],
            keys,
            open,
        }
    }

    /// Searches the loaded blocks. Returns the hashes that the index holds for each key, in the
    /// order of the keys.
    ///
    /// # Errors
    /// [`MissingBlocks`] when blocks are missing. Call it again once they are loaded; results so
    /// far are kept.
    pub fn resume(&mut self, blocks: &Blocks) -> Result<&[Known], MissingBlocks> {
        let mut missing = BTreeSet::new();
        for step in std::mem::take(&mut self.open) {
            self.take(step, blocks, &mut missing);
        }
        if self.open.is_empty() {
            Ok(&self.known)
        } else {
            Err(MissingBlocks { blocks: missing })
        }
    }

    fn take(
        &mut self,
        Step { place, keys }: Step,
        blocks: &Blocks,
        missing: &mut BTreeSet<BlockId>,
    ) {
        let left = match &place {
            Place::Whole(id) => match blocks.whole.get(id) {
                Some(run) => {
                    keys.iter().for_each(|sought| self.in_run(run, *sought));
                    return;
                }
                // Compacting the index needs every run in one item, so it is loaded even if no key
                // is left.
                None => {
                    missing.insert(BlockId::Run(*id));
                    keys
                }
            },
            Place::Blocked(run) => self.in_blocked(run, &keys, blocks, missing).into(),
            Place::Groups(runs, below) => {
                return self.in_groups(runs, *below, &keys, blocks, missing);
            }
            Place::Filter(group, words, runs) => {
                let (passed, left) = pass_filter(*group, *words, &keys, blocks, missing);
                self.in_groups(
                    runs,
                    usize::from(group.level),
                    &passed.into(),
                    blocks,
                    missing,
                );
                left.into()
            }
        };
        if !left.is_empty() || matches!(place, Place::Whole(_)) {
            self.open.push(Step { place, keys: left });
        }
    }

    fn in_run(&mut self, run: &SortedRun, Sought { hash, place }: Sought) {
        if run.may_hold(hash) {
            self.known[place] = self.known[place].or(run.find(self.keys[place]));
        }
    }

    /// Searches a run in blocks. Returns the keys whose blocks are missing.
    fn in_blocked(
        &mut self,
        meta: &RunMeta,
        keys: &[Sought],
        blocks: &Blocks,
        missing: &mut BTreeSet<BlockId>,
    ) -> Vec<Sought> {
        let empty;
        let run = match blocks.blocked.get(&meta.id) {
            Some(run) => run,
            None => {
                empty = Arc::new(BlockedRun::empty(meta.entries));
                &empty
            }
        };
        let mut left = Vec::new();
        for sought in keys {
            match run.at(sought.hash.prefix) {
                (_, Some(block)) => self.in_run(block, *sought),
                (block, None) => {
                    missing.insert(BlockId::Block(meta.id, block));
                    left.push(*sought);
                }
            }
        }
        left
    }

    /// Searches runs in blocks by their groups of the levels below `below`.
    fn in_groups(
        &mut self,
        runs: &[RunMeta],
        below: usize,
        keys: &Arc<[Sought]>,
        blocks: &Blocks,
        missing: &mut BTreeSet<BlockId>,
    ) {
        if keys.is_empty() {
            return;
        }
        let Some(level) = below.checked_sub(1) else {
            for run in runs {
                self.take(
                    Step {
                        place: Place::Blocked(*run),
                        keys: Arc::clone(keys),
                    },
                    blocks,
                    missing,
                );
            }
            return;
        };
        for group in runs.split_inclusive(|run| ends_group(run.id, level)) {
            let words = group
                .last()
                .and_then(|last| Some((last.id, last.blocks?.filter_words[level])));
            match words.filter(|(_, words)| *words > 0) {
                Some((last, words)) => {
                    let place = Place::Filter(GroupId::new(last, level), words, group.into());
                    self.take(
                        Step {
                            place,
                            keys: Arc::clone(keys),
                        },
                        blocks,
                        missing,
                    );
                }
                None => self.in_groups(group, level, keys, blocks, missing),
            }
        }
    }
}

/// Divides keys into those that a group's filter may hold, and those whose blocks of the filter are
/// missing.
fn pass_filter(
    group: GroupId,
    words: u32,
    keys: &[Sought],
    blocks: &Blocks,
    missing: &mut BTreeSet<BlockId>,
) -> (Vec<Sought>, Vec<Sought>) {
    let empty;
    let filter = match blocks.filters.get(&group) {
        Some(filter) => filter,
        None => {
            empty = Arc::new(BlockedFilter::empty(words));
            &empty
        }
    };
    let (mut passed, mut left) = (Vec::new(), Vec::new());
    for sought in keys {
        match filter.may_hold(sought.hash) {
            Ok(true) => passed.push(*sought),
            Ok(false) => {}
            Err(block) => {
                missing.insert(BlockId::Filter(group, block));
                left.push(*sought);
            }
        }
    }
    (passed, left)
}
