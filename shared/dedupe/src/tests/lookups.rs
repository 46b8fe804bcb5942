//! A lookup in an index in blocks finds exactly its entries, and reads a small part of it.

use crate::groups::{ends_group, unfiltered};
use crate::*;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

const RUN_ENTRIES: usize = 12_000;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const KEPT: SignedDuration = SignedDuration::from_hours(1);

fn key(n: usize) -> DedupeKey {
    DedupeKey::hash([&n.to_be_bytes()])
}

fn entry(n: usize) -> Entry {
    Entry {
        key: key(n),
        content: ContentHash::from_bytes([1, 2, 3, (n % 251) as u8]),
    }
}

/// Full runs. The 3rd ends a group of the lowest level, and the 6th one of each of the two lowest
/// levels.
fn index(count: usize) -> (Vec<RunMeta>, Blocks) {
    let id = |n: usize| {
        let is_fit = |id: &RunId| match n {
            2 => ends_group(*id, 0) && !ends_group(*id, 1),
            5 => ends_group(*id, 1) && !ends_group(*id, 2),
            _ => !ends_group(*id, 0),
        };
        let ids = (0..).map(|attempt| RunId {
            attempt: Uuid::from_u128(attempt * 1_000 + n as u128),
            ordinal: 0,
        });
        ids.into_iter().find(is_fit).unwrap()
    };
    let (mut runs, mut parts) = (Vec::new(), Blocks::default());
    for n in 0..count {
        let run = SortedRun::of(
            (n * RUN_ENTRIES..(n + 1) * RUN_ENTRIES)
                .map(entry)
                .collect(),
        );
        let entries = u32::try_from(RUN_ENTRIES).unwrap();
        runs.push(RunMeta {
            id: id(n),
            entries,
            newest: Timestamp::UNIX_EPOCH,
            blocks: Some(BlockMeta::default()),
        });
        parts.blocked.insert(id(n), Arc::new(BlockedRun::of(&run)));
    }
    (runs, parts)
}

/// Makes the missing filters of complete groups.
fn group(runs: &mut [RunMeta], parts: &mut Blocks) -> Vec<(usize, u8)> {
    let mut made = Vec::new();
    while let Some(unfiltered) = unfiltered(runs) {
        let at = runs
            .iter()
            .position(|run| run.id == unfiltered.last)
            .unwrap();
        for (level, filter) in unfiltered.filters(parts).unwrap() {
            runs[at].blocks.as_mut().unwrap().filter_words[level] =
                u32::try_from(filter.words()).unwrap();
            let level = u8::try_from(level).unwrap();
            parts.filters.insert(
                GroupId {
                    last: unfiltered.last,
                    level,
                },
                Arc::new(filter),
            );
            made.push((at, level));
        }
    }
    made
}

/// The results for keys with all blocks loaded.
fn known(runs: &[RunMeta], all: &Blocks, keys: &[DedupeKey]) -> Vec<Known> {
    Lookup::new(runs, keys.to_vec())
        .resume(all)
        .unwrap()
        .to_vec()
}

/// Looks up keys, and loads only the missing blocks. Returns the results and the loaded blocks.
fn look_up(runs: &[RunMeta], all: &Blocks, keys: &[DedupeKey]) -> (Vec<Known>, BTreeSet<BlockId>) {
    look_up_again(runs, all, keys, &mut Blocks::default())
}

/// The same with the blocks of an earlier lookup.
fn look_up_again(
    runs: &[RunMeta],
    all: &Blocks,
    keys: &[DedupeKey],
    loaded: &mut Blocks,
) -> (Vec<Known>, BTreeSet<BlockId>) {
    let mut requested = BTreeSet::new();
    let mut lookup = Lookup::new(runs, keys.to_vec());
    loop {
        let missing = match lookup.resume(loaded) {
            Ok(known) => return (known.to_vec(), requested),
            Err(MissingBlocks { blocks }) => blocks,
        };
        for block in missing {
            assert!(requested.insert(block), "{block:?} is requested once");
            load(block, all, loaded);
        }
    }
}

