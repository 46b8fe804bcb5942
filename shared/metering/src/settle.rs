//! Settling: from stored segments to window totals, each event once.

use crate::{Digest, Entry, Identity, Run, RunId, RunRef, Segment, Window, WindowKey};
use contract::{UsageWindow, UsageWindowUpdated};
use jiff::{SignedDuration, Timestamp};
use kernel::{Invalid, TenantId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// How long an identity is kept after it was last counted.
///
/// A repeated event has the time of the first, and is refused at the edge once that is more than
/// [`crate::TIME_BEHIND_MAX`] ago. The first was counted at most [`crate::TIME_AHEAD_MAX`] before its
/// time. So no repetition outlives its identity as long as segments are settled within the 5 days between.
pub const IDENTITY_KEPT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// The most segments that are settled at once: with their windows, and the three other rows of a settlement,
/// they fit the 100 items of a `DynamoDB` transaction.
pub const SETTLED_SEGMENTS_MAX: usize = 90;

const SETTLED_WINDOWS_MAX: usize = crate::SEGMENT_WINDOWS_MAX;
const SETTLED_ITEMS_MAX: usize = 96;
const SETTLED_EVENTS_MAX: usize = 20_000;

/// How many runs of one tier are merged into the next.
const MERGE_FANOUT: usize = 8;
/// A run of at least so many entries is full: merging it would save nothing.
const FULL_RUN_ENTRIES: u32 = 6_000;
/// The entries that divide the tiers below full.
const TIER_ENTRIES: [u32; 2] = [512, 4_096];

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Counted in a window.
    pub accepted: u64,
    /// Seen before with the same content.
    pub duplicates: u64,
    /// Seen before with other content: the first counts.
    pub conflicts: u64,
    /// Not counted, since the window's total would need more than 38 digits.
    pub overflowed: u64,
}

impl Counted {
    /// All events that were looked at.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.accepted + self.duplicates + self.conflicts + self.overflowed
    }

    /// The counts of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            accepted: self.accepted + other.accepted,
            duplicates: self.duplicates + other.duplicates,
            conflicts: self.conflicts + other.conflicts,
            overflowed: self.overflowed + other.overflowed,
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
    /// The identity index, oldest run first.
    pub runs: Vec<RunRef>,
}

impl Head {
    /// The bytes to store for the list of runs.
    #[must_use]
    pub fn encode_runs(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.runs.len() * RunRef::BYTES);
        for run in &self.runs {
            run.write(&mut bytes);
        }
        bytes
    }

    /// Reads a stored list of runs, or nothing when the bytes are not one.
    #[must_use]
    pub fn decode_runs(bytes: &[u8]) -> Option<Vec<RunRef>> {
        bytes.chunks(RunRef::BYTES).map(RunRef::read).collect()
    }

    /// The runs that still count at a moment.
    pub fn live_runs(&self, now: Timestamp) -> impl Iterator<Item = &RunRef> {
        self.runs.iter().filter(move |run| is_live(run, now))
    }
}

fn is_live(run: &RunRef, now: Timestamp) -> bool {
    now.duration_since(run.newest) <= IDENTITY_KEPT
}

/// What settling starts from.
#[derive(Default)]
pub struct State {
    /// The head.
    pub head: Head,
    /// Every live run that the head names.
    pub runs: BTreeMap<RunId, Arc<Run>>,
    /// The windows that the segments touch, as far as they exist, see [`touched_windows`].
    pub windows: BTreeMap<WindowKey, Window>,
}

/// What settling ends in. All of it is to be written at once, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The new head.
    pub head: Head,
    /// What became of these segments' events.
    pub counted: Counted,
    /// The windows that changed.
    pub windows: BTreeMap<WindowKey, Window>,
    /// The runs that the new head names and the old one did not.
    pub written: Vec<(RunRef, Arc<Run>)>,
    /// The runs that the old head named and the new one does not.
    pub obsolete: Vec<RunId>,
}

