//! Sealed days: unchanged totals, repeated publication, and adjustments.

use super::memory::Memory;
use super::totals::{roll_up_all, send, totals, usage};
use super::traffic::anchor;
use super::{catalogue, now, tenant};
use crate::*;
use catalogue::Aggregation;
use contract::{SealDigest, UsageWindow, WindowPart};
use jiff::{SignedDuration, Timestamp};
use kernel::{SegmentId, UsageGroup, WindowSize};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const DAY_MINUTES: i64 = 24 * 60;

/// The start of the day that was `days_ago` days ago.
fn day(days_ago: i64) -> Timestamp {
    WindowSize::Day.start(
        now() - SignedDuration::from_mins(days_ago * DAY_MINUTES),
        anchor(),
    )
}

/// Two events of the day before yesterday, one of yesterday.
fn two_days() -> Memory {
    let mut memory = Memory::default();
    let rows = [
        (1, 2 * DAY_MINUTES, 5),
        (2, 2 * DAY_MINUTES + 1, 6),
        (3, DAY_MINUTES, 7),
    ];
    send(&mut memory, &catalogue(), Aggregation::Sum, &rows);
    memory
}

/// The totals of a day, without longer and shorter windows.
fn own_totals(memory: &Memory, day: Timestamp) -> Vec<UsageWindow> {
    let windows = memory.windows().into_iter();
    let own = windows.filter(|(key, _)| (key.size, key.start) == (WindowSize::Day, day));
    own.map(|(key, window)| key.published(&window)).collect()
}

#[test]
fn a_day_is_sealed_with_all_days_before_it_and_for_good() {
    let memory = two_days();
    let sealed = seal(&memory.checkpoint, tenant(1), day(1), &memory.pages);
    assert_eq!(
        sealed.checkpoint.sealed_until,
        Some(WindowSize::Day.end(day(1)))
    );
    assert_eq!(
        sealed.checkpoint.generation,
        memory.checkpoint.generation.next()
    );
    assert_eq!(sealed.checkpoint.sequence, memory.checkpoint.sequence + 1);
    assert_eq!(sealed.totals, [], "the totals were published before");
    assert_eq!(
        Checkpoint {
            sealed_until: None,
            generation: memory.checkpoint.generation,
            sequence: memory.checkpoint.sequence,
            ..sealed.checkpoint.clone()
        },
        memory.checkpoint
    );
    let earlier = seal(&sealed.checkpoint, tenant(1), day(2), &memory.pages);
    assert_eq!(
        earlier.checkpoint.sealed_until, sealed.checkpoint.sealed_until,
        "a later day is already sealed"
    );
}

#[test]
fn a_seal_has_the_digest_of_the_days_own_totals() {
    let memory = two_days();
    for days_ago in [1, 2] {
        let sealed = seal(&memory.checkpoint, tenant(1), day(days_ago), &memory.pages).seal;
        let own = own_totals(&memory, day(days_ago));
        assert_eq!(
            (sealed.tenant, sealed.day, sealed.totals),
            (tenant(1), day(days_ago), 1)
        );
        assert_eq!(sealed.digest, SealDigest::of(&own));
    }
}

#[test]
fn an_event_after_the_seal_adjusts_the_day_and_its_shorter_windows() {
    let catalogue = catalogue();
    let mut memory = two_days();
    memory.seal(day(2));
    send(
        &mut memory,
        &catalogue,
        Aggregation::Sum,
        &[(4, 2 * DAY_MINUTES, 100), (5, DAY_MINUTES, 10)],
    );
    assert_eq!(
        totals(&memory, WindowSize::Day),
        ["Window 11 of 2", "Adjustment 100 of 1", "Window 17 of 2"]
    );
    assert_eq!(
        totals(&memory, WindowSize::Hour),
        ["Window 11 of 2", "Adjustment 100 of 1", "Window 17 of 2"]
    );
}