fn load(block: BlockId, all: &Blocks, loaded: &mut Blocks) {
    match block {
        BlockId::Run(id) => drop(loaded.whole.insert(id, Arc::clone(&all.whole[&id]))),
        BlockId::Block(id, block) => {
            let empty = || Arc::new(BlockedRun::empty(u32::try_from(RUN_ENTRIES).unwrap()));
            let (_, stored) = all.blocked[&id].blocks().nth(usize::from(block)).unwrap();
            assert!(
                Arc::make_mut(loaded.blocked.entry(id).or_insert_with(empty))
                    .fill(block, &stored.encode())
            );
        }
        BlockId::Filter(group, block) => {
            let stored = &all.filters[&group];
            let empty = || Arc::new(BlockedFilter::empty(u32::try_from(stored.words()).unwrap()));
            let (_, bytes) = stored.blocks().nth(usize::from(block)).unwrap();
            assert!(
                Arc::make_mut(loaded.filters.entry(group).or_insert_with(empty))
                    .fill(block, &bytes)
            );
        }
    }
}

#[test]
fn a_lookup_reads_few_blocks_and_finds_all_entries() {
    let (mut runs, mut parts) = index(8);
    let there: Vec<DedupeKey> = (0..8 * RUN_ENTRIES).step_by(1_201).map(key).collect();
    let absent: Vec<DedupeKey> = (8 * RUN_ENTRIES..8 * RUN_ENTRIES + 20).map(key).collect();
    let plain = known(&runs, &parts, &there);
    assert_eq!(
        plain.iter().filter(|known| known.counted.is_some()).count(),
        there.len()
    );
    let (found, requested) = look_up(&runs, &parts, &absent);
    assert!(found.iter().all(|known| *known == Known::default()));
    assert!(
        (8 * 14..=8 * 20).contains(&requested.len()),
        "a block of each run: {}",
        requested.len()
    );

    assert_eq!(group(&mut runs, &mut parts), [(2, 0), (5, 0), (5, 1)]);
    let (found, requested) = look_up(&runs, &parts, &absent);
    assert!(found.iter().all(|known| *known == Known::default()));
    assert!(
        requested.len() <= 20 * 3 + 10,
        "one of the group's filter and two of the last runs: {}",
        requested.len()
    );
    assert_eq!(look_up(&runs, &parts, &there).0, plain);
    // Blocks that were read for other keys do not answer for these.
    let mut read = Blocks::default();
    for some in there.chunks(7) {
        assert_eq!(
            look_up_again(&runs, &parts, some, &mut read).0,
            known(&runs, &parts, some)
        );
    }
    assert_eq!(
        look_up_again(&runs, &parts, &there, &mut read),
        (plain, BTreeSet::new()),
        "all blocks were read before"
    );
    // The oldest runs expire. Filters stay valid for the remaining runs of their groups.
    assert_eq!(unfiltered(&runs[2..]), None);
    let (left, _) = look_up(&runs[2..], &parts, &there);
    assert_eq!(left, known(&runs[2..], &parts, &there));
    assert_eq!(
        left.iter().filter(|known| known.counted.is_some()).count(),
        there.len() - 20
    );
}

