//! Totals do not depend on how events were sent, stored, delivered, repeated or grouped.

use super::{catalogue, now, tenant};
use crate::*;
use contract::catalogue::{Aggregation, Catalogue};
use jiff::SignedDuration;
use kernel::{MeterCode, SegmentId};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A store in memory that keeps the promises of the real one: pointers are removed with what they count.
#[derive(Default)]
struct Memory {
    head: Head,
    runs: BTreeMap<RunId, Arc<Run>>,
    windows: BTreeMap<WindowKey, Window>,
    pending: HashSet<SegmentId>,
    attempts: u128,
    published: Vec<(u64, Vec<contract::UsageWindow>)>,
}

impl Memory {
    fn settle(&mut self, segments: &[Segment], now: jiff::Timestamp) {
        let open: Vec<Segment> = segments.iter().filter(|s| self.pending.contains(&s.id)).cloned().collect();
        for batch in batches(open) {
            self.attempts += 1;
            let attempt = Uuid::from_u128(self.attempts);
            let keys = touched_windows(&batch);
            let windows = self.windows.iter().filter(|(key, _)| keys.contains(*key));
            let state = State {
                head: self.head.clone(),
                runs: self.runs.clone(),
                windows: windows.map(|(key, window)| (key.clone(), *window)).collect(),
            };
            let settlement = settle(&state, &batch, attempt, now).unwrap();
            let events: usize = batch.iter().map(|segment| segment.body.events().len()).sum();
            assert_eq!(settlement.counted.total(), events as u64);
            assert!(settlement.windows.len() + batch.len() <= 97);
            if let Some(fact) = settlement.fact(tenant(1)).unwrap() {
                self.published.push((settlement.head.sequence, fact.windows));
            }
            for segment in &batch {
                self.pending.remove(&segment.id);
            }
            self.runs.extend(settlement.written.into_iter().map(|(named, run)| (named.id, run)));
            self.runs.retain(|id, _| !settlement.obsolete.contains(id));
            let named: Vec<RunId> = settlement.head.runs.iter().map(|run| run.id).collect();
            assert!(named.iter().all(|id| self.runs.contains_key(id)) && named.len() == self.runs.len());
            self.head = settlement.head;
            self.windows.extend(settlement.windows);
        }
    }
}

#[derive(Debug, Clone)]
struct Sent {
    id: u16,
    meter: usize,
    day: u8,
    value: i64,
}

fn usage<'c>(catalogue: &'c Catalogue, sent: &Sent) -> Usage<'c> {
    let meter = &catalogue.meters[sent.meter];
    let time = now() - SignedDuration::from_hours(24 * i64::from(sent.day));
    let value =
        if meter.aggregation == Aggregation::Count { Value::ONE } else { Value::new(sent.value.into(), 3).unwrap() };
    let digest = Digest::of(&meter.event_type, tenant(1), time, value);
    let entry = Entry { identity: Identity::of("source", &sent.id.to_string()), digest };
    Usage { tenant: tenant(1), entry, meter, start: WindowSize::Day.start(time), value }
}

/// The naive model: the first of each identity in the order of settling, in one map.
fn model(segments: &[&Segment]) -> (Counted, BTreeMap<WindowKey, (Value, u64)>) {
    let mut seen: HashMap<Identity, Digest> = HashMap::new();
    let mut counted = Counted::default();
    let mut totals: BTreeMap<WindowKey, (Value, u64)> = BTreeMap::new();
    for segment in segments {
        for event in segment.body.events() {
            match seen.get(&event.entry.identity) {
                Some(digest) if *digest == event.entry.digest => counted.duplicates += 1,
                Some(_) => counted.conflicts += 1,
                None => {
                    seen.insert(event.entry.identity, event.entry.digest);
                    counted.accepted += 1;
                    let slot = &segment.body.slots()[usize::from(event.slot)];
                    let total = totals.entry(slot.key.clone()).or_default();
                    total.0 = match slot.aggregation {
                        Aggregation::Max if total.1 > 0 => total.0.max(event.value),
                        Aggregation::Max => event.value,
                        Aggregation::Count | Aggregation::Sum => total.0.plus(event.value).unwrap(),
                    };
                    total.1 += 1;
                }
            }
        }
    }
    (counted, totals)
}

