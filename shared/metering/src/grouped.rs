//! Runs in groups: one look at a group's filter instead of one at each of its runs.
//!
//! An index grows by a full run for some 20,000 events. Looked through run by run, an event would cost more with every
//! run; so full runs are taken together in groups of about 16, and of about 256. Where a group ends is a function of the
//! run's id, so that it stays the same whatever is added behind it or expires in front of it.

use crate::filter::Filter;
use crate::{Identity, Known, Run, RunId, RunRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// About how many runs a group of each level has: powers of two, each a multiple of the one before.
const GROUP_RUNS: [u64; 2] = [16, 256];

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
    /// The group of runs.
    fn of(runs: &[(RunId, &Run)]) -> Self {
        let entries = runs.iter().map(|(_, run)| run.len()).sum();
        let mut filter = Filter::sparse(entries);
        for identity in runs.iter().flat_map(|(_, run)| run.identities()) {
            filter.add(identity);
        }
        Self { runs: runs.iter().map(|(id, _)| *id).collect(), filter }
    }

    /// How much memory it takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.filter.memory_bytes() + self.runs.len() * size_of::<RunId>()
    }

    /// Whether it was made over these runs, and perhaps others in front of them.
    fn covers(&self, runs: &[(RunId, &Run)]) -> bool {
        let others = self.runs.len().checked_sub(runs.len());
        others.is_some_and(|others| self.runs[others..].iter().eq(runs.iter().map(|(id, _)| id)))
    }
}

/// Runs, or a group of such.
enum Node<'r> {
    Run(&'r Run),
    Group(&'r Filter, Vec<Node<'r>>),
}

/// Whether a run ends a group of a level.
pub(crate) fn ends(run: RunId, level: usize) -> bool {
    let low = u64::try_from(run.attempt.as_u128() & u128::from(u64::MAX)).unwrap_or_default();
    let mixed = (low ^ u64::from(run.ordinal).rotate_right(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits depend on all the others.
    (mixed >> 32).is_multiple_of(GROUP_RUNS[level])
}

/// The groups that are complete.
pub(crate) fn complete(refs: &[RunRef]) -> Vec<GroupId> {
    let full = || refs.iter().filter(|run| run.is_full()).map(|run| run.id);
    (0..GROUP_RUNS.len())
        .flat_map(|level| full().filter(move |id| ends(*id, level)).map(move |last| GroupId { last, level }))
        .collect()
}

/// The groups that are complete and that there are none of yet.
pub(crate) fn missing(
    refs: &[RunRef],
    runs: &BTreeMap<RunId, Arc<Run>>,
    known: &BTreeMap<GroupId, Arc<Group>>,
) -> Vec<(GroupId, Arc<Group>)> {
    let full = full(refs, runs);
    let mut made = Vec::new();
    for level in 0..GROUP_RUNS.len() {
        for group in full.split_inclusive(|(id, _)| ends(*id, level)) {
            let Some((last, _)) = group.last().filter(|(id, _)| ends(*id, level)) else { continue };
            let id = GroupId { last: *last, level };
            if group.len() > 1 && !known.get(&id).is_some_and(|known| known.covers(group)) {
                made.push((id, Arc::new(Group::of(group))));
            }
        }
    }
    made
}

/// The full runs of a head, in its order.
fn full<'r>(refs: &[RunRef], runs: &'r BTreeMap<RunId, Arc<Run>>) -> Vec<(RunId, &'r Run)> {
    let full = refs.iter().filter(|run| run.is_full());
    full.filter_map(|run| runs.get(&run.id).map(|found| (run.id, found.as_ref()))).collect()
}

/// What runs say of events, in the order of these.
pub(crate) fn known(
    refs: &[RunRef],
    runs: &BTreeMap<RunId, Arc<Run>>,
    groups: &BTreeMap<GroupId, Arc<Group>>,
    events: &[Identity],
) -> Vec<Known> {
    let loose = refs.iter().filter(|run| !run.is_full()).filter_map(|run| runs.get(&run.id));
    let mut nodes: Vec<Node<'_>> = loose.map(|run| Node::Run(run)).collect();
    nodes.extend(grouped(&full(refs, runs), groups, GROUP_RUNS.len()));
    let mut known = vec![Known::default(); events.len()];
    let all: Vec<usize> = (0..events.len()).collect();
    for node in &nodes {
        node.look(events, &all, &mut known);
    }
    known
}

/// Runs under the groups of the levels below one.
fn grouped<'r>(runs: &[(RunId, &'r Run)], groups: &'r BTreeMap<GroupId, Arc<Group>>, below: usize) -> Vec<Node<'r>> {
    let Some(level) = below.checked_sub(1) else {
        return runs.iter().map(|(_, run)| Node::Run(run)).collect();
    };
    let mut nodes = Vec::new();
    for part in runs.split_inclusive(|(id, _)| ends(*id, level)) {
        let inner = grouped(part, groups, level);
        let group = part.last().and_then(|(last, _)| groups.get(&GroupId { last: *last, level }));
        match group.filter(|group| group.covers(part)) {
            Some(group) => nodes.push(Node::Group(&group.filter, inner)),
            None => nodes.extend(inner),
        }
    }
    nodes
}

impl Node<'_> {
    /// Looks some of the events up, by their places. All of them in one run before the next, so that the filter of a run
    /// stays near the processor.
    fn look(&self, events: &[Identity], places: &[usize], known: &mut [Known]) {
        match self {
            Self::Run(run) => {
                for place in places {
                    known[*place] = known[*place].or(run.find(events[*place]));
                }
            }
            Self::Group(filter, nodes) => {
                let places: Vec<usize> =
                    places.iter().copied().filter(|place| filter.may_hold(events[*place])).collect();
                for node in nodes.iter().filter(|_| !places.is_empty()) {
                    node.look(events, &places, known);
                }
            }
        }
    }
}