#[test]
fn a_void_after_the_seal_is_subtracted_in_an_adjustment() {
    let catalogue = catalogue();
    let mut memory = two_days();
    memory.seal(day(2));
    let original = usage(&catalogue, Aggregation::Sum, (1, 2 * DAY_MINUTES, 5));
    let correction = Correction {
        original,
        replacement: None,
    };
    roll_up_all(
        &mut memory,
        group_corrections(
            [correction],
            |_| anchor(),
            || SegmentId::from_uuid(Uuid::max()),
        ),
    );
    for size in [WindowSize::Hour, WindowSize::Day] {
        assert_eq!(
            totals(&memory, size),
            ["Window 11 of 2", "Adjustment -5 of -1", "Window 7 of 1"],
            "{size}"
        );
    }
}

/// A value of the sealed day is not new in its adjustment, and a value that arrives late is new in
/// the open period, too.
#[test]
fn distinct_values_are_known_across_the_seal() {
    let catalogue = catalogue();
    let mut memory = Memory::default();
    send(
        &mut memory,
        &catalogue,
        Aggregation::UniqueCount,
        &[(1, 2 * DAY_MINUTES, 5)],
    );
    memory.seal(day(2));
    send(
        &mut memory,
        &catalogue,
        Aggregation::UniqueCount,
        &[(2, 2 * DAY_MINUTES, 5), (3, 2 * DAY_MINUTES, 6)],
    );
    for size in [WindowSize::Hour, WindowSize::Day] {
        assert_eq!(
            totals(&memory, size),
            ["Window 1 of 1", "Adjustment 1 of 2"],
            "{size}"
        );
    }
    assert_eq!(totals(&memory, WindowSize::Month), ["Window 2 of 3"]);
}

#[test]
fn a_sealed_day_is_published_again_with_its_adjustments_and_its_first_seal() {
    let mut memory = two_days();
    assert_eq!(
        republish(&memory.checkpoint, tenant(1), day(2), &memory.pages),
        None,
        "the day is not sealed"
    );
    let sealed = memory.seal(day(2));
    assert_eq!(
        republish(&memory.checkpoint, tenant(1), day(1), &memory.pages),
        None,
        "the next day is not sealed"
    );
    send(
        &mut memory,
        &catalogue(),
        Aggregation::Sum,
        &[(4, 2 * DAY_MINUTES, 100)],
    );
    let again = republish(&memory.checkpoint, tenant(1), day(2), &memory.pages).unwrap();
    assert_eq!(again.seal, sealed);
    let own = own_totals(&memory, day(2));
    assert_eq!(
        own.iter().map(|total| total.part).collect::<Vec<_>>(),
        [WindowPart::Window, WindowPart::Adjustment]
    );
    assert_eq!(
        again
            .totals
            .iter()
            .map(|bus_event| (bus_event.tenant, bus_event.windows.clone()))
            .collect::<Vec<_>>(),
        [(tenant(1), own)]
    );
    assert_eq!(
        again.checkpoint,
        Checkpoint {
            generation: memory.checkpoint.generation.next(),
            sequence: memory.checkpoint.sequence + 2,
            ..memory.checkpoint
        }
    );
}

/// No bus event has more totals than a consumer writes at once, and each has its number.
#[test]
fn a_day_of_many_totals_is_published_again_in_many_bus_events() {
    let catalogue = catalogue();
    let mut pages: BTreeMap<PageKey, Page> = BTreeMap::new();
    for meter in &catalogue.meters {
        for n in 0..20 {
            let group: UsageGroup = format!("kind=k{n}").parse().unwrap();
            let (code, size) = (meter.code.clone(), WindowSize::Day);
            let key = WindowKey {
                meter: code,
                group,
                size,
                start: day(2),
                part: WindowPart::Window,
            };
            let window = Window {
                value: Value::ONE.into(),
                events: 1,
                latest_at: None,
                revision: 1,
            };
            pages.entry(key.page()).or_default().set(&key, window);
        }
    }
    let total = catalogue.meters.len() * 20;
    let checkpoint = Checkpoint {
        sequence: 10,
        sealed_until: Some(WindowSize::Day.end(day(2))),
        ..Checkpoint::default()
    };
    let again = republish(&checkpoint, tenant(1), day(2), &pages).unwrap();
    let sizes: Vec<usize> = again
        .totals
        .iter()
        .map(|bus_event| bus_event.windows.len())
        .collect();
    assert!(sizes.iter().all(|size| *size <= SEGMENT_TOTALS_MAX));
    assert_eq!(sizes.iter().sum::<usize>(), total);
    assert_eq!(again.checkpoint.sequence, 10 + sizes.len() as u64 + 1);
    let different: BTreeSet<_> = again
        .totals
        .iter()
        .flat_map(|bus_event| &bus_event.windows)
        .map(|total| (&total.meter, &total.group))
        .collect();
    assert_eq!(different.len(), total);
}

