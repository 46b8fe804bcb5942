//! Settling: from stored segments to window totals, each event once.

use crate::index::{Index, MEMBERS_KEPT, StoredPart, live};
use crate::segment::{Windows, windows_max};
use crate::{
    Digest, Entry, Identity, Known, Measure, Page, PageKey, PartId, Parts, Purpose, RunId, RunRef, Segment,
    SegmentEvent, Slot, Window, WindowKey,
};
use contract::{UsageWindowUpdated, WindowPart};
use jiff::{SignedDuration, Timestamp};
use kernel::{BillingAnchor, SegmentId, TenantId, WindowSize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use uuid::Uuid;

/// How long an identity is kept after it was last counted.
///
/// A repeated event has the time of the first, and is refused at the edge once that is more than
/// [`crate::TIME_BEHIND_MAX`] ago. The first was counted at most [`crate::TIME_AHEAD_MAX`] before its
/// time. So no repetition outlives its identity as long as segments are settled within the 5 days between.
pub const IDENTITY_KEPT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// The most segments that are settled at once.
pub const SETTLED_SEGMENTS_MAX: usize = 60;

/// With nine further rows, they fit the 100 items of a `DynamoDB` transaction: the head, the lists of its runs in blocks that
/// change, a count and a fact.
const SETTLED_ITEMS_MAX: usize = 91;
const SETTLED_EVENTS_MAX: usize = 20_000;

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Counted in a window.
    pub accepted: u64,
    /// Seen before with the same content.
    pub duplicates: u64,
    /// Seen before with other content: the first counts.
    pub conflicts: u64,
    /// Taken back by a correction.
    pub voided: u64,
    /// Corrections of events that said something else or whose meter cannot take anything back, and what was to be in
    /// place of an event that this did not take back.
    pub unmatched: u64,
    /// Not taken back, since the id of what was to come in their place is used already; with that.
    pub replacement_used: u64,
}

impl Counted {
    /// All events that were looked at.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.accepted + self.duplicates + self.conflicts + self.voided + self.unmatched + self.replacement_used
    }

    /// What was counted after `before`.
    #[must_use]
    const fn since(self, before: Self) -> Self {
        Self {
            accepted: self.accepted - before.accepted,
            duplicates: self.duplicates - before.duplicates,
            conflicts: self.conflicts - before.conflicts,
            voided: self.voided - before.voided,
            unmatched: self.unmatched - before.unmatched,
            replacement_used: self.replacement_used - before.replacement_used,
        }
    }

    /// The counts of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            duplicates: self.duplicates + other.duplicates,
            conflicts: self.conflicts + other.conflicts,
            voided: self.voided + other.voided,
            unmatched: self.unmatched + other.unmatched,
            replacement_used: self.replacement_used + other.replacement_used,
        }
    }
}

/// Where a tenant's metering stands. Every settlement replaces it under the condition of its version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Grows with every settlement.
    pub version: u64,
    /// The number of the last fact in the tenant's usage stream.
    pub sequence: u64,
    /// What became of all events so far.
    pub counted: Counted,
    /// The identity index.
    pub runs: Vec<RunRef>,
    /// The index of the values that were counted as different ones.
    pub members: Vec<RunRef>,
    /// Days that end by then are sealed.
    pub sealed_until: Option<Timestamp>,
}

impl Head {
    /// The bytes to store for a list of runs.
    #[must_use]
    pub fn encode_runs<'r>(runs: impl IntoIterator<Item = &'r RunRef>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for run in runs {
            run.write(&mut bytes);
        }
        bytes
    }

    /// Reads a stored list of runs, of those in blocks where it has a number; nothing when the bytes are not one.
    #[must_use]
    pub fn decode_runs(bytes: &[u8], list: Option<u32>) -> Option<Vec<RunRef>> {
        let (mut runs, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (run, behind) = RunRef::read(rest, list)?;
            runs.push(run);
            rest = behind;
        }
        Some(runs)
    }

    /// The runs of both indexes that still count at a moment.
    pub fn live_runs(&self, now: Timestamp) -> impl Iterator<Item = RunRef> {
        live(&self.runs, now, IDENTITY_KEPT).into_iter().chain(live(&self.members, now, MEMBERS_KEPT))
    }

    /// Whether a window is sealed.
    fn seals(&self, window: &WindowKey) -> bool {
        self.sealed_until.is_some_and(|until| window.size.end(window.start) <= until)
    }
}

