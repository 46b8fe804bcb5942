//! Runs in groups: one look at a group's filter instead of one at each of its runs.
//!
//! An index grows by a full run for some 20,000 events. Looked through run by run, an event would cost more with every
//! run; so full runs are taken together in groups of about 4, of about 16, of about 64, and of about 256. Where a group ends
//! is a function of the run's id, so that it stays the same whatever is added behind it or expires in front of it.

use crate::filter::{Filter, Mark};
use crate::{Identity, Known, Run, RunId, RunRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// About how many runs a group of each level has, as the power of two: 4, 16, 64, 256.
const GROUP_RUNS_LOG2: [u32; 4] = [2, 4, 6, 8];

/// Which group: the run that ends it, and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    last: RunId,
    pub(crate) level: usize,
}

/// A filter over the entries of several runs. What it does not hold is in none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub(crate) runs: Vec<RunId>,
    filter: Filter,
}

impl Group {
    /// The group of runs, without those that have expired.
    fn of(ids: &[RunId], runs: &Runs) -> Self {
        let (ids, found): (Vec<RunId>, Vec<&Run>) =
            ids.iter().filter_map(|id| Some((*id, runs.get(id)?.as_ref()))).unzip();
        let count = found.iter().map(|run| run.len()).sum();
        let filter = Filter::of(found.iter().flat_map(|run| run.identities()), count, Filter::GROUP_SHARE);
        Self { runs: ids, filter }
    }

    /// How much memory it takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.filter.memory_bytes() + self.runs.len() * size_of::<RunId>()
    }

    /// Whether it was made over these runs, and perhaps others in front of them.
    fn covers(&self, ids: &[RunId]) -> bool {
        self.runs.ends_with(ids)
    }
}

type Runs = BTreeMap<RunId, Arc<Run>>;
type Groups = BTreeMap<GroupId, Arc<Group>>;

/// Whether a run ends a group of a level.
pub(crate) fn ends(run: RunId, level: usize) -> bool {
    let low = u64::try_from(run.attempt.as_u128() & u128::from(u64::MAX)).unwrap_or_default();
    let mixed = (low ^ u64::from(run.ordinal).rotate_right(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits depend on all the others.
    mixed.leading_zeros() >= GROUP_RUNS_LOG2[level]
}

/// The groups that are complete, with their runs. A group of one run would say no more than this run's filter.
fn groups(full: &[RunId]) -> impl Iterator<Item = (GroupId, &[RunId])> {
    let of_level = |level| {
        full.split_inclusive(move |id| ends(*id, level)).filter_map(move |part| {
            let last = part.last().filter(|last| part.len() > 1 && ends(**last, level))?;
            Some((GroupId { last: *last, level }, part))
        })
    };
    (0..GROUP_RUNS_LOG2.len()).flat_map(of_level)
}

/// The full runs of a head, in its order.
fn full(refs: &[RunRef]) -> Vec<RunId> {
    refs.iter().filter(|run| run.is_full()).map(|run| run.id).collect()
}

/// The groups that are complete.
pub(crate) fn complete(refs: &[RunRef]) -> Vec<GroupId> {
    groups(&full(refs)).map(|(id, _)| id).collect()
}

/// The groups that are complete and that there are none of yet.
pub(crate) fn missing(refs: &[RunRef], runs: &Runs, known: &Groups) -> Vec<(GroupId, Arc<Group>)> {
    let full = full(refs);
    let missing = groups(&full).filter(|(id, part)| !known.get(id).is_some_and(|known| known.covers(part)));
    missing.map(|(id, part)| (id, Arc::new(Group::of(part, runs)))).collect()
}

/// What runs say of identities, in the order of these.
pub(crate) fn known(refs: &[RunRef], runs: &Runs, groups: &Groups, identities: &[Identity]) -> Vec<Known> {
    let places = identities.iter().enumerate();
    let mut sought: Vec<Sought> = places.map(|(place, id)| Sought { mark: Mark::of(*id), place }).collect();
    sought.sort_unstable_by_key(|sought| sought.mark);
    let mut look = Look { runs, groups, identities, known: vec![Known::default(); identities.len()] };
    for run in refs.iter().filter(|run| !run.is_full()) {
        look.in_run(run.id, &sought);
    }
    look.in_groups(&full(refs), GROUP_RUNS_LOG2.len(), &sought);
    look.known
}

/// An identity that is looked for.
#[derive(Clone, Copy)]
struct Sought {
    mark: Mark,
    /// Which of all it is.
    place: usize,
}

/// Those that a filter may hold. An event comes here more often than anywhere else: the loop does nothing but this, so that
/// the processor waits for many words of the filter at once.
fn held(filter: &Filter, sought: &[Sought]) -> Vec<Sought> {
    sought.iter().copied().filter(|sought| filter.may_hold(sought.mark)).collect()
}

/// A look through an index: for all identities in one part of it before the next, so that the part stays near the processor.
struct Look<'s> {
    runs: &'s Runs,
    groups: &'s Groups,
    identities: &'s [Identity],
    known: Vec<Known>,
}

impl Look<'_> {
    fn in_run(&mut self, id: RunId, sought: &[Sought]) {
        let Some(run) = self.runs.get(&id) else { return };
        for Sought { place, .. } in held(run.filter(), sought) {
            self.known[place] = self.known[place].or(run.find(self.identities[place]));
        }
    }

    /// Looks through full runs by their groups of the levels below one.
    fn in_groups(&mut self, ids: &[RunId], below: usize, sought: &[Sought]) {
        let Some(level) = below.checked_sub(1) else {
            return ids.iter().for_each(|id| self.in_run(*id, sought));
        };
        for part in ids.split_inclusive(|id| ends(*id, level)).filter(|_| !sought.is_empty()) {
            let group = part.last().and_then(|last| self.groups.get(&GroupId { last: *last, level }));
            match group.filter(|group| group.covers(part)) {
                Some(group) => self.in_groups(part, level, &held(&group.filter, sought)),
                None => self.in_groups(part, level, sought),
            }
        }
    }
}
