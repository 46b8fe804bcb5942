//! Totals do not depend on how events were sent, stored, delivered, repeated or grouped.

use super::{catalogue, now, tenant};
use crate::*;
use catalogue::{Aggregation, Catalogue, Meter};
use contract::{SealDigest, UsageWindow, WindowPart};
use dedupe::{
    BlockId, BlockedFilter, BlockedRun, Blocks, ContentHash, Entry, MissingBlocks, NewPart, RunId,
};
use jiff::{SignedDuration, Timestamp};
use kernel::{BillingAnchor, MeterCode, SegmentId, UsageGroup, WindowSize};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

const METERS: usize = 9;

/// A store in memory that keeps the promises of the real one: pending markers are removed with what they
/// count.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) checkpoint: Checkpoint,
    pub(super) stored: Blocks,
    /// How many blocks the last rollup read.
    pub(super) read: usize,
    pub(super) pages: BTreeMap<PageKey, Page>,
    pub(super) pending: HashSet<SegmentId>,
    pub(super) days: HashSet<Timestamp>,
    pub(super) attempts: u128,
    pub(super) published: Vec<(u64, Vec<UsageWindow>)>,
}

impl Memory {
    pub(super) fn roll_up(&mut self, segments: &[Segment], now: Timestamp) {
        let open: Vec<Segment> = segments
            .iter()
            .filter(|s| self.pending.contains(&s.id))
            .cloned()
            .collect();
        for batch in batches(open) {
            self.attempts += 1;
            let attempt = Uuid::from_u128(self.attempts);
            let keys = touched_pages(&batch);
            let pages = self.pages.iter().filter(|(key, _)| keys.contains(*key));
            let pages = pages
                .map(|(key, page)| (key.clone(), page.clone()))
                .collect();
            let snapshot = Snapshot {
                checkpoint: self.checkpoint.clone(),
                pages,
            };
            self.read = 0;
            let mut loaded = Blocks::default();
            let mut rollup = Rollup::new(&snapshot, &batch, now);
            // The missing blocks are loaded, and nothing else.
            while let Err(MissingBlocks { blocks }) = rollup.resume(&loaded) {
                self.load(blocks, &mut loaded);
            }
            let changes = rollup.finish(attempt, &loaded).unwrap();
            let events: usize = batch
                .iter()
                .map(|segment| segment.body.events().len())
                .sum();
            assert_eq!(changes.counted.total(), events as u64);
            assert!(changes.published.len() <= SEGMENT_TOTALS_MAX);
            let rows =
                changes.pages.len() + changes.days.len() + changes.corrected.len() + batch.len();
            assert!(
                rows + 9 <= 100,
                "{rows} rows and nine others are one transaction"
            );
            if let Some(event) = changes.event(tenant(1)) {
                self.published
                    .push((changes.checkpoint.sequence, event.windows));
            }
            for segment in &batch {
                self.pending.remove(&segment.id);
            }
            self.store(changes.new_parts);
            self.stored
                .whole
                .retain(|id, _| !changes.obsolete.contains(id));
            self.stored
                .blocked
                .retain(|id, _| !changes.obsolete.contains(id));
            let named: HashSet<RunId> = changes.checkpoint.runs().map(|run| run.id).collect();
            let stored = self.stored.whole.keys().chain(self.stored.blocked.keys());
            assert_eq!(
                named,
                stored.copied().collect(),
                "what is named is what is stored"
            );
            self.checkpoint = changes.checkpoint;
            for (key, page) in changes.pages {
                let stored = Page::decode(&key, &page.encode(&key)).unwrap();
                assert_eq!(stored, page);
                self.pages.insert(key, stored);
            }
            self.days.extend(changes.days);
        }
    }

    /// Loads stored blocks.
    fn load(&mut self, blocks: BTreeSet<BlockId>, to: &mut Blocks) {
        assert!(!blocks.is_empty());
        self.read += blocks.len();
        for block in blocks {
            match block {
                BlockId::Run(id) => assert_eq!(
                    to.whole.insert(id, Arc::clone(&self.stored.whole[&id])),
                    None
                ),
                BlockId::Block(id, block) => {
                    let (_, stored) = self.stored.blocked[&id]
                        .blocks()
                        .nth(usize::from(block))
                        .unwrap();
                    let entries = self
                        .checkpoint
                        .runs()
                        .find(|run| run.id == id)
                        .unwrap()
                        .entries;
                    let loaded = to
                        .blocked
                        .entry(id)
                        .or_insert_with(|| Arc::new(BlockedRun::empty(entries)));
                    assert!(Arc::make_mut(loaded).insert(block, Arc::clone(stored)));
                }
                BlockId::Filter(group, block) => {
                    let stored = &self.stored.filters[&group];
                    let words = u32::try_from(stored.words()).unwrap();
                    let loaded = to
                        .filters
                        .entry(group)
                        .or_insert_with(|| Arc::new(BlockedFilter::empty(words)));
                    let (_, bytes) = stored.blocks().nth(usize::from(block)).unwrap();
                    assert!(Arc::make_mut(loaded).fill(block, &bytes));
                }
            }
        }
    }