/// A resumed lookup needs no block twice, and keeps its results.
#[test]
fn a_lookup_resumes_with_the_missing_blocks_only() {
    let (mut runs, mut parts) = index(8);
    group(&mut runs, &mut parts);
    let small = SortedRun::of((500_000..500_100).map(entry).collect());
    let id = RunId {
        attempt: Uuid::max(),
        ordinal: 0,
    };
    runs.push(RunMeta {
        id,
        entries: 100,
        newest: Timestamp::UNIX_EPOCH,
        blocks: None,
    });
    parts.whole.insert(id, Arc::new(small));
    let keys: Vec<DedupeKey> = (0..9 * RUN_ENTRIES)
        .step_by(997)
        .chain([500_007])
        .map(key)
        .collect();
    let mut lookup = Lookup::new(&runs, keys.clone());
    let mut loaded = Blocks::default();
    let known = loop {
        let missing = match lookup.resume(&loaded) {
            Ok(known) => break known.to_vec(),
            Err(MissingBlocks { blocks }) => blocks,
        };
        // Half of the missing blocks are loaded, and the earlier ones are dropped.
        loaded = Blocks::default();
        for block in missing.into_iter().step_by(2) {
            load(block, &parts, &mut loaded);
        }
    };
    assert_eq!(known, self::known(&runs, &parts, &keys));
    assert_eq!(
        known.iter().filter(|known| known.counted.is_some()).count(),
        8 * RUN_ENTRIES / 997 + 2
    );
}

/// A list is written as a whole when a run is added to it, so its length is bounded.
#[test]
fn a_full_list_is_followed_by_a_new_one() {
    for (listed, next) in [(0, 0), (1, 0), (3_999, 0), (4_000, 1)] {
        let of_list = |n: usize| {
            let id = RunId {
                attempt: Uuid::from_u128(n as u128),
                ordinal: 0,
            };
            RunMeta {
                id,
                entries: 12_000,
                newest: NOW,
                blocks: Some(BlockMeta::default()),
            }
        };
        let runs: Vec<RunMeta> = (0..listed).map(of_list).collect();
        let mut index = Index::open(&Manifest { runs }, KEPT, NOW);
        let mut ids = (0..).map(|ordinal| RunId {
            attempt: Uuid::max(),
            ordinal,
        });
        index.append((0..30_000).map(entry).collect(), NOW, &mut ids);
        let added: Vec<u32> = index.runs()[listed..]
            .iter()
            .map(|run| run.blocks.unwrap().list)
            .collect();
        let expected = if listed == 3_999 {
            vec![0, 1]
        } else {
            vec![next, next]
        };
        assert_eq!(added, expected, "behind {listed}");
    }
}

#[test]
fn blocks_of_another_position_are_refused() {
    let (mut runs, mut parts) = index(3);
    let run = &parts.blocked[&runs[0].id];
    let mut read = BlockedRun::empty(runs[0].entries);
    let (first, second) = (
        run.blocks().next().unwrap().1.encode(),
        run.blocks().nth(1).unwrap().1.encode(),
    );
    assert!(
        !read.fill(0, &second)
            && !read.fill(1, &first)
            && !read.fill(0, &first[1..])
            && !read.fill(9_999, &first)
    );
    assert!(read.fill(0, &first));
    group(&mut runs, &mut parts);
    let filter = parts.filters.values().next().unwrap();
    let mut read = BlockedFilter::empty(u32::try_from(filter.words()).unwrap());
    let blocks: Vec<(u16, Vec<u8>)> = filter.blocks().collect();
    let (last, bytes) = blocks.last().unwrap();
    assert!(!read.fill(0, bytes) && !read.fill(*last, &blocks[0].1) && !read.fill(9_999, bytes));
    assert!(blocks.iter().all(|(block, bytes)| read.fill(*block, bytes)) && read == **filter);
}

/// A block fills the read unit that is paid for: none is far above 4 kB, and few are far below.
#[test]
fn blocks_fill_a_read_unit() {
    for entries in [12_000, 16_000, 24_000] {
        let run = BlockedRun::of(&SortedRun::of((0..entries).map(entry).collect()));
        let sizes: Vec<usize> = run
            .blocks()
            .map(|(_, block)| block.encode().len())
            .collect();
        assert!(
            sizes.iter().filter(|size| **size > 4_000).count() * 20 < sizes.len(),
            "{sizes:?}"
        );
        assert!(sizes.iter().sum::<usize>() > sizes.len() * 3_300);
    }
}
