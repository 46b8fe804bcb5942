//! Totals do not depend on how events were sent, stored, delivered, repeated or grouped.

use super::memory::{Memory, deliver};
use super::traffic::{Sent, anchor, any_of, any_traffic, store, summed, usage};
use super::{catalogue, now, tenant};
use crate::*;
use catalogue::{Aggregation, Meter};
use contract::{SealDigest, UsageWindow, WindowPart};
use dedupe::{ContentHash, Entry};
use jiff::{SignedDuration, Timestamp};
use kernel::{MeterCode, SegmentId, UsageGroup, WindowSize};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The naive model: all events that count, each once, totalled window by window.
fn model<'c>(
    events: &[Usage<'c>],
    size_of: impl Fn(&Meter) -> Option<WindowSize>,
) -> BTreeMap<WindowKey, Aggregate> {
    let mut by_window: BTreeMap<WindowKey, Vec<&Usage<'c>>> = BTreeMap::new();
    for event in events {
        let Some(size) = size_of(event.meter) else {
            continue;
        };
        let key = WindowKey {
            meter: event.meter.code.clone(),
            group: event.group.clone(),
            size,
            start: size.start(event.at, anchor()),
            part: WindowPart::Window,
        };
        by_window.entry(key).or_default().push(event);
    }
    let total = |events: &[&Usage<'_>]| {
        let numbers = || {
            events.iter().map(|event| match event.measure {
                Measure::Number(value) => Aggregate::from(value),
                Measure::Distinct(_) => panic!("no number"),
            })
        };
        match events[0].meter.aggregation {
            Aggregation::Count | Aggregation::Sum | Aggregation::Avg => sum(numbers()),
            Aggregation::Min => numbers().min().unwrap(),
            Aggregation::Max => numbers().max().unwrap(),
            Aggregation::Latest => {
                events
                    .iter()
                    .map(|event| event.at)
                    .zip(numbers())
                    .max()
                    .unwrap()
                    .1
            }
            Aggregation::UniqueCount => {
                let different: HashSet<_> = events
                    .iter()
                    .map(|event| match event.measure {
                        Measure::Distinct(member) => member,
                        Measure::Number(_) => panic!("no distinct value"),
                    })
                    .collect();
                Aggregate::new(different.len() as i128, 0)
            }
        }
    };
    by_window
        .into_iter()
        .map(|(key, events)| (key, total(&events)))
        .collect()
}

fn sum(numbers: impl Iterator<Item = Aggregate>) -> Aggregate {
    let mut sum = Aggregate::default();
    numbers.for_each(|number| sum.add(&number));
    sum
}

