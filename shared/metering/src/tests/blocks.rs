//! An index in blocks says what its entries say, and little of it is read.

use super::exactly_once::{Memory, counting};
use super::{catalogue, now};
use crate::grouped::{ends, known, unmade};
use crate::*;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

const RUN_ENTRIES: usize = 12_000;

fn identity(n: usize) -> Identity {
    Identity::of(Sender::Provider, "source", &n.to_string())
}

fn entry(n: usize) -> Entry {
    Entry { identity: identity(n), digest: Digest::from_bytes([1, 2, 3, (n % 251) as u8]) }
}

/// Full runs, of which the 3rd ends a group of the lowest level and the 6th one of the two lowest.
fn index(count: usize) -> (Vec<RunRef>, Parts) {
    let id = |n: usize| {
        let is_fit = |id: &RunId| match n {
            2 => ends(*id, 0) && !ends(*id, 1),
            5 => ends(*id, 1) && !ends(*id, 2),
            _ => !ends(*id, 0),
        };
        let ids = (0..).map(|attempt| RunId { attempt: Uuid::from_u128(attempt * 1_000 + n as u128), ordinal: 0 });
        ids.into_iter().find(is_fit).unwrap()
    };
    let (mut refs, mut parts) = (Vec::new(), Parts::default());
    for n in 0..count {
        let run = Run::of((n * RUN_ENTRIES..(n + 1) * RUN_ENTRIES).map(entry).collect());
        let entries = u32::try_from(RUN_ENTRIES).unwrap();
        refs.push(RunRef { id: id(n), entries, newest: Timestamp::UNIX_EPOCH, blocks: Some(Blocks::default()) });
        parts.cut.insert(id(n), Arc::new(BlockRun::of(&run)));
    }
    (refs, parts)
}

/// Makes the filters that are due.
fn group(refs: &mut [RunRef], parts: &mut Parts) -> Vec<(usize, u8)> {
    let mut made = Vec::new();
    while let Some(unmade) = unmade(refs) {
        let at = refs.iter().position(|run| run.id == unmade.last).unwrap();
        for (level, filter) in unmade.make(parts).unwrap() {
            refs[at].blocks.as_mut().unwrap().filter_words[level] = u32::try_from(filter.words()).unwrap();
            let level = u8::try_from(level).unwrap();
            parts.filters.insert(GroupId { last: unmade.last, level }, Arc::new(filter));
            made.push((at, level));
        }
    }
    made
}

/// Looks up with nothing but what is asked for: what is known, and which parts were asked for.
fn look(refs: &[RunRef], all: &Parts, identities: &[Identity]) -> (Vec<Known>, BTreeSet<PartId>) {
    look_further(refs, all, identities, &mut Parts::default())
}

/// The same with what was read before.
fn look_further(
    refs: &[RunRef],
    all: &Parts,
    identities: &[Identity],
    read: &mut Parts,
) -> (Vec<Known>, BTreeSet<PartId>) {
    let mut asked = BTreeSet::new();
    loop {
        let lacking = match known(refs, read, identities) {
            Ok(known) => return (known, asked),
            Err(lacking) => lacking,
        };
        for part in lacking {
            assert!(asked.insert(part), "{part:?} is asked for once");
            match part {
                PartId::Run(id) => drop(read.whole.insert(id, Arc::clone(&all.whole[&id]))),
                PartId::Block(id, block) => {
                    let empty = || Arc::new(BlockRun::empty(u32::try_from(RUN_ENTRIES).unwrap()));
                    let (_, stored) = all.cut[&id].blocks().nth(usize::from(block)).unwrap();
                    assert!(Arc::make_mut(read.cut.entry(id).or_insert_with(empty)).fill(block, &stored.encode()));
                }
                PartId::Filter(group, block) => {
                    let stored = &all.filters[&group];
                    let empty = || Arc::new(BlockFilter::empty(u32::try_from(stored.words()).unwrap()));
                    let (_, bytes) = stored.blocks().nth(usize::from(block)).unwrap();
                    assert!(Arc::make_mut(read.filters.entry(group).or_insert_with(empty)).fill(block, &bytes));
                }
            }
        }
    }
}