impl Settlement {
    /// The fact to publish, unless no window changed.
    ///
    /// # Errors
    /// Never for totals that [`settle`] made.
    pub fn fact(&self, tenant: TenantId) -> Result<Option<UsageWindowUpdated>, Invalid> {
        let window = |(key, window): (&WindowKey, &Window)| {
            Ok(UsageWindow {
                meter: key.meter.clone(),
                start: key.start,
                value: window.value.to_quantity()?,
                events: window.events,
                revision: window.revision,
            })
        };
        let windows = self.windows.iter().map(window).collect::<Result<Vec<_>, _>>()?;
        Ok((!windows.is_empty()).then_some(UsageWindowUpdated { tenant, windows }))
    }
}

/// A run that the head names was not loaded: without it, an event could count twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run {id} of the identity index is missing")]
pub struct MissingRun {
    /// Which run.
    pub id: RunId,
}

/// The windows that segments of one tenant touch.
#[must_use]
pub fn touched_windows(segments: &[Segment]) -> BTreeSet<WindowKey> {
    segments.iter().flat_map(|segment| segment.body.slots()).map(|slot| slot.key.clone()).collect()
}

/// Divides one tenant's segments into groups that are each settled in one transaction.
#[must_use]
pub fn batches(segments: Vec<Segment>) -> Vec<Vec<Segment>> {
    let mut batches: Vec<Vec<Segment>> = Vec::new();
    let mut windows = BTreeSet::new();
    let mut events = 0;
    for segment in segments {
        let keys = || segment.body.slots().iter().map(|slot| &slot.key);
        let windows_then = windows.len() + keys().filter(|key| !windows.contains(*key)).count();
        let segments_then = batches.last().map_or(0, Vec::len) + 1;
        let fits = windows_then <= SETTLED_WINDOWS_MAX
            && segments_then <= SETTLED_SEGMENTS_MAX
            && windows_then + segments_then <= SETTLED_ITEMS_MAX
            && events + segment.body.events().len() <= SETTLED_EVENTS_MAX;
        if !fits {
            windows.clear();
            events = 0;
        }
        windows.extend(keys().cloned());
        events += segment.body.events().len();
        match batches.last_mut() {
            Some(batch) if fits => batch.push(segment),
            _ => batches.push(vec![segment]),
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
/// When a live run of the head is not part of the state.
pub fn settle(state: &State, segments: &[Segment], attempt: Uuid, now: Timestamp) -> Result<Settlement, MissingRun> {
    let run = |run: &RunRef| state.runs.get(&run.id).map(AsRef::as_ref).ok_or(MissingRun { id: run.id });
    let runs: Vec<&Run> = state.head.live_runs(now).map(run).collect::<Result<_, _>>()?;
    let known = known(&runs, segments);
    let mut counting = Counting { new: HashMap::with_capacity(known.len()), ..Counting::default() };
    let mut known = known.into_iter();
    for segment in segments {
        counting.count(state, segment, &mut known);
    }
    let counted = counting.counted;
    let mut index = Index { state, refs: state.head.live_runs(now).copied().collect(), made: BTreeMap::new(), attempt };
    let entries = counting.new.into_iter().map(|(identity, digest)| Entry { identity, digest }).collect();
    index.append(Run::of(entries), now);
    index.merge();
    let kept: BTreeSet<RunId> = index.refs.iter().map(|run| run.id).collect();
    let obsolete = state.head.runs.iter().map(|run| run.id).filter(|id| !kept.contains(id)).collect();
    let written =
        index.refs.iter().filter_map(|run| index.made.get(&run.id).map(|made| (*run, Arc::clone(made)))).collect();
    let windows: BTreeMap<_, _> = counting.windows.into_iter().filter(|(_, window)| window.changed()).collect();
    let head = Head {
        version: state.head.version + 1,
        sequence: state.head.sequence + u64::from(!windows.is_empty()),
        counted: state.head.counted.plus(counted),
        runs: index.refs,
    };
    let windows = windows.into_iter().map(|(key, window)| (key, window.revised())).collect();
    Ok(Settlement { head, counted, windows, written, obsolete })
}

/// What the index says of each event, in the order of the segments. One run after the other, so that the
/// filter of a run stays near the processor while all events are looked up in it.
fn known(runs: &[&Run], segments: &[Segment]) -> Vec<Option<Digest>> {
    let events = || segments.iter().flat_map(|segment| segment.body.events());
    let mut known = vec![None; events().count()];
    for run in runs {
        for (digest, event) in known.iter_mut().zip(events()) {
            *digest = digest.or_else(|| run.find(event.entry.identity));
        }
    }
    known
}

/// A window before and after.
#[derive(Default)]
struct Change {
    before: Window,
    after: Window,
}

impl Change {
    fn changed(&self) -> bool {
        self.before != self.after
    }

    fn revised(self) -> Window {
        Window { revision: self.before.revision + 1, ..self.after }
    }
}

#[derive(Default)]
struct Counting {
    new: HashMap<Identity, Digest>,
    windows: BTreeMap<WindowKey, Change>,
    counted: Counted,
}

impl Counting {
    fn count(&mut self, state: &State, segment: &Segment, known: &mut impl Iterator<Item = Option<Digest>>) {
        let mut changes: Vec<Change> = segment.body.slots().iter().map(|slot| self.open(state, &slot.key)).collect();
        for (event, known) in segment.body.events().iter().zip(known) {
            let identity = event.entry.identity;
            match known.or_else(|| self.new.get(&identity).copied()) {
                Some(digest) if digest == event.entry.digest => self.counted.duplicates += 1,
                Some(_) => self.counted.conflicts += 1,
                None => {
                    let slot = usize::from(event.slot);
                    let aggregation = segment.body.slots()[slot].aggregation;
                    if changes[slot].after.add(aggregation, event.value) {
                        self.new.insert(identity, event.entry.digest);
                        self.counted.accepted += 1;
                    } else {
                        self.counted.overflowed += 1;
                    }
                }
            }
        }
        for (slot, change) in segment.body.slots().iter().zip(changes) {
            self.windows.insert(slot.key.clone(), change);
        }
    }

    /// Takes a window out to be changed.
    fn open(&mut self, state: &State, key: &WindowKey) -> Change {
        self.windows.remove(key).unwrap_or_else(|| {
            let before = state.windows.get(key).copied().unwrap_or_default();
            Change { before, after: before }
        })
    }
}

/// The identity index as it will be.
struct Index<'s> {
    state: &'s State,
    refs: Vec<RunRef>,
    made: BTreeMap<RunId, Arc<Run>>,
    attempt: Uuid,
}

impl Index<'_> {
    fn append(&mut self, runs: Vec<Run>, newest: Timestamp) {
        for run in runs {
            let ordinal = u16::try_from(self.made.len()).unwrap_or(u16::MAX);
            let id = RunId { attempt: self.attempt, ordinal };
            let entries = u32::try_from(run.len()).unwrap_or(u32::MAX);
            self.refs.push(RunRef { id, entries, newest });
            self.made.insert(id, Arc::new(run));
        }
    }

    /// Merges tiers that have grown full, the lowest first, until none has.
    fn merge(&mut self) {
        for tier in 0..=TIER_ENTRIES.len() {
            let of_tier = |run: &RunRef| tier_of(run) == Some(tier);
            if self.refs.iter().filter(|run| of_tier(run)).count() < MERGE_FANOUT {
                continue;
            }
            let merged: Vec<RunRef> = self.refs.extract_if(.., |run| of_tier(run)).collect();
            let newest = merged.iter().map(|run| run.newest).max().unwrap_or_default();
            let contents =
                merged.iter().filter_map(|run| self.made.get(&run.id).or_else(|| self.state.runs.get(&run.id)));
            let runs = Run::merge(contents.map(AsRef::as_ref));
            self.append(runs, newest);
        }
    }
}

fn tier_of(run: &RunRef) -> Option<usize> {
    let is_full = run.entries >= FULL_RUN_ENTRIES;
    (!is_full).then(|| TIER_ENTRIES.iter().filter(|least| run.entries >= **least).count())
}
