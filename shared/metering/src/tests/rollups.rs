//! The blocks that a rollup needs, and the counts that it returns.

use super::memory::Memory;
use super::traffic::{anchor, counting, summed};
use super::{catalogue, now};
use crate::*;
use dedupe::{BlockId, Blocks, Manifest, RunId, RunMeta};
use jiff::SignedDuration;
use kernel::SegmentId;
use std::collections::BTreeSet;
use uuid::Uuid;

#[test]
fn a_missing_run_stops_a_rollup() {
    let catalogue = catalogue();
    let segments = counting(&catalogue, 1, 1, 1);
    let first = Rollup::new(&Snapshot::default(), &segments, now())
        .finish(Uuid::nil(), &Blocks::default())
        .unwrap();
    let snapshot = Snapshot {
        checkpoint: first.checkpoint,
        ..Snapshot::default()
    };
    let mut rollup = Rollup::new(&snapshot, &segments, now());
    let missing = rollup.resume(&Blocks::default()).unwrap_err();
    assert_eq!(
        missing.blocks,
        BTreeSet::from([BlockId::Run(RunId::of_segment(segments[0].id))])
    );
    assert_eq!(rollup.finish(Uuid::nil(), &Blocks::default()), Err(missing));
}

/// A segment whose events all counted serves as a sorted run: its keys are not written again.
#[test]
fn each_segment_of_a_rollup_serves_as_a_run() {
    let catalogue = catalogue();
    let segments: Vec<Segment> = (1..4)
        .flat_map(|n| counting(&catalogue, 100 * n, 10, n.into()))
        .collect();
    let changes = Rollup::new(&Snapshot::default(), &segments, now())
        .finish(Uuid::nil(), &Blocks::default())
        .unwrap();
    let runs: Vec<RunId> = changes
        .checkpoint
        .events
        .runs
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(
        runs,
        segments
            .iter()
            .map(|segment| RunId::of_segment(segment.id))
            .collect::<Vec<_>>()
    );
}

/// The counts of a correction are those of its own events, whatever else is in its rollup.
#[test]
fn a_correction_has_the_counts_of_its_own_events() {
    let catalogue = catalogue();
    let event = |id: u16| summed(&catalogue, id, 1_000);
    let other = |id: u16| summed(&catalogue, id, 2_000);
    let id = |n: u128| SegmentId::from_uuid(Uuid::from_u128(n));
    let sent = |n: u128, events: Vec<Usage<'_>>| group(events, |_| anchor(), || id(n));
    let corrected = |n: u128, original: Usage<'_>, replacement: Option<Usage<'_>>| {
        let correction = Correction {
            original,
            replacement,
        };
        group_corrections([correction], |_| anchor(), || id(n))
    };
    let segments = [
        sent(1, vec![event(1), event(2), event(3), event(4)]),
        sent(2, vec![event(1), other(2)]),
        corrected(3, event(1), None),
        corrected(4, event(1), None),
        corrected(5, other(2), None),
        corrected(6, event(3), Some(event(4))),
        corrected(7, event(3), Some(event(5))),
    ]
    .concat();
    let changes = Rollup::new(&Snapshot::default(), &segments, now())
        .finish(Uuid::nil(), &Blocks::default())
        .unwrap();
    let none = Counted::default();
    let expected = [
        (id(3), Counted { voided: 1, ..none }),
        (
            id(4),
            Counted {
                duplicates: 1,
                ..none
            },
        ),
        (
            id(5),
            Counted {
                unmatched: 1,
                ..none
            },
        ),
        (
            id(6),
            Counted {
                replacement_used: 2,
                ..none
            },
        ),
        (
            id(7),
            Counted {
                voided: 1,
                accepted: 1,
                ..none
            },
        ),
    ];
    assert_eq!(changes.corrected, expected);
    let of_events = Counted {
        accepted: 4,
        duplicates: 1,
        conflicts: 1,
        ..none
    };
    assert_eq!(
        changes.counted,
        expected
            .iter()
            .fold(of_events, |sum, (_, counted)| sum.plus(*counted))
    );
}

/// A sorted run is live until its entries expire.
#[test]
fn the_live_runs_are_those_of_both_indexes() {
    let run = |n: u128, days_ago: i64| RunMeta {
        id: RunId {
            attempt: Uuid::from_u128(n),
            ordinal: 0,
        },
        entries: 1,
        newest: now() - SignedDuration::from_hours(24 * days_ago),
        blocks: None,
    };
    let checkpoint = Checkpoint {
        events: Manifest {
            runs: vec![run(1, 41), run(2, 40)],
        },
        distinct_values: Manifest {
            runs: vec![run(3, 72), run(4, 71)],
        },
        ..Checkpoint::default()
    };
    let live: Vec<u128> = checkpoint
        .live_runs(now())
        .map(|run| run.id.attempt.as_u128())
        .collect();
    assert_eq!(live, [2, 4]);
}

/// A rollup of few events reads few blocks of an index of many groups.
#[test]
fn a_rollup_reads_few_blocks_of_a_large_index() {
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let roll_up = |memory: &mut Memory, from: u32, count: u32, number: u32| {
        let segments = counting(&catalogue, from, count, u128::from(number));
        memory
            .pending
            .extend(segments.iter().map(|segment| segment.id));
        memory.roll_up(&segments, now());
        memory.read
    };
    let mut read = Vec::new();
    for round in 0..400_u32 {
        roll_up(&mut memory, round * 1_000, 1_000, 2 * round + 1);
        read.push(roll_up(
            &mut memory,
            1_000_000 + round * 10,
            10,
            2 * round + 2,
        ));
    }
    assert_eq!(memory.checkpoint.counted.accepted, 404_000);
    assert!(
        memory.stored.filters.keys().any(|group| group.level > 0),
        "there are groups of groups"
    );
    let mut late = read.split_off(300);
    late.sort_unstable();
    assert!(
        late[50] <= 10 * 16 + 64,
        "{} blocks are read for 10 events",
        late[50]
    );
    roll_up(&mut memory, 0, 1_000, 100_000);
    assert_eq!(
        (
            memory.checkpoint.counted.accepted,
            memory.checkpoint.counted.duplicates
        ),
        (404_000, 1_000)
    );
}
