//! Counting the events of a rollup after their lookup in the index.

use crate::batch::last_day;
use crate::checkpoint::Counted;
use crate::event_key::key_in_window;
use crate::page::{Page, PageKey};
use crate::rollup::Snapshot;
use crate::segment::Windows;
use crate::segment::{Purpose, Segment, SegmentEvent, Slot};
use crate::value::Value;
use crate::window::{Measure, Window, WindowKey};
use contract::WindowPart;
use dedupe::{ContentHash, DedupeKey, Entry, Known};
use jiff::Timestamp;
use kernel::WindowSize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// A total before and after the rollup.
struct Change {
    key: WindowKey,
    existed: bool,
    before: Window,
    after: Window,
}

/// A hasher for dedupe keys. Keys are hashes already, so their last eight bytes serve as the hash.
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
/// The keys of distinct values within windows, by value and index of the total.
type ByDistinctValue = HashMap<(DedupeKey, usize), DedupeKey, ByKey>;

/// The result of a void, which decides on the replacement behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The event is taken back by this correction.
    TakenBack,
    /// The event was taken back before.
    Gone,
    /// The event has other content, or its meter cannot subtract.
    Unmatched,
    /// The event stays, since the id of its replacement is already used.
    ReplacementUsed,
}

/// The indexes of a slot's totals in the list of changes.
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

/// Whether the id of a replacement is free: it is not counted, and if it was taken back before it
/// arrived, then with this content.
fn is_free(replacement: &SegmentEvent, known: Known) -> bool {
    known.counted.is_none()
        && known
            .voided
            .is_none_or(|content| content == replacement.entry.content)
}

/// The changes of a rollup.
pub(crate) struct Changed {
    /// The published totals.
    pub(crate) published: BTreeMap<WindowKey, Window>,
    /// The changed pages, in full.
    pub(crate) pages: BTreeMap<PageKey, Page>,
    /// The days that have a new total, and the last days of their billing periods.
    pub(crate) days: BTreeSet<Timestamp>,
}

/// The counting of one rollup.
pub(crate) struct Counting<'s> {
    snapshot: &'s Snapshot,
    new: HashMap<DedupeKey, ContentHash, ByKey>,
    /// The distinct values to look up: the value, the index of a total, and the key within its
    /// window.
    sought_values: Vec<((DedupeKey, usize), DedupeKey)>,
    /// The looked-up values that no event had before.
    new_values: ByDistinctValue,
    pub(crate) value_entries: Vec<Entry>,
    changes: Vec<Change>,
    places: HashMap<WindowKey, usize>,
    pub(crate) counted: Counted,
    /// The new index entries of the current segment.
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

    /// Collects the keys of distinct values of events that may count, so that one lookup answers
    /// for all totals.
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

    /// Records which of the looked-up values were counted before. `known` is in the order of the
    /// keys that [`Self::seek_values`] returned.
    pub(crate) fn learn_values(&mut self, known: &[Known]) {
        let looked_up = std::mem::take(&mut self.sought_values)
            .into_iter()
            .zip(known);
        self.new_values = looked_up
            .filter(|(_, known)| known.counted.is_none())
            .map(|(sought, _)| sought)
            .collect();
    }

    /// Counts a segment's events. Returns whether all of them counted, so that the segment can
    /// serve as a sorted run.
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
                    // A void and its replacement are one change: usage would be lost or billed
                    // twice if only one of them happened.
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

    /// Combines the index's answer for an event with the events that this rollup counted already.
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
            // The first content holds, also that of a void that arrived before the event: other
            // content is a conflict.
            Some(content) if content != event.entry.content => self.counted.conflicts += 1,
            Some(_) if known.counted.is_some() => self.counted.duplicates += 1,
            was_taken_back => {
                if was_taken_back.is_none() {
                    self.add(event, slot, places);
                }
                self.counted.accepted += 1;
                self.record(event.entry);
            }
        }
    }

    /// Takes an event back, if its replacement can be counted.
    fn take_back(
        &mut self,
        event: &SegmentEvent,
        slot: &Slot,
        places: &Places,
        known: Known,
        is_replacement_free: bool,
    ) -> Fate {
        let Entry { key, content } = event.entry;
        let differs = known.counted.is_some_and(|counted| counted != content);
        if known.voided.is_some() {
            self.counted.duplicates += 1;
            return Fate::Gone;
        }
        if !differs && !is_replacement_free {
            self.counted.replacement_used += 1;
            return Fate::ReplacementUsed;
        }
        // If the event has not arrived, there is nothing to subtract: it finds its void on arrival
        // and adds nothing.
        if differs || known.counted.is_some() && !self.subtract(event, slot, places) {
            self.counted.unmatched += 1;
            return Fate::Unmatched;
        }
        self.counted.voided += 1;
        self.record(Entry {
            key: key.void(),
            content,
        });
        Fate::TakenBack
    }

    fn record(&mut self, entry: Entry) {
        self.new.insert(entry.key, entry.content);
        self.entries.push(entry);
    }

    /// Adds an event to its totals. A distinct value adds one where it is new, and zero elsewhere.
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

    /// Subtracts an event from its totals. Returns false when its meter cannot subtract.
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

    /// Finds the totals of a slot. A sealed window stays unchanged, and its adjustment takes the
    /// events. Short windows of a sealed day are sealed and adjusted with it, so that they always
    /// add up to the day.
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
            // Events and their voids in one rollup can cancel out.
            if before == after {
                continue;
            }
            let window = Window {
                revision: before.revision + 1,
                ..after
            };
            let page = key.page();
            let stored = || self.snapshot.pages.get(&page).cloned().unwrap_or_default();
            pages
                .entry(page.clone())
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
