//! The totals of each aggregation.

use super::memory::Memory;
use super::traffic::anchor;
use super::values::{any_value, sum};
use super::{catalogue, now, tenant};
use crate::*;
use catalogue::{Aggregation, Catalogue};
use dedupe::Entry;
use jiff::SignedDuration;
use kernel::{SegmentId, UsageGroup, WindowSize};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An event: its id, its age in minutes, and its value.
pub(super) type Row = (u32, i64, i64);

/// An event of the first meter of an aggregation, without a group.
pub(super) fn usage(
    catalogue: &Catalogue,
    aggregation: Aggregation,
    (id, minutes_ago, value): Row,
) -> Usage<'_> {
    let meter = catalogue
        .meters
        .iter()
        .find(|meter| meter.aggregation == aggregation)
        .unwrap();
    let at = now() - SignedDuration::from_mins(minutes_ago);
    let measure = match aggregation {
        Aggregation::Count => Measure::Number(Value::ONE),
        Aggregation::UniqueCount => {
            Measure::Distinct(distinct_key(tenant(1), "number", &value.to_string()))
        }
        _ => Measure::Number(Value::new(value.into(), 0).unwrap()),
    };
    let group = UsageGroup::default();
    let content = content_hash(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry {
        key: event_key(Sender::Provider, "source", &id.to_string()),
        content,
    };
    Usage {
        tenant: tenant(1),
        entry,
        meter,
        group,
        at,
        measure,
    }
}

/// Rolls up segments under new ids.
pub(super) fn roll_up_all(memory: &mut Memory, mut segments: Vec<Segment>) {
    for segment in &mut segments {
        segment.id = SegmentId::from_uuid(Uuid::from_u128(
            u128::from(memory.checkpoint.generation.as_u64()) << 64
                | segment.id.as_uuid().as_u128(),
        ));
        memory.pending.insert(segment.id);
    }
    memory.roll_up(&segments, now());
}

/// Rolls up events together.
pub(super) fn send(
    memory: &mut Memory,
    catalogue: &Catalogue,
    aggregation: Aggregation,
    rows: &[Row],
) {
    let mut ids = (1..).map(|n| SegmentId::from_uuid(Uuid::from_u128(n)));
    let events = rows.iter().map(|row| usage(catalogue, aggregation, *row));
    roll_up_all(memory, group(events, |_| anchor(), || ids.next().unwrap()));
}

/// All totals of a size, in the order of time: part, value and events.
pub(super) fn totals(memory: &Memory, size: WindowSize) -> Vec<String> {
    let windows = memory
        .windows()
        .into_iter()
        .filter(|(key, _)| key.size == size);
    let shown = |(key, window): (WindowKey, Window)| {
        format!("{:?} {} of {}", key.part, window.value, window.events)
    };
    windows.map(shown).collect()
}

#[test]
fn each_aggregation_makes_its_own_total() {
    let catalogue = catalogue();
    let rows = [(1, 3, 5), (2, 1, -2), (3, 2, 7), (4, 4, 5)];
    for (aggregation, day) in [
        (Aggregation::Count, "Window 4 of 4"),
        (Aggregation::Sum, "Window 15 of 4"),
        (Aggregation::Avg, "Window 15 of 4"),
        (Aggregation::Min, "Window -2 of 4"),
        (Aggregation::Max, "Window 7 of 4"),
        (Aggregation::Latest, "Window -2 of 4"),
        (Aggregation::UniqueCount, "Window 3 of 4"),
    ] {
        // All in one rollup, and each in its own, in both orders.
        let backwards: Vec<Row> = rows.iter().rev().copied().collect();
        for sent in [
            vec![&rows[..]],
            rows.chunks(1).collect(),
            backwards.chunks(1).collect(),
        ] {
            let mut memory = Memory::default();
            for part in sent {
                send(&mut memory, &catalogue, aggregation, part);
            }
            assert_eq!(totals(&memory, WindowSize::Day), [day], "{aggregation:?}");
        }
    }
}