fn any_sent(conflicting: bool) -> impl Strategy<Value = Sent> {
    (0_u16..400, 0_usize..4, 0_u8..30, 0_i64..1_000_000).prop_map(move |(id, meter, day, value)| {
        if conflicting {
            return Sent { id, meter, day, value };
        }
        // What an id says is a function of the id.
        let of = usize::from(id);
        Sent { id, meter: of % 4, day: id.to_le_bytes()[0] % 30, value: i64::from(id) * 7 }
    })
}

/// How a stream is delivered: batches as they were sent, and deliveries of some segments at a time.
fn any_delivery(conflicting: bool) -> impl Strategy<Value = (Vec<Vec<Sent>>, Vec<Vec<prop::sample::Index>>)> {
    (
        prop::collection::vec(prop::collection::vec(any_sent(conflicting), 1..60), 1..40),
        prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..12), 0..60),
    )
}

fn store(catalogue: &Catalogue, batches: &[Vec<Sent>]) -> Vec<Segment> {
    let mut next = 0;
    let mut segments = Vec::new();
    for batch in batches {
        segments.extend(group(batch.iter().map(|sent| usage(catalogue, sent)), || {
            next += 1;
            SegmentId::from_uuid(Uuid::from_u128(next))
        }));
    }
    segments
}

/// Delivers segments as told, repeats included, then what was never delivered, as the sweep does. Returns the
/// order in which they were first delivered.
fn deliver<'s>(
    memory: &mut Memory,
    segments: &'s [Segment],
    deliveries: &[Vec<prop::sample::Index>],
) -> Vec<&'s Segment> {
    memory.pending.extend(segments.iter().map(|segment| segment.id));
    let mut order: Vec<&Segment> = Vec::new();
    let mut seen = HashSet::new();
    let told = deliveries.iter().map(|delivery| delivery.iter().map(|at| at.get(segments)).collect());
    let rest = [segments.iter().collect::<Vec<_>>()];
    for delivery in told.chain(rest) {
        let unique: BTreeMap<SegmentId, &Segment> = delivery.into_iter().map(|s| (s.id, s)).collect();
        order.extend(unique.values().filter(|segment| seen.insert(segment.id)));
        let delivered: Vec<Segment> = unique.into_values().cloned().collect();
        memory.settle(&delivered, now());
    }
    order
}