/// What settling starts from.
#[derive(Default)]
pub struct State {
    /// The head.
    pub head: Head,
    /// Parts of the indexes that the head names, as many as are there: what else it takes, [`settle`] says.
    pub parts: Parts,
    /// The pages that the segments touch, as far as they exist, see [`touched_pages`].
    pub pages: BTreeMap<PageKey, Page>,
}

/// What settling ends in. All of it is to be written at once, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The new head.
    pub head: Head,
    /// What became of these segments' events.
    pub counted: Counted,
    /// What became of those of each segment that takes something back.
    pub corrected: Vec<(SegmentId, Counted)>,
    /// The totals that changed and are stated.
    pub stated: BTreeMap<WindowKey, Window>,
    /// The pages that changed, in full.
    pub pages: BTreeMap<PageKey, Page>,
    /// The first moments of days that are to be sealed: those with a new total, and the last of their billing periods,
    /// with which the period itself is sealed, whether anything is used then or not.
    pub days: BTreeSet<Timestamp>,
    /// The parts of indexes to store: the new head names them and the old one did not.
    pub written: Vec<StoredPart>,
    /// The runs that the old head named and the new one does not.
    pub obsolete: Vec<RunId>,
}

impl Settlement {
    /// The fact to publish, unless no stated total changed.
    #[must_use]
    pub fn fact(&self, tenant: TenantId) -> Option<UsageWindowUpdated> {
        let windows: Vec<_> = self.stated.iter().map(|(key, window)| key.stated(window)).collect();
        (!windows.is_empty()).then_some(UsageWindowUpdated { tenant, windows })
    }
}

/// Parts of the indexes that the head names are not there: without them, an event could count twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} parts of an index are missing", parts.len())]
pub struct Lacking {
    /// Which parts. With these, it may turn out that it takes others.
    pub parts: BTreeSet<PartId>,
}

impl From<BTreeSet<PartId>> for Lacking {
    fn from(parts: BTreeSet<PartId>) -> Self {
        Self { parts }
    }
}

/// The pages that settling segments of one tenant may change.
#[must_use]
pub fn touched_pages(segments: &[Segment]) -> BTreeSet<PageKey> {
    let windows = segments.iter().flat_map(|segment| segment.body.windows());
    windows.flat_map(|windows| windows.all().map(WindowKey::page).collect::<Vec<_>>()).collect()
}

/// The first moment of the last day of the billing period that a day is in.
fn last_day(day: Timestamp) -> Timestamp {
    let anchor = BillingAnchor::of_day(day);
    let end = WindowSize::Month.end(WindowSize::Month.start(day, anchor));
    WindowSize::Day.start(end - SignedDuration::from_secs(1), anchor)
}

/// What settling segments writes beside the head.
#[derive(Default)]
struct Extent {
    segments: usize,
    corrections: usize,
    events: usize,
    totals: BTreeSet<WindowKey>,
    pages: BTreeSet<PageKey>,
    days: BTreeSet<Timestamp>,
}

impl Extent {
    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        self.corrections += usize::from(segment.body.takes_back());
        self.events += segment.body.events().len();
        for windows in segment.body.windows() {
            self.pages.extend(windows.all().map(WindowKey::page));
            self.days.extend([windows.day.start, last_day(windows.day.start)]);
            self.totals.extend(windows.stated().cloned());
        }
    }

    fn fits(&self) -> bool {
        self.segments <= SETTLED_SEGMENTS_MAX
            && self.events <= SETTLED_EVENTS_MAX
            && self.totals.len() <= crate::SEGMENT_TOTALS_MAX
            && windows_max(&self.pages) <= crate::SEGMENT_WINDOWS_MAX
            && self.segments + self.corrections + self.pages.len() + self.days.len() <= SETTLED_ITEMS_MAX
    }
}