/// A step: events arrive, an event is taken back or replaced, or a day is sealed.
#[derive(Debug, Clone)]
enum Next {
    Send(u32, i64, i64),
    Correct(u32, i64, i64, bool),
    Seal(i64),
}

fn any_next() -> impl Strategy<Value = Next> {
    let event = || (0_u32..40, 0..4 * DAY_MINUTES, 1_i64..9);
    prop_oneof![
        6 => event().prop_map(|(id, ago, value)| Next::Send(id, ago, value)),
        3 => (event(), any::<bool>()).prop_map(|((id, ago, value), is_replaced)| Next::Correct(id, ago, value, is_replaced)),
        1 => (0_i64..4).prop_map(Next::Seal),
    ]
}

/// The value and the number of events of each day, from its own totals or from those of its shorter
/// windows.
fn of_days(memory: &Memory, is_own: bool) -> BTreeMap<Timestamp, (Aggregate, i64)> {
    let mut days: BTreeMap<Timestamp, (Aggregate, i64)> = BTreeMap::new();
    for (key, window) in memory
        .windows()
        .into_iter()
        .filter(|(key, _)| (key.size == WindowSize::Day) == is_own)
    {
        let day = days
            .entry(WindowSize::Day.start(key.start, anchor()))
            .or_default();
        day.0.add(&window.value);
        day.1 += window.events;
    }
    days
}

proptest! {
    /// Whatever is sealed and whatever arrives afterwards, the shorter windows of a day add up to
    /// it, and those of a sealed day stay unchanged.
    #[test]
    fn shorter_windows_always_add_up_to_their_day(steps in prop::collection::vec(any_next(), 1..60)) {
        let catalogue = catalogue();
        let mut memory = Memory::default();
        let mut sealed: BTreeMap<WindowKey, Window> = BTreeMap::new();
        // Nearly all contents follow from the id, so that most corrections match.
        let row = |first: u32, id: u32, ago: i64, value: i64| match id % 5 {
            0 => (first + id, ago, value),
            _ => (first + id, i64::from(id) * 131 % (4 * DAY_MINUTES), i64::from(id % 7) + 1),
        };
        let both = steps.iter().flat_map(|step| [(Aggregation::Sum, 0, step), (Aggregation::Count, 1_000, step)]);
        for (aggregation, first, step) in both {
            match *step {
                Next::Send(id, ago, value) => {
                    send(&mut memory, &catalogue, aggregation, &[row(first, id, ago, value)]);
                }
                Next::Correct(id, ago, value, is_replaced) => {
                    let original = usage(&catalogue, aggregation, row(first, id, ago, value));
                    let replacement = is_replaced.then(|| usage(&catalogue, aggregation, (first + id + 100, ago, value)));
                    let correction = Correction { original, replacement };
                    let id = || SegmentId::from_uuid(Uuid::max());
                    roll_up_all(&mut memory, group_corrections([correction], |_| anchor(), id));
                }
                Next::Seal(days_ago) => {
                    memory.seal(day(days_ago));
                    let until = memory.checkpoint.sealed_until.unwrap();
                    let ended = |key: &WindowKey| key.part == WindowPart::Window && key.size.end(key.start) <= until;
                    sealed = memory.windows().into_iter().filter(|(key, _)| ended(key)).collect();
                }
            }
            prop_assert_eq!(of_days(&memory, true), of_days(&memory, false));
            let windows = memory.windows();
            prop_assert!(sealed.iter().all(|(key, window)| windows.get(key) == Some(window)));
        }
    }
}
