//! Counting the events of a rollup, once it is known which of them were counted before.

use crate::batch::last_day;
use crate::checkpoint::Counted;
use crate::event_key::key_in_window;
use crate::segment::Windows;
use crate::{
    Measure, Page, PageKey, Purpose, Segment, SegmentEvent, Slot, Snapshot, Value, Window,
    WindowKey,
};
use contract::WindowPart;
use dedupe::{ContentHash, DedupeKey, Entry, Known};
use jiff::Timestamp;
use kernel::WindowSize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// A total before and after.
struct Change {
    key: WindowKey,
    existed: bool,
    before: Window,
    after: Window,
}

/// A hasher of dedupe keys. They are uniform already, so their last eight bytes will do.
#[derive(Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 ^= u64::from_be_bytes(*last);
        }
    }
}

type ByKey = BuildHasherDefault<Uniform>;
/// By the key of a distinct value, and the place of the total that it counts in.
type ByDistinctValue = HashMap<(DedupeKey, usize), DedupeKey, ByKey>;

/// What became of an event that a correction takes back, on which hangs what becomes of the one in
/// its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is taken back by this.
    TakenBack,
    /// It was taken back before.
    Gone,
    /// It said something else, or its meter takes nothing back.
    Unmatched,
    /// It stays, since the id of what was to come in its place is used already.
    ReplacementUsed,
}

/// Where the totals of a slot are among the changes.
pub(crate) struct Places {
    short: Option<usize>,
    day: usize,
    month: Option<usize>,
}

impl Places {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.short.into_iter().chain([self.day]).chain(self.month)
    }
}

/// Whether an event can come in the place of another one: its id is not used, unless for this very
/// event, which was taken back before it came.
fn is_free(replacement: &SegmentEvent, known: Known) -> bool {
    known.counted.is_none()
        && known
            .voided
            .is_none_or(|content| content == replacement.entry.content)
}

/// What counting changed.
pub(crate) struct Changed {
    /// The published totals.
    pub(crate) published: BTreeMap<WindowKey, Window>,
    /// The pages, in full.
    pub(crate) pages: BTreeMap<PageKey, Page>,
    /// The days that have a new total, and the last days of their billing periods.
    pub(crate) days: BTreeSet<Timestamp>,
}

/// The counting of one rollup.
pub(crate) struct Counting<'s> {
    snapshot: &'s Snapshot,
    new: HashMap<DedupeKey, ContentHash, ByKey>,
    /// The distinct values that are looked up, each with the place of a total and its key there.
    sought_values: Vec<((DedupeKey, usize), DedupeKey)>,
    /// Those of them that no event had yet.
    new_values: ByDistinctValue,
    pub(crate) value_entries: Vec<Entry>,
    changes: Vec<Change>,
    places: HashMap<WindowKey, usize>,
    pub(crate) counted: Counted,
    /// Of the segment in hand: what the index has to hold from now on.
    pub(crate) entries: Vec<Entry>,
}

