//! Runs in groups: one look at a group's filter instead of one at each of its runs.
//!
//! An index grows by a full run for some 16,000 events. Looked through run by run, an event would cost more with every
//! run; so full runs are taken together in groups of about 4, of about 16, of about 64, and of about 256. Where a group ends
//! is a function of the run's id, so that it stays the same whatever is added behind it or expires in front of it.

use crate::blocks::{BlockFilter, BlockRun, Spread};
use crate::filter::{GROUP_SHARE, Mark, words};
use crate::{Entry, Identity, Known, Run, RunId, RunRef};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// About how many runs a group of each level has, as the power of two: 4, 16, 64, 256.
const GROUP_RUNS_LOG2: [u32; GROUP_LEVELS] = [2, 4, 6, 8];
/// How many levels of groups there are.
pub const GROUP_LEVELS: usize = 4;

/// Which group: the run that ends it, and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// The last of its runs.
    pub last: RunId,
    /// Its level, from 0.
    pub level: u8,
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last, self.level)
    }
}

/// A part of an index: what is read of it at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartId {
    /// A run that is one item.
    Run(RunId),
    /// A block of a run in blocks.
    Block(RunId, u16),
    /// A block of a group's filter.
    Filter(GroupId, u16),
}

/// The parts of an index that are there.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The runs that are one item each.
    pub whole: BTreeMap<RunId, Arc<Run>>,
    /// Those in blocks.
    pub cut: BTreeMap<RunId, Arc<BlockRun>>,
    /// The filters of groups.
    pub filters: BTreeMap<GroupId, Arc<BlockFilter>>,
}

/// Whether a run ends a group of a level.
pub(crate) fn ends(run: RunId, level: usize) -> bool {
    let low = u64::try_from(run.attempt.as_u128() & u128::from(u64::MAX)).unwrap_or_default();
    let mixed = (low ^ u64::from(run.ordinal).rotate_right(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits depend on all the others.
    mixed.leading_zeros() >= GROUP_RUNS_LOG2[level]
}

/// The runs in blocks, in their order, which is that of time.
fn in_blocks(refs: &[RunRef]) -> Vec<RunRef> {
    refs.iter().filter(|run| run.blocks.is_some()).copied().collect()
}

/// A group that is complete, and that has no filter yet; with those of lower levels that its last run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmade {
    /// The run that ends them.
    pub(crate) last: RunId,
    /// The runs of each level that has no filter.
    levels: Vec<(usize, Vec<RunRef>)>,
}

/// The first groups that are complete and have no filter. A group of one run would say no more than the run itself.
pub(crate) fn unmade(refs: &[RunRef]) -> Option<Unmade> {
    let refs = in_blocks(refs);
    let mut starts = [0; GROUP_LEVELS];
    for (at, run) in refs.iter().enumerate() {
        let mut levels = Vec::new();
        for level in (0..GROUP_LEVELS).filter(|level| ends(run.id, *level)) {
            let runs = &refs[starts[level]..=at];
            starts[level] = at + 1;
            if runs.len() > 1 && run.blocks.is_some_and(|blocks| blocks.filter_words[level] == 0) {
                levels.push((level, runs.to_vec()));
            }
        }
        if !levels.is_empty() {
            return Some(Unmade { last: run.id, levels });
        }
    }
    None
}

impl Unmade {
    /// Makes the filters, or says which parts it takes.
    pub(crate) fn make(&self, parts: &Parts) -> Result<Vec<(usize, BlockFilter)>, BTreeSet<PartId>> {
        let mut lacking = BTreeSet::new();
        for run in self.levels.iter().flat_map(|(_, runs)| runs) {
            let blocks =
                |stored: &BlockRun| stored.lacking().map(|block| PartId::Block(run.id, block)).collect::<Vec<_>>();
            match parts.cut.get(&run.id) {
                Some(stored) => lacking.extend(blocks(stored)),
                None => lacking.extend(blocks(&BlockRun::empty(run.entries))),
            }
        }
        if !lacking.is_empty() {
            return Err(lacking);
        }
        let filter = |(level, runs): &(usize, Vec<RunRef>)| {
            let entries: Vec<&[Entry]> = runs
                .iter()
                .filter_map(|run| parts.cut.get(&run.id))
                .flat_map(|run| run.blocks().map(|(_, block)| block.entries()))
                .collect();
            let count = entries.iter().map(|entries| entries.len()).sum();
            let identities = entries.into_iter().flatten().map(|entry| entry.identity);
            (*level, BlockFilter::of(&words(identities, count, GROUP_SHARE, Spread::WHOLE)))
        };
        Ok(self.levels.iter().map(filter).collect())
    }
}

/// What runs say of identities, in the order of these; or which parts it takes to know.
pub(crate) fn known(refs: &[RunRef], parts: &Parts, identities: &[Identity]) -> Result<Vec<Known>, BTreeSet<PartId>> {
    let places = identities.iter().enumerate();
    let mut sought: Vec<Sought> = places.map(|(place, id)| Sought { mark: Mark::of(*id), place }).collect();
    sought.sort_unstable_by_key(|sought| sought.mark);
    let known = vec![Known::default(); identities.len()];
    let mut look = Look { parts, identities, known, lacking: BTreeSet::new() };
    for run in refs.iter().filter(|run| run.blocks.is_none()) {
        look.in_whole(run.id, &sought);
    }
    look.in_groups(&in_blocks(refs), GROUP_LEVELS, &sought);
    if look.lacking.is_empty() { Ok(look.known) } else { Err(look.lacking) }
}

/// An identity that is looked for.
#[derive(Clone, Copy)]
struct Sought {
    mark: Mark,
    /// Which of all it is.
    place: usize,
}

/// A look through an index: for all identities in one part of it before the next, so that the part stays near the processor.
struct Look<'s> {
    parts: &'s Parts,
    identities: &'s [Identity],
    known: Vec<Known>,
    lacking: BTreeSet<PartId>,
}