#[test]
fn a_look_up_reads_few_blocks_and_finds_what_is_there() {
    let (mut refs, mut parts) = index(8);
    let there: Vec<Identity> = (0..8 * RUN_ENTRIES).step_by(1_201).map(identity).collect();
    let absent: Vec<Identity> = (8 * RUN_ENTRIES..8 * RUN_ENTRIES + 20).map(identity).collect();
    let plain = known(&refs, &parts, &there).unwrap();
    assert_eq!(plain.iter().filter(|known| known.counted.is_some()).count(), there.len());
    let (found, asked) = look(&refs, &parts, &absent);
    assert!(found.iter().all(|known| *known == Known::default()));
    assert!((8 * 14..=8 * 20).contains(&asked.len()), "a block of each run: {}", asked.len());

    assert_eq!(group(&mut refs, &mut parts), [(2, 0), (5, 0), (5, 1)]);
    let (found, asked) = look(&refs, &parts, &absent);
    assert!(found.iter().all(|known| *known == Known::default()));
    assert!(asked.len() <= 20 * 3 + 10, "one of the group's filter and two of the last runs: {}", asked.len());
    assert_eq!(look(&refs, &parts, &there).0, plain);
    // What was read for others says nothing of these.
    let mut read = Parts::default();
    for some in there.chunks(7) {
        assert_eq!(look_further(&refs, &parts, some, &mut read).0, known(&refs, &parts, some).unwrap());
    }
    assert_eq!(look_further(&refs, &parts, &there, &mut read), (plain, BTreeSet::new()), "all of it was read");
    // The oldest runs expire: the filters are good for what is left of their groups.
    assert_eq!(unmade(&refs[2..]), None);
    let (left, _) = look(&refs[2..], &parts, &there);
    assert_eq!(left, known(&refs[2..], &parts, &there).unwrap());
    assert_eq!(left.iter().filter(|known| known.counted.is_some()).count(), there.len() - 20);
}

/// A list is written as a whole when a run is added to it: it does not grow without end.
#[test]
fn a_full_list_is_followed_by_another_one() {
    for (listed, next) in [(0, 0), (1, 0), (3_999, 0), (4_000, 1)] {
        let of_list = |n: usize| {
            let id = RunId { attempt: Uuid::from_u128(n as u128), ordinal: 0 };
            RunRef { id, entries: 12_000, newest: now(), blocks: Some(Blocks::default()) }
        };
        let refs: Vec<RunRef> = (0..listed).map(of_list).collect();
        let parts = Parts::default();
        let mut index = crate::index::Index::open(&refs, &parts, IDENTITY_KEPT, now());
        let mut names = (0..).map(|ordinal| RunId { attempt: Uuid::max(), ordinal });
        index.append((0..30_000).map(entry).collect(), now(), &mut names);
        let added: Vec<u32> = index.refs[listed..].iter().map(|run| run.blocks.unwrap().list).collect();
        let expected = if listed == 3_999 { vec![0, 1] } else { vec![next, next] };
        assert_eq!(added, expected, "behind {listed}");
    }
}

#[test]
fn blocks_of_another_place_are_refused() {
    let (mut refs, mut parts) = index(3);
    let run = &parts.cut[&refs[0].id];
    let mut read = BlockRun::empty(refs[0].entries);
    let (first, second) = (run.blocks().next().unwrap().1.encode(), run.blocks().nth(1).unwrap().1.encode());
    assert!(!read.fill(0, &second) && !read.fill(1, &first) && !read.fill(0, &first[1..]) && !read.fill(9_999, &first));
    assert!(read.fill(0, &first));
    group(&mut refs, &mut parts);
    let filter = parts.filters.values().next().unwrap();
    let mut read = BlockFilter::empty(u32::try_from(filter.words()).unwrap());
    let blocks: Vec<(u16, Vec<u8>)> = filter.blocks().collect();
    let (last, bytes) = blocks.last().unwrap();
    assert!(!read.fill(0, bytes) && !read.fill(*last, &blocks[0].1) && !read.fill(9_999, bytes));
    assert!(blocks.iter().all(|(block, bytes)| read.fill(*block, bytes)) && read == **filter);
}

/// What is stored takes as much as is paid for: no block is much above 4 kB, and few are far below.
#[test]
fn blocks_fill_what_a_read_unit_pays_for() {
    for entries in [12_000, 16_000, 24_000] {
        let run = BlockRun::of(&Run::of((0..entries).map(entry).collect()));
        let sizes: Vec<usize> = run.blocks().map(|(_, block)| block.encode().len()).collect();
        assert!(sizes.iter().filter(|size| **size > 4_000).count() * 20 < sizes.len(), "{sizes:?}");
        assert!(sizes.iter().sum::<usize>() > sizes.len() * 3_300);
    }
}

/// An index of many groups: a settlement of little reads little of it, and what it has read once it knows.
#[test]
fn a_settlement_reads_few_blocks_of_a_large_index() {
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let settle = |memory: &mut Memory, from: u32, count: u32, number: u32| {
        let segments = counting(&catalogue, from, count, u128::from(number));
        memory.pending.extend(segments.iter().map(|segment| segment.id));
        memory.settle(&segments, now());
        memory.read
    };
    let mut read = Vec::new();
    for round in 0..400_u32 {
        settle(&mut memory, round * 1_000, 1_000, 2 * round + 1);
        read.push(settle(&mut memory, 1_000_000 + round * 10, 10, 2 * round + 2));
    }
    assert_eq!(memory.head.counted.accepted, 404_000);
    assert!(memory.stored.filters.keys().any(|group| group.level > 0), "there are groups of groups");
    let mut late = read.split_off(300);
    late.sort_unstable();
    assert!(late[50] <= 10 * 16 + 64, "{} parts are read for 10 events", late[50]);
    settle(&mut memory, 0, 1_000, 100_000);
    assert_eq!((memory.head.counted.accepted, memory.head.counted.duplicates), (404_000, 1_000));
}
