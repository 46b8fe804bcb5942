//! Compaction of a growing index: few runs, and each entry once.

use crate::groups::ends_group;
use crate::*;
use jiff::{SignedDuration, Timestamp};
use kernel::SegmentId;
use std::sync::Arc;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// An index that grows change by change, with all blocks loaded.
#[derive(Default)]
struct Growing {
    manifest: Manifest,
    blocks: Blocks,
    changes: u128,
    entries: u64,
}

impl Growing {
    fn entries(&mut self, count: u64) -> Vec<Entry> {
        let first = self.entries;
        self.entries += count;
        let entry = |n: u64| Entry {
            key: DedupeKey::hash([&n.to_be_bytes()]),
            content: ContentHash::NONE,
        };
        (first..self.entries).map(entry).collect()
    }

    fn change(
        &mut self,
        now: Timestamp,
        change: impl FnOnce(&mut Index, &Blocks, &mut dyn Iterator<Item = RunId>),
    ) {
        self.changes += 1;
        let attempt = Uuid::from_u128(self.changes);
        let mut ids = (0..).map(|ordinal| RunId { attempt, ordinal });
        let mut index = Index::open(&self.manifest, KEPT, now);
        change(&mut index, &self.blocks, &mut ids);
        for part in index.new_parts() {
            match part {
                NewPart::Run(meta, run) => drop(self.blocks.whole.insert(meta.id, run)),
                NewPart::Blocks(meta, run) => drop(self.blocks.blocked.insert(meta.id, run)),
                NewPart::Filter(meta, group, filter) => {
                    assert_eq!(
                        meta.id, group.last,
                        "a filter expires with the last run of its group"
                    );
                    assert!(self.blocks.filters.insert(group, filter).is_none());
                }
            }
        }
        self.manifest = Manifest {
            runs: index.runs().to_vec(),
        };
    }

    fn add(&mut self, count: u64) {
        let entries = self.entries(count);
        self.change(NOW, |index, blocks, mut ids| {
            index.append(entries, NOW, &mut ids);
            index.compact(blocks, &mut ids);
        });
    }

    fn add_segment(&mut self, count: u64) {
        let entries = self.entries(count);
        let id = RunId::of_segment(SegmentId::from_uuid(Uuid::from_u128(self.changes << 64)));
        self.change(NOW, |index, blocks, mut ids| {
            index.append_segment(id, entries, NOW);
            index.compact(blocks, &mut ids);
        });
    }

    /// The number of entries of each run, in the order of the manifest.
    fn sizes(&self) -> Vec<u32> {
        self.manifest.runs.iter().map(|run| run.entries).collect()
    }

    fn segments(&self) -> usize {
        self.manifest
            .runs
            .iter()
            .filter(|run| run.id.segment().is_some())
            .count()
    }

    fn ensure_complete(&self) {
        let keys: Vec<DedupeKey> = (0..self.entries)
            .map(|n| DedupeKey::hash([&n.to_be_bytes()]))
            .collect();
        let mut lookup = Lookup::new(&self.manifest.runs, keys);
        assert!(
            lookup
                .resume(&self.blocks)
                .unwrap()
                .iter()
                .all(|known| known.counted.is_some())
        );
        let entries: u64 = self.sizes().into_iter().map(u64::from).sum();
        assert_eq!(entries, self.entries, "the index holds each entry once");
    }
}

#[test]
fn eight_runs_of_a_tier_become_one_of_the_next() {
    let mut index = Growing::default();
    (0..7).for_each(|_| index.add(100));
    assert_eq!(index.sizes(), [100; 7]);
    index.add(100);
    assert_eq!(index.sizes(), [800], "800 entries are of the next tier");
    (0..7 * 8).for_each(|_| index.add(100));
    assert_eq!(index.sizes(), [6_400], "eight of the second tier");
    index.ensure_complete();
}

/// Runs of 511 entries are in the first tier and of 512 in the second. Eight runs of one tier are
/// merged; seven and one of another are not.
#[test]
fn tiers_begin_at_their_least_size() {
    let sizes = |first: u64, second: u64| {
        let mut index = Growing::default();
        (0..7).for_each(|_| index.add(first));
        index.add(second);
        index.ensure_complete();
        index.sizes().len()
    };
    for (first, second, runs) in [
        (511, 511, 1),
        (511, 512, 8),
        (512, 512, 1),
        (512, 4_095, 1),
        (512, 4_096, 8),
    ] {
        assert_eq!(
            sizes(first, second),
            runs,
            "seven of {first} and one of {second}"
        );
    }
}