/// Divides segments of one tenant into batches that [`settle`] can take, in order.
#[must_use]
pub fn batches(segments: Vec<Segment>) -> Vec<Vec<Segment>> {
    let mut batches: Vec<Vec<Segment>> = Vec::new();
    let mut extent = Extent::default();
    for segment in segments {
        extent.add(&segment);
        match batches.last_mut() {
            Some(batch) if extent.fits() => batch.push(segment),
            _ => {
                extent = Extent::default();
                extent.add(&segment);
                batches.push(vec![segment]);
            }
        }
    }
    batches
}

/// Settles segments of one tenant: counts each event that the index does not hold, once.
///
/// The caller sees to it that each segment is settled once; what it cannot see to, that an event may be in
/// several segments, is decided here. `attempt` names the runs that this attempt writes.
///
/// # Errors
/// When parts of the indexes are not there that it takes.
pub fn settle(state: &State, segments: &[Segment], attempt: Uuid, now: Timestamp) -> Result<Settlement, Lacking> {
    let mut identities = Index::open(&state.head.runs, &state.parts, IDENTITY_KEPT, now);
    let mut members = Index::open(&state.head.members, &state.parts, MEMBERS_KEPT, now);
    let events = segments.iter().flat_map(|segment| segment.body.events());
    let events: Vec<Identity> = events.map(|event| event.entry.identity).collect();
    let known = identities.known(&events)?;
    let mut counting = Counting::of(state);
    let placed: Vec<Vec<Places>> = segments.iter().map(|segment| counting.place_slots(segment)).collect();
    counting.seek_members(segments, &placed, &known, &members)?;
    identities.group()?;
    members.group()?;
    let mut known = known.as_slice();
    let (mut loose, mut corrected) = (Vec::new(), Vec::new());
    for (segment, places) in segments.iter().zip(&placed) {
        let before = counting.counted;
        let (of_segment, rest) = known.split_at(segment.body.events().len());
        known = rest;
        if counting.count(segment, places, of_segment) {
            identities.append_segment(segment, now);
        } else {
            loose.append(&mut counting.entries);
        }
        counting.entries.clear();
        if segment.body.takes_back() {
            corrected.push((segment.id, counting.counted.since(before)));
        }
    }
    let mut names = (0..).map(|ordinal| RunId { attempt, ordinal });
    identities.append(loose, now, &mut names);
    identities.merge(&mut names);
    members.append(std::mem::take(&mut counting.new_members), now, &mut names);
    members.merge(&mut names);

    let counted = counting.counted;
    let (stated, pages, days) = counting.changed();
    let kept: BTreeSet<RunId> = identities.refs.iter().chain(&members.refs).map(|run| run.id).collect();
    let named = state.head.runs.iter().chain(&state.head.members);
    let obsolete = named.map(|run| run.id).filter(|id| !kept.contains(id)).collect();
    let written = [identities.written(), members.written()].concat();
    let head = Head {
        version: state.head.version + 1,
        sequence: state.head.sequence + u64::from(!stated.is_empty()),
        counted: state.head.counted.plus(counted),
        runs: identities.refs,
        members: members.refs,
        sealed_until: state.head.sealed_until,
    };
    Ok(Settlement { head, counted, corrected, stated, pages, days, written, obsolete })
}

/// A total before and after.
struct Change {
    key: WindowKey,
    existed: bool,
    before: Window,
    after: Window,
}

/// Hashes identities, which are uniform already: their last eight bytes will do.
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

type ByIdentity = BuildHasherDefault<Uniform>;
/// By a value that is counted, and the place of the total that it is counted in.
type ByMember = HashMap<(Identity, usize), Identity, ByIdentity>;