/// The totals of every window that the events have, of every size.
fn expected(events: &[Usage<'_>]) -> BTreeMap<WindowKey, Aggregate> {
    let mut all = model(events, |meter| Some(meter.window));
    all.extend(model(events, |_| Some(WindowSize::Day)));
    let is_unique = |meter: &Meter| meter.aggregation == Aggregation::UniqueCount;
    all.extend(model(events, |meter| {
        is_unique(meter).then_some(WindowSize::Month)
    }));
    all
}

fn values(memory: &Memory) -> BTreeMap<WindowKey, Aggregate> {
    let there = memory
        .windows()
        .into_iter()
        .filter(|(_, window)| window.events != 0);
    there.map(|(key, window)| (key, window.value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_delivery_matches_the_model((batches, deliveries) in any_traffic(true)) {
        let catalogue = catalogue();
        let segments = store(&catalogue, &batches);
        let mut memory = Memory::default();
        let order = deliver(&mut memory, &segments, &deliveries);

        let by_entry: HashMap<Entry, Usage<'_>> =
            batches.iter().flatten().map(|sent| usage(&catalogue, sent)).map(|usage| (usage.entry, usage)).collect();
        let keys: HashMap<Entry, (Sender, u16)> =
            batches.iter().flatten().map(|sent| (usage(&catalogue, sent).entry, (sent.sender, sent.id))).collect();
        let mut first: HashMap<(Sender, u16), ContentHash> = HashMap::new();
        let (mut counted, mut events) = (Counted::default(), Vec::new());
        for event in order.iter().flat_map(|segment| segment.body.events()) {
            match first.get(&keys[&event.entry]) {
                Some(content) if *content == event.entry.content => counted.duplicates += 1,
                Some(_) => counted.conflicts += 1,
                None => {
                    first.insert(keys[&event.entry], event.entry.content);
                    counted.accepted += 1;
                    events.push(by_entry[&event.entry].clone());
                }
            }
        }
        prop_assert_eq!(memory.checkpoint.counted, counted);
        prop_assert_eq!(counted.total(), batches.iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert_eq!(values(&memory), expected(&events));
        let ends = |day: &Timestamp| {
            let next = WindowSize::Month.end(WindowSize::Month.start(*day, anchor()));
            next - SignedDuration::from_hours(24)
        };
        let mut days: HashSet<_> = events.iter().map(|event| WindowSize::Day.start(event.at, anchor())).collect();
        days.extend(days.clone().iter().map(ends));
        prop_assert_eq!(&memory.days, &days);

        let before = (memory.checkpoint.clone(), memory.windows());
        memory.roll_up(&segments, now());
        prop_assert_eq!((memory.checkpoint.clone(), memory.windows()), before, "a replay changes nothing");

        let mut latest: BTreeMap<(MeterCode, UsageGroup, WindowSize, Timestamp), UsageWindow> = BTreeMap::new();
        let (numbers, bus_events): (Vec<u64>, Vec<_>) = memory.published.iter().cloned().unzip();
        prop_assert_eq!(numbers, (1..=memory.checkpoint.sequence).collect::<Vec<_>>(), "the stream has no gap");
        for window in bus_events.into_iter().flatten() {
            let key = (window.meter.clone(), window.group.clone(), window.size, window.start);
            let earlier = latest.insert(key, window.clone());
            prop_assert_eq!(earlier.map_or(0, |earlier| earlier.revision) + 1, window.revision);
        }
        let published = memory.windows().into_iter().filter(|(key, _)| key.size >= WindowSize::Day);
        for (key, window) in published {
            let window_published = &latest[&(key.meter.clone(), key.group.clone(), key.size, key.start)];
            prop_assert_eq!(window_published, &key.published(&window));
        }
    }

    #[test]
    fn order_and_grouping_do_not_matter((batches, deliveries) in any_traffic(false), shuffle in any::<u64>()) {
        let catalogue = catalogue();
        let mut one = Memory::default();
        deliver(&mut one, &store(&catalogue, &batches), &deliveries);
        let mut sent: Vec<Sent> = batches.into_iter().flatten().collect();
        sent.sort_by_key(|sent| event_key(Sender::Provider, &shuffle.to_string(), &sent.id.to_string()));
        let mut other = Memory::default();
        deliver(&mut other, &store(&catalogue, &[sent]), &[]);
        prop_assert_eq!(values(&one), values(&other));
        prop_assert_eq!(one.checkpoint.counted, other.checkpoint.counted);
        prop_assert_eq!(one.days, other.days);
    }

    /// Events are taken back before they arrive, afterwards, twice, and in any order: the rest
    /// counts.
    #[test]
    fn an_event_that_is_taken_back_does_not_count(
        (mut batches, deliveries) in any_traffic(false),
        voids in prop::collection::vec((0_u16..400, any::<prop::sample::Index>()), 0..80),
    ) {
        let catalogue = catalogue();
        let mut taken_back = HashSet::new();
        for (id, place) in &voids {
            let sent = Sent { void: true, ..any_of(*id) };
            if catalogue.meters[sent.meter].aggregation.is_reversible() {
                taken_back.insert(*id);
                place.get_mut(&mut batches).push(sent);
            }
        }
        let mut memory = Memory::default();
        deliver(&mut memory, &store(&catalogue, &batches), &deliveries);
        let mut seen = HashSet::new();
        // Events of the tenant's own clients stay, although they have the ids of events that are
        // taken back.
        let is_gone = |sent: &Sent| sent.sender == Sender::Provider && taken_back.contains(&sent.id);
        let counts = batches.iter().flatten().filter(|sent| !sent.void && seen.insert((sent.sender, sent.id)) && !is_gone(sent));
        let events: Vec<_> = counts.map(|sent| usage(&catalogue, sent)).collect();
        prop_assert_eq!(values(&memory), expected(&events));
        prop_assert_eq!(memory.checkpoint.counted.voided, taken_back.len() as u64);
        prop_assert_eq!(memory.checkpoint.counted.unmatched, 0);
    }

    /// Whichever day is sealed at whatever time, a sealed total of any window stays unchanged, and
    /// together with its adjustment it matches the model.
    #[test]
    fn a_sealed_total_and_its_adjustment_match_the_model(
        (batches, deliveries) in any_traffic(false),
        (after, days_ago) in (any::<prop::sample::Index>(), 0_i64..34),
    ) {
        let catalogue = catalogue();
        let segments = store(&catalogue, &batches);
        let day = WindowSize::Day.start(now() - SignedDuration::from_hours(24 * days_ago), anchor());
        let end = WindowSize::Day.end(day);
        let mut memory = Memory::default();
        memory.pending.extend(segments.iter().map(|segment| segment.id));
        let (early, late) = segments.split_at(after.index(segments.len()));
        memory.roll_up(early, now());
        let sealed = memory.seal(day);
        let is_sealed = |key: &WindowKey| key.part == WindowPart::Window && key.size.end(key.start) <= end;
        let before: BTreeMap<_, _> = memory.windows().into_iter().filter(|(key, _)| is_sealed(key)).collect();
        deliver(&mut memory, late, &deliveries.iter().filter(|_| !late.is_empty()).cloned().collect::<Vec<_>>());

        let after: BTreeMap<_, _> = memory.windows().into_iter().filter(|(key, _)| is_sealed(key)).collect();
        prop_assert_eq!(&after, &before);
        let republished = republish(&memory.checkpoint, tenant(1), day, &memory.pages).unwrap();
        prop_assert_eq!(&republished.seal, &sealed);
        let totals: Vec<UsageWindow> = republished.totals.into_iter().flat_map(|bus_event| bus_event.windows).collect();
        let covered: Vec<_> = totals.iter().filter(|total| SealDigest::covers(day, total)).collect();
        prop_assert_eq!(covered.len() as u64, sealed.totals);
        prop_assert_eq!(SealDigest::of(covered), sealed.digest);

        let mut seen = HashSet::new();
        let events: Vec<_> =
            batches.iter().flatten().filter(|sent| seen.insert((sent.sender, sent.id))).map(|sent| usage(&catalogue, sent)).collect();
        let windows = memory.windows();
        for (key, value) in expected(&events) {
            let adjustment = WindowKey { part: WindowPart::Adjustment, ..key.clone() };
            let parts: Vec<Window> = [&key, &adjustment].into_iter().filter_map(|key| windows.get(key)).cloned().collect();
            let whole = catalogue.meter(&key.meter).unwrap().aggregation;
            let found = match whole {
                Aggregation::Min => parts.into_iter().map(|part| part.value).min(),
                Aggregation::Max => parts.into_iter().map(|part| part.value).max(),
                Aggregation::Latest => parts.into_iter().map(|part| (part.latest_at, part.value)).max().map(|(_, value)| value),
                _ => Some(sum(parts.into_iter().map(|part| part.value))),
            };
            prop_assert_eq!(found, Some(value), "{:?}", key);
        }
    }
}

#[test]
fn only_a_reversible_event_with_the_same_content_is_taken_back() {
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let mut send = |batch: Vec<Sent>, id: u128| {
        let mut segments = store(&catalogue, &[batch]);
        segments[0].id = SegmentId::from_uuid(Uuid::from_u128(id));
        memory.pending.insert(segments[0].id);
        memory.roll_up(&segments, now());
        (
            memory.checkpoint.counted.voided,
            memory.checkpoint.counted.unmatched,
            memory.checkpoint.counted.duplicates,
        )
    };
    let sum = Sent {
        sender: Sender::Provider,
        id: 1,
        meter: 3,
        minutes_ago: 1,
        value: 5,
        void: false,
    };
    let max = Sent {
        sender: Sender::Provider,
        id: 2,
        meter: 1,
        minutes_ago: 1,
        value: 5,
        void: false,
    };
    send(vec![sum.clone(), max.clone()], 1);
    assert_eq!(
        send(
            vec![Sent {
                void: true,
                value: 6,
                ..sum.clone()
            }],
            2
        ),
        (0, 1, 0)
    );
    assert_eq!(send(vec![Sent { void: true, ..max }], 3), (0, 2, 0));
    assert_eq!(
        send(
            vec![Sent {
                void: true,
                ..sum.clone()
            }],
            4
        ),
        (1, 2, 0)
    );
    assert_eq!(
        send(
            vec![Sent {
                void: true,
                ..sum.clone()
            }],
            5
        ),
        (1, 2, 1)
    );
    assert_eq!(send(vec![sum], 6), (1, 2, 2));
}

/// Rolls up a correction. Returns the sum of all days, and the accepted, duplicate, voided and
/// unmatched events.
fn correct(memory: &mut Memory, original: Usage<'_>, replacement: Usage<'_>) -> (i128, [u64; 4]) {
    let correction = Correction {
        original,
        replacement: Some(replacement),
    };
    let id = SegmentId::from_uuid(Uuid::from_u128(memory.attempts));
    let segments = group_corrections([correction], |_| anchor(), || id);
    memory.pending.insert(id);
    let before = memory.checkpoint.counted;
    memory.roll_up(&segments, now());
    let days = memory
        .windows()
        .into_iter()
        .filter(|(key, _)| key.size == WindowSize::Day);
    let sum = days
        .map(|(_, window)| window.value.short_mantissa().unwrap())
        .sum();
    let counted = memory.checkpoint.counted.since(before);
    let counts = [
        counted.accepted,
        counted.duplicates,
        counted.voided,
        counted.unmatched,
    ];
    assert_eq!(
        counts.iter().sum::<u64>(),
        counted.total(),
        "no other counts"
    );
    (sum, counts)
}

/// A replacement counts exactly if the event was taken back for it.
#[test]
fn a_replacement_counts_once_and_only_with_its_void() {
    let catalogue = catalogue();
    let event = |id: u16, value: i64| summed(&catalogue, id, value * 1_000);
    let mut memory = Memory::default();
    let first = SegmentId::from_uuid(Uuid::from_u128(1 << 64));
    memory.pending.insert(first);
    memory.roll_up(&group([event(1, 5)], |_| anchor(), || first), now());

    assert_eq!(
        correct(&mut memory, event(1, 6), event(2, 7)),
        (5, [0, 0, 0, 2]),
        "the event has other content"
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(2, 7)),
        (7, [1, 0, 1, 0])
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(2, 7)),
        (7, [0, 2, 0, 0]),
        "a repetition"
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(3, 8)),
        (7, [0, 1, 0, 1]),
        "the event is replaced already"
    );
    assert_eq!(
        correct(&mut memory, event(2, 7), event(3, 8)),
        (8, [1, 0, 1, 0]),
        "the replacement itself can be replaced"
    );
}