/// A full run is stored in blocks and not merged again.
#[test]
fn a_full_run_is_not_merged() {
    let mut index = Growing::default();
    (0..10).for_each(|_| index.add(12_000));
    assert_eq!(index.sizes(), [12_000; 10]);
    assert!(index.manifest.runs.iter().all(|run| run.blocks.is_some()));
    let mut below = Growing::default();
    below.add(11_999);
    assert!(below.manifest.runs[0].blocks.is_none());
    index.ensure_complete();
}

/// Segments serve as runs until there are more than 32 small ones or 128 others, or enough entries
/// for a full run.
#[test]
fn segments_are_merged_once_there_are_many() {
    for (entries, segments_max) in [
        (1, 32),
        (63, 32),
        (64, 128),
        (90, 128),
        (100, 119),
        (1_000, 11),
    ] {
        let mut index = Growing::default();
        for count in 1..=segments_max {
            index.add_segment(entries);
            assert_eq!(index.segments(), count, "of {entries} entries");
        }
        index.add_segment(entries);
        assert_eq!(
            (index.segments(), index.manifest.runs.len()),
            (0, 1),
            "of {entries} entries"
        );
        index.ensure_complete();
    }
}

#[test]
fn no_run_is_added_without_entries() {
    let mut index = Growing::default();
    index.add(0);
    assert!(index.sizes().is_empty());
}

/// A merged run expires with the newest entry of the runs that it was merged from, and not before.
#[test]
fn a_merged_run_is_as_new_as_its_newest() {
    let mut index = Growing::default();
    for at in [5, 9, 3, 0, 0, 0, 0, 0] {
        let (entries, newest) = (index.entries(10), Timestamp::from_second(at).unwrap());
        index.change(newest, |index, blocks, mut ids| {
            index.append(entries, newest, &mut ids);
            index.compact(blocks, &mut ids);
        });
    }
    let runs = &index.manifest.runs;
    assert_eq!(
        (runs.len(), runs[0].newest),
        (1, Timestamp::from_second(9).unwrap())
    );
    let live = |after_s: i64| {
        index
            .manifest
            .live(runs[0].newest + SignedDuration::from_secs(after_s), KEPT)
            .count()
    };
    assert_eq!((live(3_600), live(3_601)), (1, 0));
}

/// A change makes the filters of the groups that end with one run. The next change makes those of
/// the next run.
#[test]
fn groups_get_their_filters_one_after_the_other() {
    let mut index = Growing::default();
    let ends = |attempt: u128, level| {
        ends_group(
            RunId {
                attempt: Uuid::from_u128(attempt),
                ordinal: 0,
            },
            level,
        )
    };
    while index.changes < 40 {
        index.add(12_000);
    }
    let mut made = Vec::new();
    loop {
        let before = index.blocks.filters.len();
        let mut missing = None;
        index.change(NOW, |index, blocks, _| {
            missing = index.filter_groups(&Blocks::default()).err();
            index.filter_groups(blocks).unwrap();
            index.filter_groups(blocks).unwrap();
        });
        if index.blocks.filters.len() == before {
            assert_eq!(missing, None);
            break;
        }
        assert!(
            missing.is_some_and(|missing| missing.blocks.len() > 100),
            "all blocks of the runs are needed"
        );
        made.push(index.blocks.filters.len() - before);
    }
    let last = (1..=40).filter(|attempt| ends(*attempt, 0)).count();
    assert!(
        (3..=last).contains(&made.len()),
        "{made:?} of {last} that end a group"
    );
    let named: u32 = index
        .manifest
        .runs
        .iter()
        .filter_map(|run| run.blocks)
        .flat_map(|blocks| blocks.filter_words)
        .sum();
    let stored: usize = index
        .blocks
        .filters
        .values()
        .map(|filter| filter.words())
        .sum();
    assert_eq!(
        named as usize, stored,
        "the manifest names each filter with its length"
    );
    index.ensure_complete();
    let shared: Vec<_> = index
        .blocks
        .filters
        .values()
        .map(Arc::strong_count)
        .collect();
    assert!(shared.iter().all(|count| *count == 1));
}