impl Look<'_> {
    fn in_whole(&mut self, id: RunId, sought: &[Sought]) {
        match self.parts.whole.get(&id) {
            Some(run) => sought.iter().for_each(|sought| self.in_run(run, *sought)),
            None => drop(self.lacking.insert(PartId::Run(id))),
        }
    }

    fn in_run(&mut self, run: &Run, Sought { mark, place }: Sought) {
        if run.may_hold(mark) {
            self.known[place] = self.known[place].or(run.find(self.identities[place]));
        }
    }

    fn in_cut(&mut self, named: &RunRef, sought: &[Sought]) {
        let empty;
        let run = match self.parts.cut.get(&named.id) {
            Some(run) => run,
            None => {
                empty = Arc::new(BlockRun::empty(named.entries));
                &empty
            }
        };
        for sought in sought {
            match run.at(sought.mark.prefix) {
                (_, Some(block)) => self.in_run(block, *sought),
                (block, None) => drop(self.lacking.insert(PartId::Block(named.id, block))),
            }
        }
    }

    /// Looks through runs in blocks by their groups of the levels below one.
    fn in_groups(&mut self, refs: &[RunRef], below: usize, sought: &[Sought]) {
        let Some(level) = below.checked_sub(1) else {
            return refs.iter().for_each(|run| self.in_cut(run, sought));
        };
        for part in refs.split_inclusive(|run| ends(run.id, level)).filter(|_| !sought.is_empty()) {
            let words = part.last().and_then(|last| Some((last.id, last.blocks?.filter_words[level])));
            match words.filter(|(_, words)| *words > 0) {
                Some((last, words)) => {
                    let held =
                        self.held(GroupId { last, level: u8::try_from(level).unwrap_or(u8::MAX) }, words, sought);
                    self.in_groups(part, level, &held);
                }
                None => self.in_groups(part, level, sought),
            }
        }
    }

    /// Those that a group's filter may hold.
    fn held(&mut self, group: GroupId, words: u32, sought: &[Sought]) -> Vec<Sought> {
        let Some(filter) = self.parts.filters.get(&group) else {
            let empty = BlockFilter::empty(words);
            let blocks = sought.iter().filter_map(|sought| empty.may_hold(sought.mark).err());
            self.lacking.extend(blocks.map(|block| PartId::Filter(group, block)));
            return Vec::new();
        };
        let mut held = Vec::new();
        for sought in sought {
            match filter.may_hold(sought.mark) {
                Ok(true) => held.push(*sought),
                Ok(false) => {}
                Err(block) => drop(self.lacking.insert(PartId::Filter(group, block))),
            }
        }
        held
    }
}