/// What became of an event that a correction takes back, on which hangs what becomes of the one in its place.
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
struct Places {
    short: Option<usize>,
    day: usize,
    month: Option<usize>,
}

impl Places {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.short.into_iter().chain([self.day]).chain(self.month)
    }
}

/// Whether an event can come in the place of another one: its id is not used, unless for this very event, which was taken
/// back before it came.
fn is_free(replacement: &SegmentEvent, known: Known) -> bool {
    known.counted.is_none() && known.voided.is_none_or(|digest| digest == replacement.entry.digest)
}

struct Counting<'s> {
    state: &'s State,
    new: HashMap<Identity, Digest, ByIdentity>,
    /// Values that no event had yet, by themselves and the place of the total, and what the index is to know them by.
    unseen_members: ByMember,
    new_members: Vec<Entry>,
    changes: Vec<Change>,
    places: HashMap<WindowKey, usize>,
    counted: Counted,
    /// Of the segment in hand: what the index has to hold from now on.
    entries: Vec<Entry>,
}

impl<'s> Counting<'s> {
    fn of(state: &'s State) -> Self {
        Self {
            state,
            new: HashMap::default(),
            unseen_members: HashMap::default(),
            new_members: Vec::new(),
            changes: Vec::new(),
            places: HashMap::new(),
            counted: Counted::default(),
            entries: Vec::new(),
        }
    }

    fn place_slots(&mut self, segment: &Segment) -> Vec<Places> {
        segment.body.windows().map(|windows| self.places(windows)).collect()
    }

    /// Looks for the values of events that may count in the index, for all totals at once.
    fn seek_members(
        &mut self,
        segments: &[Segment],
        placed: &[Vec<Places>],
        known: &[Known],
        index: &Index<'_>,
    ) -> Result<(), Lacking> {
        let mut sought: ByMember = HashMap::default();
        let mut known = known.iter();
        for (segment, places) in segments.iter().zip(placed) {
            for (event, known) in segment.body.events().iter().zip(known.by_ref()) {
                let Measure::Member(member) = event.measure else { continue };
                for at in places[usize::from(event.slot)].all().filter(|_| known.counted.is_none()) {
                    sought.entry((member, at)).or_insert_with(|| member.within(&self.changes[at].key));
                }
            }
        }
        let (places, members): (Vec<_>, Vec<_>) = sought.into_iter().unzip();
        let known = index.known(&members)?;
        let looked_up = places.into_iter().zip(members).zip(known);
        self.unseen_members =
            looked_up.filter(|(_, known)| known.counted.is_none()).map(|(unseen, _)| unseen).collect();
        Ok(())
    }