impl<'s> Counting<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            new: HashMap::default(),
            sought_values: Vec::new(),
            new_values: HashMap::default(),
            value_entries: Vec::new(),
            changes: Vec::new(),
            places: HashMap::new(),
            counted: Counted::default(),
            entries: Vec::new(),
        }
    }

    pub(crate) fn place_slots(&mut self, segment: &Segment) -> Vec<Places> {
        segment
            .body
            .windows()
            .map(|windows| self.places(windows))
            .collect()
    }

    /// The keys of distinct values of the events that may count, to look up for all totals at once.
    pub(crate) fn seek_values(
        &mut self,
        segments: &[Segment],
        placed: &[Vec<Places>],
        known: &[Known],
    ) -> Vec<DedupeKey> {
        let mut sought: ByDistinctValue = HashMap::default();
        let mut known = known.iter();
        for (segment, places) in segments.iter().zip(placed) {
            for (event, known) in segment.body.events().iter().zip(known.by_ref()) {
                let Measure::Distinct(value) = event.measure else {
                    continue;
                };
                for at in places[usize::from(event.slot)]
                    .all()
                    .filter(|_| known.counted.is_none())
                {
                    sought
                        .entry((value, at))
                        .or_insert_with(|| key_in_window(value, &self.changes[at].key));
                }
            }
        }
        self.sought_values = sought.into_iter().collect();
        self.sought_values.iter().map(|(_, key)| *key).collect()
    }

    /// Learns which of the sought values were counted before. `known` is in the order of the sought
    /// keys.
    pub(crate) fn learn_values(&mut self, known: &[Known]) {
        let looked_up = std::mem::take(&mut self.sought_values)
            .into_iter()
            .zip(known);
        self.new_values = looked_up
            .filter(|(_, known)| known.counted.is_none())
            .map(|(sought, _)| sought)
            .collect();
    }

    /// Counts a segment's events; whether each of them counted, so that the segment itself can be a
    /// run.
    pub(crate) fn count(&mut self, segment: &Segment, places: &[Places], known: &[Known]) -> bool {
        let body = &segment.body;
        let before = self.counted.accepted;
        let mut fate = Fate::Unmatched;
        for (place, event) in body.events().iter().enumerate() {
            let at = usize::from(event.slot);
            let slot = &body.slots()[at];
            let of_event = self.known_now(event, known[place]);
            match slot.purpose {
                Purpose::Usage => self.take(event, slot, &places[at], of_event),
                Purpose::Void => {
                    // What is taken back and what comes in its place are one change: either both
                    // happen, or neither does.
                    let replacement = body
                        .replacement(place)
                        .map(|next| (next, self.known_now(next, known[place + 1])));
                    let is_free = replacement.is_none_or(|(next, known)| is_free(next, known));
                    fate = self.take_back(event, slot, &places[at], of_event, is_free);
                }
                Purpose::Replacement => match fate {
                    Fate::TakenBack => self.take(event, slot, &places[at], of_event),
                    Fate::ReplacementUsed => self.counted.replacement_used += 1,
                    Fate::Gone => match of_event.counted {
                        Some(content) if content == event.entry.content => {
                            self.counted.duplicates += 1
                        }
                        Some(_) => self.counted.replacement_used += 1,
                        None => self.counted.unmatched += 1,
                    },
                    Fate::Unmatched => self.counted.unmatched += 1,
                },
            }
        }
        let all_counted = self.counted.accepted - before == body.events().len() as u64;
        all_counted && !body.takes_back()
    }

    /// What is known of an event by the index and by what this rollup has counted.
    fn known_now(&self, event: &SegmentEvent, known: Known) -> Known {
        let key = event.entry.key;
        let fresh = |key: &DedupeKey| self.new.get(key).copied();
        known.or(Known {
            counted: fresh(&key),
            voided: fresh(&key.void()),
        })
    }

    fn take(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places, known: Known) {
        match known.counted.or(known.voided) {
            // Whoever took it back before it came was the first to say what it is: something else
            // does not count.
            Some(content) if content != event.entry.content => self.counted.conflicts += 1,
            Some(_) if known.counted.is_some() => self.counted.duplicates += 1,
            was_taken_back => {
                if was_taken_back.is_none() {
                    self.add(event, slot, places);
                }
                self.counted.accepted += 1;
                self.remember(event.entry);
            }
        }
    }

    /// Takes an event back, if what comes in its place can come.
    fn take_back(
        &mut self,
        event: &SegmentEvent,
        slot: &Slot,
        places: &Places,
        known: Known,
        is_replacement_free: bool,
    ) -> Fate {
        let Entry { key, content } = event.entry;
        let says_otherwise = known.counted.is_some_and(|counted| counted != content);
        if known.voided.is_some() {
            self.counted.duplicates += 1;
            return Fate::Gone;
        }
        if !says_otherwise && !is_replacement_free {
            self.counted.replacement_used += 1;
            return Fate::ReplacementUsed;
        }
        // Where the event has not come, there is nothing to subtract: it will find that it was
        // taken back.
        if says_otherwise || known.counted.is_some() && !self.subtract(event, slot, places) {
            self.counted.unmatched += 1;
            return Fate::Unmatched;
        }
        self.counted.voided += 1;
        self.remember(Entry {
            key: key.void(),
            content,
        });
        Fate::TakenBack
    }

    fn remember(&mut self, entry: Entry) {
        self.new.insert(entry.key, entry.content);
        self.entries.push(entry);
    }

    /// Adds an event to its totals.
    fn add(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places) {
        for at in places.all() {
            let total = &mut self.changes[at].after;
            match event.measure {
                Measure::Number(value) => total.add(slot.aggregation, value, event.at),
                Measure::Distinct(value) => {
                    let new = self.new_values.remove(&(value, at));
                    let one = if new.is_some() {
                        Value::ONE
                    } else {
                        Value::default()
                    };
                    self.value_entries.extend(new.map(|key| Entry {
                        key,
                        content: ContentHash::NONE,
                    }));
                    total.add(slot.aggregation, one, event.at);
                }
            }
        }
    }

    /// Takes an event off its totals; false when its meter cannot.
    fn subtract(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places) -> bool {
        let Measure::Number(value) = event.measure else {
            return false;
        };
        if !slot.aggregation.is_reversible() {
            return false;
        }
        for at in places.all() {
            self.changes[at].after.subtract(value);
        }
        true
    }

    /// Finds the totals that a slot's events go to: of a sealed window its adjustment. The short
    /// windows of a sealed day are sealed with it, and adjusted with it, so that they add up to it
    /// still.
    fn places(&mut self, windows: Windows) -> Places {
        Places {
            short: windows.short.map(|key| self.place(key)),
            day: self.place(windows.day),
            month: windows.month.map(|key| self.place(key)),
        }
    }

    fn place(&mut self, mut key: WindowKey) -> usize {
        if self.snapshot.checkpoint.seals(&key) {
            key.part = WindowPart::Adjustment;
        }
        if let Some(at) = self.places.get(&key) {
            return *at;
        }
        let found = self
            .snapshot
            .pages
            .get(&key.page())
            .and_then(|page| page.get(&key));
        let existed = found.is_some();
        let before = found.unwrap_or_default();
        self.changes.push(Change {
            key: key.clone(),
            existed,
            after: before.clone(),
            before,
        });
        let at = self.changes.len() - 1;
        self.places.insert(key, at);
        at
    }

    pub(crate) fn changed(self) -> Changed {
        let (mut published, mut days) = (BTreeMap::new(), BTreeSet::new());
        let mut pages: BTreeMap<PageKey, Page> = BTreeMap::new();
        for Change {
            key,
            existed,
            before,
            after,
        } in self.changes
        {
            if before == after {
                continue;
            }
            let window = Window {
                revision: before.revision + 1,
                ..after
            };
            let name = key.page();
            let stored = || self.snapshot.pages.get(&name).cloned().unwrap_or_default();
            pages
                .entry(name.clone())
                .or_insert_with(stored)
                .set(&key, window.clone());
            if key.size == WindowSize::Day && key.part == WindowPart::Window && !existed {
                days.extend([key.start, last_day(key.start)]);
            }
            if key.size >= WindowSize::Day {
                published.insert(key, window);
            }
        }
        Changed {
            published,
            pages,
            days,
        }
    }
}