/// The initial zero of a total is no event: a first value below or above it is kept.
#[test]
fn the_first_event_is_the_first_minimum_maximum_and_latest() {
    let catalogue = catalogue();
    for (aggregation, value) in [
        (Aggregation::Min, 5),
        (Aggregation::Max, -5),
        (Aggregation::Latest, -5),
    ] {
        let mut memory = Memory::default();
        send(&mut memory, &catalogue, aggregation, &[(1, 1, value)]);
        assert_eq!(
            totals(&memory, WindowSize::Day),
            [format!("Window {value} of 1")],
            "{aggregation:?}"
        );
    }
}

/// An event of the first meter of an aggregation. Its id spreads events over four days.
fn of_value(catalogue: &Catalogue, aggregation: Aggregation, id: u32, value: Value) -> Usage<'_> {
    let event = usage(catalogue, aggregation, (id, i64::from(id % 4) * 24 * 60, 0));
    let measure = Measure::Number(value);
    let content = content_hash(
        &event.meter.event_type,
        tenant(1),
        event.at,
        &measure,
        &event.group,
    );
    Usage {
        measure,
        entry: Entry {
            content,
            ..event.entry
        },
        ..event
    }
}

/// No earlier value, however fine or great, prevents a later one from counting.
#[test]
fn every_event_counts_regardless_of_earlier_values() {
    let (catalogue, mut memory) = (catalogue(), Memory::default());
    let mut send = |id: u32, value: &str| {
        // All events are on one day.
        let event = of_value(&catalogue, Aggregation::Sum, id * 4, value.parse().unwrap());
        roll_up_all(
            &mut memory,
            group(
                [event],
                |_| anchor(),
                || SegmentId::from_uuid(Uuid::from_u128(1)),
            ),
        );
        totals(&memory, WindowSize::Day).remove(0)
    };
    send(1, "1e-38");
    for id in 2..5 {
        send(id, "86400");
    }
    assert_eq!(
        send(5, "86400"),
        "Window 345600.00000000000000000000000000000000000001 of 5"
    );
    let finest = format!("0.{}1", "0".repeat(339));
    assert_eq!(
        send(6, "1e-340"),
        format!("Window 345600.{}1{}1 of 6", "0".repeat(37), "0".repeat(301))
    );
    let nines = "9".repeat(38);
    send(7, &nines);
    let whole = format!("100000000000000000000000000000000{}", 345_600 - 1);
    assert_eq!(
        send(8, "0"),
        format!(
            "Window {whole}.{}1{}1 of 8",
            "0".repeat(37),
            "0".repeat(301)
        ),
        "{finest}"
    );
}

/// A float's rounding residue does not prevent later whole numbers from counting.
#[test]
fn a_float_residue_is_added_exactly() {
    let (catalogue, mut memory) = (catalogue(), Memory::default());
    let values = ["5.551115123125783e-17"].into_iter().chain(["86400"; 12]);
    let events = (1..)
        .zip(values)
        .map(|(id, value)| of_value(&catalogue, Aggregation::Sum, id * 4, value.parse().unwrap()));
    roll_up_all(
        &mut memory,
        group(
            events,
            |_| anchor(),
            || SegmentId::from_uuid(Uuid::from_u128(1)),
        ),
    );
    assert_eq!(
        totals(&memory, WindowSize::Day),
        ["Window 1036800.00000000000000005551115123125783 of 13"]
    );
}

