//! Groups of runs say what the runs say.

use crate::grouped::{ends, known, missing};
use crate::{Digest, Entry, Identity, Run, RunId, RunRef};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const RUN_ENTRIES: usize = 12_000;
const RUNS: usize = 24;

fn identity(n: usize) -> Identity {
    Identity::of("source", &n.to_string())
}

fn run(n: usize) -> Arc<Run> {
    let entries = n * RUN_ENTRIES..(n + 1) * RUN_ENTRIES;
    let entry = |n: usize| Entry { identity: identity(n), digest: Digest::from_bytes([1, 2, 3, (n % 251) as u8]) };
    Arc::new(Run::of(entries.map(entry).collect()))
}

/// A head with full runs, of which the 8th ends a group of the lowest level and the 20th one of the two lowest.
fn index() -> (Vec<RunRef>, BTreeMap<RunId, Arc<Run>>) {
    let id = |n: usize| {
        let is_fit = |id: &RunId| match n {
            7 => ends(*id, 0) && !ends(*id, 1),
            19 => ends(*id, 1) && !ends(*id, 2),
            _ => !ends(*id, 0),
        };
        let ids = (0..).map(|attempt| RunId { attempt: Uuid::from_u128(attempt * 1_000 + n as u128), ordinal: 0 });
        ids.into_iter().find(is_fit).unwrap()
    };
    let runs: Vec<(RunId, Arc<Run>)> = (0..RUNS).map(|n| (id(n), run(n))).collect();
    let entries = u32::try_from(RUN_ENTRIES).unwrap();
    let refs = runs.iter().map(|(id, _)| RunRef { id: *id, entries, newest: Timestamp::UNIX_EPOCH }).collect();
    (refs, runs.into_iter().collect())
}

#[test]
fn what_groups_say_is_what_their_runs_say() {
    let (refs, runs) = index();
    let events: Vec<Identity> = (0..RUNS * RUN_ENTRIES + 20_000).step_by(37).map(identity).collect();
    let plain = known(&refs, &runs, &BTreeMap::new(), &events);
    let counted = plain.iter().filter(|known| known.counted.is_some()).count();
    assert_eq!(counted, (RUNS * RUN_ENTRIES).div_ceil(37));
    let groups: BTreeMap<_, _> = missing(&refs, &runs, &BTreeMap::new()).into_iter().collect();
    let sizes: Vec<(usize, usize)> = groups.iter().map(|(id, group)| (id.level, group.runs.len())).collect();
    assert_eq!(sizes.iter().copied().collect::<BTreeSet<_>>(), [(0, 8), (0, 12), (1, 20)].into());
    assert_eq!(known(&refs, &runs, &groups, &events), plain);
    assert!(missing(&refs, &runs, &groups).is_empty(), "they are made once");
    // The oldest runs expire: their groups are good for what is left of them.
    assert!(missing(&refs[3..], &runs, &groups).is_empty());
    let left = known(&refs[3..], &runs, &groups, &events);
    assert_eq!(left, known(&refs[3..], &runs, &BTreeMap::new(), &events));
    // A group that was made over fewer runs than there are is not asked.
    let fewer: BTreeMap<_, _> = missing(&refs[3..], &runs, &BTreeMap::new()).into_iter().collect();
    assert_eq!(known(&refs, &runs, &fewer, &events), plain);
}