    /// Counts a segment's events; whether each of them counted, so that the segment itself can be a run.
    fn count(&mut self, segment: &Segment, places: &[Places], known: &[Known]) -> bool {
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
                    // What is taken back and what comes in its place are one change: either both happen, or neither does.
                    let replacement =
                        body.replacement(place).map(|next| (next, self.known_now(next, known[place + 1])));
                    let is_free = replacement.is_none_or(|(next, known)| is_free(next, known));
                    fate = self.take_back(event, slot, &places[at], of_event, is_free);
                }
                Purpose::Replacement => match fate {
                    Fate::TakenBack => self.take(event, slot, &places[at], of_event),
                    Fate::ReplacementUsed => self.counted.replacement_used += 1,
                    Fate::Gone => match of_event.counted {
                        Some(digest) if digest == event.entry.digest => self.counted.duplicates += 1,
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

    /// What is known of an event by the index and by what was counted in this settlement.
    fn known_now(&self, event: &SegmentEvent, known: Known) -> Known {
        let identity = event.entry.identity;
        let fresh = |identity: &Identity| self.new.get(identity).copied();
        known.or(Known { counted: fresh(&identity), voided: fresh(&identity.void()) })
    }

    fn take(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places, known: Known) {
        match known.counted.or(known.voided) {
            // Whoever took it back before it came was the first to say what it is: something else does not count.
            Some(digest) if digest != event.entry.digest => self.counted.conflicts += 1,
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
        let Entry { identity, digest } = event.entry;
        let says_otherwise = known.counted.is_some_and(|counted| counted != digest);
        if known.voided.is_some() {
            self.counted.duplicates += 1;
            return Fate::Gone;
        }
        if !says_otherwise && !is_replacement_free {
            self.counted.replacement_used += 1;
            return Fate::ReplacementUsed;
        }
        // Where the event has not come, there is nothing to subtract: it will find that it was taken back.
        if says_otherwise || known.counted.is_some() && !self.subtract(event, slot, places) {
            self.counted.unmatched += 1;
            return Fate::Unmatched;
        }
        self.counted.voided += 1;
        self.remember(Entry { identity: identity.void(), digest });
        Fate::TakenBack
    }

    fn remember(&mut self, entry: Entry) {
        self.new.insert(entry.identity, entry.digest);
        self.entries.push(entry);
    }

    /// Adds an event to its totals.
    fn add(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places) {
        for at in places.all() {
            let total = &mut self.changes[at].after;
            match event.measure {
                Measure::Number(value) => total.add(slot.aggregation, value, event.at),
                Measure::Member(member) => {
                    let unseen = self.unseen_members.remove(&(member, at));
                    let one = if unseen.is_some() { crate::Value::ONE } else { crate::Value::default() };
                    self.new_members.extend(unseen.map(|identity| Entry { identity, digest: Digest::NONE }));
                    total.add(slot.aggregation, one, event.at);
                }
            }
        }
    }

    /// Takes an event off its totals; false when its meter cannot.
    fn subtract(&mut self, event: &SegmentEvent, slot: &Slot, places: &Places) -> bool {
        let Measure::Number(value) = event.measure else { return false };
        if !slot.aggregation.is_reversible() {
            return false;
        }
        for at in places.all() {
            self.changes[at].after.subtract(value);
        }
        true
    }

    /// Finds the totals that a slot's events go to: of a sealed window its adjustment. The short windows of a sealed day are
    /// sealed with it, and adjusted with it, so that they add up to it still.
    fn places(&mut self, windows: Windows) -> Places {
        Places {
            short: windows.short.map(|key| self.place(key)),
            day: self.place(windows.day),
            month: windows.month.map(|key| self.place(key)),
        }
    }

    fn place(&mut self, mut key: WindowKey) -> usize {
        if self.state.head.seals(&key) {
            key.part = WindowPart::Adjustment;
        }
        if let Some(at) = self.places.get(&key) {
            return *at;
        }
        let found = self.state.pages.get(&key.page()).and_then(|page| page.get(&key));
        let existed = found.is_some();
        let before = found.unwrap_or_default();
        self.changes.push(Change { key: key.clone(), existed, after: before.clone(), before });
        let at = self.changes.len() - 1;
        self.places.insert(key, at);
        at
    }

    /// What changed: the totals that are stated, the pages, and the days that are new.
    fn changed(self) -> (BTreeMap<WindowKey, Window>, BTreeMap<PageKey, Page>, BTreeSet<Timestamp>) {
        let (mut stated, mut days) = (BTreeMap::new(), BTreeSet::new());
        let mut pages: BTreeMap<PageKey, Page> = BTreeMap::new();
        for Change { key, existed, before, after } in self.changes {
            if before == after {
                continue;
            }
            let window = Window { revision: before.revision + 1, ..after };
            let name = key.page();
            let stored = || self.state.pages.get(&name).cloned().unwrap_or_default();
            pages.entry(name.clone()).or_insert_with(stored).set(&key, window.clone());
            if key.size == WindowSize::Day && key.part == WindowPart::Window && !existed {
                days.extend([key.start, last_day(key.start)]);
            }
            if key.size >= WindowSize::Day {
                stated.insert(key, window);
            }
        }
        (stated, pages, days)
    }
}