fn totals(memory: &Memory) -> BTreeMap<WindowKey, (Value, u64)> {
    memory.windows.iter().map(|(key, window)| (key.clone(), (window.value, window.events))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_delivery_counts_what_the_model_counts((batches, deliveries) in any_delivery(true)) {
        let catalogue = catalogue();
        let segments = store(&catalogue, &batches);
        let mut memory = Memory::default();
        let order = deliver(&mut memory, &segments, &deliveries);
        let (counted, expected) = model(&order);
        prop_assert_eq!(memory.head.counted, counted);
        prop_assert_eq!(counted.total(), batches.iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert_eq!(totals(&memory), expected);

        let before = (memory.head.clone(), memory.windows.clone());
        memory.settle(&segments, now());
        prop_assert_eq!((memory.head.clone(), memory.windows.clone()), before, "a replay changes nothing");

        let mut latest: BTreeMap<(MeterCode, jiff::Timestamp), contract::UsageWindow> = BTreeMap::new();
        let (numbers, facts): (Vec<u64>, Vec<_>) = memory.published.iter().cloned().unzip();
        prop_assert_eq!(numbers, (1..=memory.head.sequence).collect::<Vec<_>>(), "the stream has no gap");
        for window in facts.into_iter().flatten() {
            let earlier = latest.insert((window.meter.clone(), window.start), window.clone());
            prop_assert_eq!(earlier.map_or(0, |earlier| earlier.revision) + 1, window.revision);
        }
        for (key, window) in &memory.windows {
            let told = &latest[&(key.meter.clone(), key.start)];
            prop_assert_eq!(&told.value, &window.value.to_quantity().unwrap());
            prop_assert_eq!((told.events, told.revision), (window.events, window.revision));
        }
    }

    #[test]
    fn order_and_grouping_do_not_matter((batches, deliveries) in any_delivery(false), shuffle in any::<u64>()) {
        let catalogue = catalogue();
        let mut one = Memory::default();
        deliver(&mut one, &store(&catalogue, &batches), &deliveries);
        let mut sent: Vec<Sent> = batches.into_iter().flatten().collect();
        sent.sort_by_key(|sent| Identity::of(&shuffle.to_string(), &sent.id.to_string()));
        let mut other = Memory::default();
        deliver(&mut other, &store(&catalogue, &[sent]), &[]);
        prop_assert_eq!(totals(&one), totals(&other));
        prop_assert_eq!(one.head.counted, other.head.counted);
    }
}

#[test]
fn the_index_stays_small_and_complete_as_it_grows() {
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let sent = |from: u32| -> Vec<Usage<'_>> {
        let meter = &catalogue.meters[0];
        let entry = |n: u32| Entry { identity: Identity::of("s", &n.to_string()), digest: Digest::from_bytes([3; 8]) };
        let start = WindowSize::Day.start(now());
        (from..from + 500)
            .map(|n| Usage { tenant: tenant(1), entry: entry(n), meter, start, value: Value::ONE })
            .collect()
    };
    let mut next = 0_u128;
    for repeat in 0..2_u32 {
        for batch in 0..100_u32 {
            let segments = group(sent(batch * 500), || {
                next += 1;
                SegmentId::from_uuid(Uuid::from_u128(next))
            });
            memory.pending.extend(segments.iter().map(|segment| segment.id));
            memory.settle(&segments, now());
            let bound = 3 * 7 + usize::try_from(memory.head.counted.accepted).unwrap() / 6_000;
            assert!(memory.head.runs.len() <= bound, "{} runs", memory.head.runs.len());
        }
        let expected = Counted { accepted: 50_000, duplicates: u64::from(repeat) * 50_000, ..Counted::default() };
        assert_eq!(memory.head.counted, expected);
    }
}

#[test]
fn identities_outlive_the_oldest_event_that_is_taken() {
    assert!(IDENTITY_KEPT >= TIME_BEHIND_MAX + TIME_AHEAD_MAX + SignedDuration::from_hours(4 * 24));
    let catalogue = catalogue();
    let event = Sent { id: 1, meter: 2, day: 0, value: 5 };
    let mut memory = Memory::default();
    let mut send = |number: u128, at: jiff::Timestamp| {
        let segments = group([usage(&catalogue, &event)], || SegmentId::from_uuid(Uuid::from_u128(number)));
        memory.pending.insert(segments[0].id);
        memory.settle(&segments, at);
        (memory.head.counted.accepted, memory.head.runs.len(), memory.runs.len())
    };
    assert_eq!(send(1, now()), (1, 1, 1));
    assert_eq!(send(2, now() + IDENTITY_KEPT), (1, 1, 1));
    assert_eq!(send(3, now() + IDENTITY_KEPT + SignedDuration::from_secs(1)), (2, 1, 1), "the old run is dropped");
}

#[test]
fn a_total_that_would_not_fit_leaves_its_window_as_it_is() {
    let catalogue = catalogue();
    let meter = &catalogue.meters[2];
    let nines: Value = "9".repeat(38).parse().unwrap();
    let start = WindowSize::Day.start(now());
    let entry =
        |id: &str, value| Entry { identity: Identity::of("s", id), digest: Digest::of("t", tenant(1), now(), value) };
    let event = |id, value| Usage { tenant: tenant(1), entry: entry(id, value), meter, start, value };
    let events = [event("a", nines), event("b", Value::ONE), event("c", Value::default())];
    let segments = group(events, || SegmentId::from_uuid(Uuid::nil()));
    let settlement = settle(&State::default(), &segments, Uuid::nil(), now()).unwrap();
    assert_eq!(settlement.counted, Counted { accepted: 2, overflowed: 1, ..Counted::default() });
    assert_eq!(settlement.windows.values().next().unwrap().value, nines);
}

#[test]
fn a_missing_run_stops_settling() {
    let catalogue = catalogue();
    let segments =
        group([usage(&catalogue, &Sent { id: 1, meter: 0, day: 0, value: 1 })], || SegmentId::from_uuid(Uuid::nil()));
    let first = settle(&State::default(), &segments, Uuid::nil(), now()).unwrap();
    let state = State { head: first.head, ..State::default() };
    assert!(settle(&state, &segments, Uuid::nil(), now()).is_err());
}