/// A correction replaces an event, however far apart the numbers are.
#[test]
fn a_replacement_is_added_exactly() {
    let (catalogue, mut memory) = (catalogue(), Memory::default());
    let event = |id: u32, value: &str| {
        of_value(&catalogue, Aggregation::Sum, id * 4, value.parse().unwrap())
    };
    let id = || SegmentId::from_uuid(Uuid::from_u128(1));
    roll_up_all(
        &mut memory,
        group([event(1, "500"), event(2, "1e-30")], |_| anchor(), id),
    );
    let correction = Correction {
        original: event(1, "500"),
        replacement: Some(event(3, "100000000")),
    };
    roll_up_all(
        &mut memory,
        group_corrections([correction], |_| anchor(), id),
    );
    assert_eq!(
        totals(&memory, WindowSize::Day),
        ["Window 100000000.000000000000000000000000000001 of 2"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over four days, each day's total and the month's are those of exact arithmetic, in any
    /// order. Taking as much back leaves the total of before.
    #[test]
    fn totals_are_exact_over_the_whole_range_of_values(
        (values, order) in prop::collection::vec(any_value(), 1..24)
            .prop_flat_map(|values| (Just((4..).zip(values).collect::<Vec<_>>()), any::<u64>())),
        taken_back in prop::collection::vec(any_value(), 0..6),
    ) {
        let catalogue = catalogue();
        let id = || SegmentId::from_uuid(Uuid::from_u128(1));
        for aggregation in [Aggregation::Sum, Aggregation::Avg, Aggregation::Min, Aggregation::Max, Aggregation::Latest] {
            let mut memory = Memory::default();
            let back = (1_000..).zip(&taken_back).map(|(id, value)| of_value(&catalogue, aggregation, id, *value));
            let back: Vec<Usage<'_>> = back.filter(|_| aggregation.is_reversible()).collect();
            let mut events: Vec<Usage<'_>> =
                values.iter().map(|(id, value)| of_value(&catalogue, aggregation, *id, *value)).chain(back.clone()).collect();
            fastrand::Rng::with_seed(order).shuffle(&mut events);
            for some in events.chunks(5) {
                roll_up_all(&mut memory, group(some.iter().cloned(), |_| anchor(), id));
            }
            for original in back {
                roll_up_all(&mut memory, group_corrections([Correction { original, replacement: None }], |_| anchor(), id));
            }
            let mut days: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
            for (id, value) in &values {
                days.entry(id % 4).or_default().push(*value);
            }
            let total = |values: &[Value]| match aggregation {
                Aggregation::Min => Aggregate::from(*values.iter().min().unwrap()),
                Aggregation::Max => Aggregate::from(*values.iter().max().unwrap()),
                // All events of a day have the same time. Of these the greatest value is the
                // latest.
                Aggregation::Latest => Aggregate::from(*values.iter().max().unwrap()),
                _ => sum(values),
            };
            // The latest day is rolled up last.
            let expected: Vec<_> = days.values().rev().map(|values| (total(values), values.len() as i64)).collect();
            let windows = memory.windows().into_iter();
            let found: Vec<_> = windows
                .filter(|(key, window)| key.size == WindowSize::Day && window.events != 0)
                .map(|(_, window)| (window.value, window.events))
                .collect();
            prop_assert_eq!(found, expected, "{:?}", aggregation);

            let meter = catalogue.meters.iter().find(|meter| meter.aggregation == aggregation).unwrap();
            let (from, to) = (now() - SignedDuration::from_hours(40 * 24), now());
            let (group_by, filter) = (Vec::new(), UsageGroup::default());
            let question = Question { meter, size: WindowSize::Month, from, to, anchor: anchor(), group_by, filter };
            let month = question.answer(&memory.pages, None).unwrap();
            let all: Vec<Value> = values.iter().map(|(_, value)| *value).collect();
            let newest = days.values().next().unwrap();
            let expected = match aggregation {
                Aggregation::Avg => sum(&all).to_quantity().mean(all.len() as u64),
                Aggregation::Latest => total(newest).to_quantity(),
                _ => total(&all).to_quantity(),
            };
            prop_assert_eq!((&month[0].value, month[0].events), (&expected, all.len() as i64), "{:?}", aggregation);
        }
    }
}

/// A value counts once in its hour, its day and its billing period, whatever the size of the index
/// of values.
#[test]
fn a_value_is_unique_in_each_of_its_windows_as_their_index_grows() {
    let catalogue = catalogue();
    // The ids of this attempt are such that the second full run ends a group.
    let mut memory = Memory {
        attempts: 3,
        ..Memory::default()
    };
    let (values, hours) = (30_000, 2);
    for hour in 0..hours {
        for first in (0..values).step_by(1_000) {
            let rows: Vec<Row> = (first..first + 1_000)
                .map(|n| (hour * values + n, i64::from(hour) * 60, n.into()))
                .collect();
            send(&mut memory, &catalogue, Aggregation::UniqueCount, &rows);
        }
    }
    let events = u64::from(values * hours);
    assert_eq!(
        memory.checkpoint.counted,
        Counted {
            accepted: events,
            ..Counted::default()
        }
    );
    assert_eq!(
        totals(&memory, WindowSize::Hour),
        ["Window 30000 of 30000"; 2]
    );
    assert_eq!(totals(&memory, WindowSize::Day), ["Window 30000 of 60000"]);
    assert_eq!(
        totals(&memory, WindowSize::Month),
        ["Window 30000 of 60000"]
    );
    assert!(
        memory
            .checkpoint
            .distinct_values
            .runs
            .iter()
            .any(|run| run.blocks.is_some()),
        "the index is large enough for blocks"
    );
}

/// Each case sends events and voids in another order.
#[test]
fn a_void_takes_back_a_matching_event_once_in_any_order() {
    let catalogue = catalogue();
    let void = |memory: &mut Memory, aggregation, row| {
        let correction = Correction {
            original: usage(&catalogue, aggregation, row),
            replacement: None,
        };
        roll_up_all(
            memory,
            group_corrections(
                [correction],
                |_| anchor(),
                || SegmentId::from_uuid(Uuid::max()),
            ),
        );
    };
    let mut memory = Memory::default();
    send(
        &mut memory,
        &catalogue,
        Aggregation::Sum,
        &[(1, 1, 5), (2, 2, 3)],
    );
    void(&mut memory, Aggregation::Sum, (1, 1, 6));
    assert_eq!(
        (
            memory.checkpoint.counted.unmatched,
            totals(&memory, WindowSize::Day)
        ),
        (1, vec!["Window 8 of 2".to_owned()])
    );
    void(&mut memory, Aggregation::Sum, (1, 1, 5));
    assert_eq!(
        (
            memory.checkpoint.counted.voided,
            totals(&memory, WindowSize::Day)
        ),
        (1, vec!["Window 3 of 1".to_owned()])
    );
    void(&mut memory, Aggregation::Sum, (1, 1, 5));
    assert_eq!(
        (
            memory.checkpoint.counted.duplicates,
            totals(&memory, WindowSize::Day)
        ),
        (1, vec!["Window 3 of 1".to_owned()]),
        "taken back twice"
    );
    void(&mut memory, Aggregation::Sum, (3, 3, 9));
    send(&mut memory, &catalogue, Aggregation::Sum, &[(3, 3, 9)]);
    assert_eq!(
        (
            memory.checkpoint.counted.voided,
            totals(&memory, WindowSize::Day)
        ),
        (2, vec!["Window 3 of 1".to_owned()]),
        "taken back before it arrived"
    );
    assert_eq!(
        memory.checkpoint.counted.accepted, 3,
        "the event has arrived"
    );
    void(&mut memory, Aggregation::Sum, (4, 3, 9));
    send(&mut memory, &catalogue, Aggregation::Sum, &[(4, 3, 8)]);
    assert_eq!(
        (
            memory.checkpoint.counted.conflicts,
            totals(&memory, WindowSize::Day)
        ),
        (1, vec!["Window 3 of 1".to_owned()]),
        "the event has other content than its void, whose replacement may count"
    );
}