    fn store(&mut self, parts: Vec<NewPart>) {
        for part in parts {
            match part {
                NewPart::Run(meta, run) => drop(self.stored.whole.insert(meta.id, run)),
                NewPart::Blocks(meta, run) => drop(self.stored.blocked.insert(meta.id, run)),
                NewPart::Filter(_, group, filter) => {
                    drop(self.stored.filters.insert(group, filter))
                }
            }
        }
    }

    pub(super) fn windows(&self) -> BTreeMap<WindowKey, Window> {
        self.pages
            .iter()
            .flat_map(|(key, page)| page.windows(key))
            .collect()
    }

    pub(super) fn seal(&mut self, day: Timestamp) -> contract::UsageSealed {
        let sealed = seal(&self.checkpoint, tenant(1), day, &self.pages);
        self.published
            .push((sealed.checkpoint.sequence, Vec::new()));
        self.checkpoint = sealed.checkpoint;
        sealed.seal
    }
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) sender: Sender,
    pub(super) id: u16,
    pub(super) meter: usize,
    pub(super) minutes_ago: i64,
    pub(super) value: i64,
    pub(super) void: bool,
}

pub(super) fn anchor() -> BillingAnchor {
    "06:30".parse().unwrap()
}

pub(super) fn usage<'c>(catalogue: &'c Catalogue, sent: &Sent) -> Usage<'c> {
    let meter = &catalogue.meters[sent.meter];
    let at = now() - SignedDuration::from_mins(sent.minutes_ago);
    let groups = meter.groups();
    let group = groups[usize::try_from(sent.value).unwrap() % groups.len()].clone();
    let measure = match meter.aggregation {
        Aggregation::Count => Measure::Number(Value::ONE),
        Aggregation::UniqueCount => Measure::Distinct(distinct_key(
            tenant(1),
            "number",
            &(sent.value % 7).to_string(),
        )),
        _ => Measure::Number(Value::new(sent.value.into(), 3).unwrap()),
    };
    let content = content_hash(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry {
        key: event_key(sent.sender, "source", &sent.id.to_string()),
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
                        Measure::Number(_) => panic!("no member"),
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

/// The provider's services, or a client of the tenant's own, which use the same ids.
pub(super) fn any_sender() -> impl Strategy<Value = Sender> {
    prop_oneof![Just(Sender::Provider), Just(Sender::Tenant)]
}

/// What an id says is a function of the id, unless ids are to conflict.
fn any_sent(conflicting: bool) -> impl Strategy<Value = Sent> {
    let minutes = 34 * 24 * 60_i64;
    (
        any_sender(),
        0_u16..400,
        0..METERS,
        0..minutes,
        0_i64..1_000_000,
        any::<bool>(),
    )
        .prop_map(move |(sender, id, meter, ago, value, odd)| {
            if conflicting && odd {
                return Sent {
                    sender,
                    id,
                    meter,
                    minutes_ago: ago,
                    value,
                    void: false,
                };
            }
            Sent {
                sender,
                ..any_of(id)
            }
        })
}

/// Batches as they are sent, and deliveries of some segments at a time.
type Traffic = (Vec<Vec<Sent>>, Vec<Vec<prop::sample::Index>>);

fn any_traffic(conflicting: bool) -> impl Strategy<Value = Traffic> {
    (
        prop::collection::vec(prop::collection::vec(any_sent(conflicting), 1..60), 1..30),
        prop::collection::vec(
            prop::collection::vec(any::<prop::sample::Index>(), 1..12),
            0..50,
        ),
    )
}

fn store(catalogue: &Catalogue, batches: &[Vec<Sent>]) -> Vec<Segment> {
    let mut next = 0;
    let mut ids = || {
        next += 1;
        SegmentId::from_uuid(Uuid::from_u128(next))
    };
    let mut segments = Vec::new();
    for batch in batches {
        let (voids, events): (Vec<&Sent>, Vec<&Sent>) = batch.iter().partition(|sent| sent.void);
        segments.extend(group(
            events.into_iter().map(|sent| usage(catalogue, sent)),
            |_| anchor(),
            &mut ids,
        ));
        let corrections = voids.into_iter().map(|sent| Correction {
            original: usage(catalogue, sent),
            replacement: None,
        });
        segments.extend(group_corrections(corrections, |_| anchor(), &mut ids));
    }
    segments
        .into_iter()
        .map(|segment| Segment {
            body: SegmentBody::decode(&segment.body.encode()).unwrap(),
            ..segment
        })
        .collect()
}

/// Delivers segments as told, repeats included, then what was never delivered, as the sweep does.
/// Returns the order in which they were first delivered.
fn deliver<'s>(
    memory: &mut Memory,
    segments: &'s [Segment],
    deliveries: &[Vec<prop::sample::Index>],
) -> Vec<&'s Segment> {
    memory
        .pending
        .extend(segments.iter().map(|segment| segment.id));
    let mut order: Vec<&Segment> = Vec::new();
    let mut seen = HashSet::new();
    let told = deliveries
        .iter()
        .map(|delivery| delivery.iter().map(|at| at.get(segments)).collect());
    let rest = [segments.iter().collect::<Vec<_>>()];
    for delivery in told.chain(rest) {
        let unique: BTreeMap<SegmentId, &Segment> =
            delivery.into_iter().map(|s| (s.id, s)).collect();
        order.extend(unique.values().filter(|segment| seen.insert(segment.id)));
        let delivered: Vec<Segment> = unique.into_values().cloned().collect();
        memory.roll_up(&delivered, now());
    }
    order
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
    fn any_delivery_counts_what_the_model_counts((batches, deliveries) in any_traffic(true)) {
        let catalogue = catalogue();
        let segments = store(&catalogue, &batches);
        let mut memory = Memory::default();
        let order = deliver(&mut memory, &segments, &deliveries);

        let by_entry: HashMap<Entry, Usage<'_>> =
            batches.iter().flatten().map(|sent| usage(&catalogue, sent)).map(|usage| (usage.entry, usage)).collect();
        let said: HashMap<Entry, (Sender, u16)> =
            batches.iter().flatten().map(|sent| (usage(&catalogue, sent).entry, (sent.sender, sent.id))).collect();
        let mut first: HashMap<(Sender, u16), ContentHash> = HashMap::new();
        let (mut counted, mut events) = (Counted::default(), Vec::new());
        for event in order.iter().flat_map(|segment| segment.body.events()) {
            match first.get(&said[&event.entry]) {
                Some(digest) if *digest == event.entry.content => counted.duplicates += 1,
                Some(_) => counted.conflicts += 1,
                None => {
                    first.insert(said[&event.entry], event.entry.content);
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
            let told = &latest[&(key.meter.clone(), key.group.clone(), key.size, key.start)];
            prop_assert_eq!(told, &key.published(&window));
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

    /// Events are taken back before they come, after it, twice, and in any order: what remains is
    /// the rest.
    #[test]
    fn what_is_taken_back_does_not_count(
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
        // What the tenant's own clients sent under the ids of what is taken back stays.
        let is_gone = |sent: &Sent| sent.sender == Sender::Provider && taken_back.contains(&sent.id);
        let counts = batches.iter().flatten().filter(|sent| !sent.void && seen.insert((sent.sender, sent.id)) && !is_gone(sent));
        let events: Vec<_> = counts.map(|sent| usage(&catalogue, sent)).collect();
        prop_assert_eq!(values(&memory), expected(&events));
        prop_assert_eq!(memory.checkpoint.counted.voided, taken_back.len() as u64);
        prop_assert_eq!(memory.checkpoint.counted.unmatched, 0);
    }

    /// Whatever day is sealed at whatever time between, a sealed total of any window stays, and
    /// together with its adjustment it is the model's.
    #[test]
    fn a_sealed_total_stays_and_its_adjustment_makes_it_whole(
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

/// What an id says where ids do not conflict.
pub(super) fn any_of(id: u16) -> Sent {
    let of = i64::from(id);
    let (sender, meter, minutes_ago) = (
        Sender::Provider,
        usize::from(id) % METERS,
        of * 97 % (34 * 24 * 60),
    );
    Sent {
        sender,
        id,
        meter,
        minutes_ago,
        value: of * 7 + 1,
        void: false,
    }
}

/// Segments of events that count, so many of each number.
pub(super) fn counting(catalogue: &Catalogue, from: u32, count: u32, id: u128) -> Vec<Segment> {
    let meter = &catalogue.meters[0];
    let events = (from..from + count).map(|n| {
        let entry = Entry {
            key: event_key(Sender::Provider, "s", &n.to_string()),
            content: ContentHash::from_bytes([3; 4]),
        };
        let measure = Measure::Number(Value::ONE);
        Usage {
            tenant: tenant(1),
            entry,
            meter,
            group: UsageGroup::default(),
            at: now(),
            measure,
        }
    });
    group(
        events,
        |_| anchor(),
        || SegmentId::from_uuid(Uuid::from_u128(id)),
    )
}

#[test]
fn the_index_stays_small_and_complete_as_it_grows() {
    for (size, rounds) in [(1, 2_000), (37, 700), (500, 150)] {
        let catalogue = catalogue();
        let mut memory = Memory::default();
        for repeat in 0..2_u32 {
            for batch in 0..rounds {
                let segments = counting(
                    &catalogue,
                    batch * size,
                    size,
                    u128::from(repeat * rounds + batch + 1),
                );
                memory
                    .pending
                    .extend(segments.iter().map(|segment| segment.id));
                memory.roll_up(&segments, now());
                let full = usize::try_from(memory.checkpoint.counted.accepted).unwrap() / 12_000;
                assert!(
                    memory.checkpoint.events.runs.len() <= 64 + 3 * 7 + full,
                    "{} runs",
                    memory.checkpoint.events.runs.len()
                );
            }
            let accepted = u64::from(size * rounds);
            let expected = Counted {
                accepted,
                duplicates: u64::from(repeat) * accepted,
                ..Counted::default()
            };
            assert_eq!(memory.checkpoint.counted, expected);
        }
    }
}

#[test]
fn identities_outlive_the_oldest_event_that_is_taken() {
    assert!(
        EVENT_KEYS_KEPT >= TIME_BEHIND_MAX + TIME_AHEAD_MAX + SignedDuration::from_hours(4 * 24)
    );
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let mut send = |number: u128, at: Timestamp| {
        let segments = counting(&catalogue, 1, 1, number);
        memory.pending.insert(segments[0].id);
        memory.roll_up(&segments, at);
        (
            memory.checkpoint.counted.accepted,
            memory.checkpoint.events.runs.len(),
            memory.stored.whole.len(),
        )
    };
    assert_eq!(send(1, now()), (1, 1, 1));
    assert_eq!(send(2, now() + EVENT_KEYS_KEPT), (1, 1, 1));
    assert_eq!(
        send(3, now() + EVENT_KEYS_KEPT + SignedDuration::from_secs(1)),
        (2, 1, 1),
        "the old run is dropped"
    );
}

#[test]
fn only_what_says_the_same_and_can_be_reversed_is_taken_back() {
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

/// What is put in an event's place counts exactly if the event was taken back for it.
#[test]
fn a_replacement_counts_with_what_it_replaces_and_once() {
    let catalogue = catalogue();
    let meter = catalogue
        .meters
        .iter()
        .position(|meter| meter.aggregation == Aggregation::Sum)
        .unwrap();
    let event = |id: u16, value: i64| {
        usage(
            &catalogue,
            &Sent {
                meter,
                minutes_ago: 5,
                value: value * 1_000,
                ..any_of(id)
            },
        )
    };
    let of = |counted: (u64, u64, u64, u64)| {
        let (accepted, duplicates, voided, unmatched) = counted;
        Counted {
            accepted,
            duplicates,
            voided,
            unmatched,
            ..Counted::default()
        }
    };
    let mut memory = Memory::default();
    let mut next = 0;
    let mut correct = |memory: &mut Memory, original: Usage<'_>, replacement: Usage<'_>| {
        next += 1;
        let correction = Correction {
            original,
            replacement: Some(replacement),
        };
        let id = SegmentId::from_uuid(Uuid::from_u128(next));
        let segments = group_corrections([correction], |_| anchor(), || id);
        memory.pending.insert(id);
        let before = memory.checkpoint.counted;
        memory.roll_up(&segments, now());
        let days = memory
            .windows()
            .into_iter()
            .filter(|(key, _)| key.size == WindowSize::Day);
        let sum: i128 = days
            .map(|(_, window)| window.value.short_mantissa().unwrap())
            .sum();
        let after = memory.checkpoint.counted;
        let delta = (
            after.accepted - before.accepted,
            after.duplicates - before.duplicates,
            after.voided - before.voided,
            after.unmatched - before.unmatched,
        );
        (sum, of(delta))
    };
    let first = group(
        [event(1, 5)],
        |_| anchor(),
        || SegmentId::from_uuid(Uuid::from_u128(1 << 64)),
    );
    memory.pending.insert(first[0].id);
    memory.roll_up(&first, now());

    assert_eq!(
        correct(&mut memory, event(1, 6), event(2, 7)),
        (5, of((0, 0, 0, 2))),
        "it said something else"
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(2, 7)),
        (7, of((1, 0, 1, 0)))
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(2, 7)),
        (7, of((0, 2, 0, 0))),
        "the same again"
    );
    assert_eq!(
        correct(&mut memory, event(1, 5), event(3, 8)),
        (7, of((0, 1, 0, 1))),
        "it is replaced already"
    );
    assert_eq!(
        correct(&mut memory, event(2, 7), event(3, 8)),
        (8, of((1, 0, 1, 0))),
        "its replacement is not"
    );
}
