//! The checkpoint of a tenant's rollups.

use crate::window::WindowKey;
use dedupe::{Manifest, RunMeta};
use jiff::{SignedDuration, Timestamp};
use kernel::Generation;

/// How long the key of an event is kept after the event was counted: 40 days.
///
/// A resent event has the time of the original, and is refused at the edge once that time is more
/// than [`crate::TIME_BEHIND_MAX`] ago. The original was counted at most [`crate::TIME_AHEAD_MAX`]
/// before its time. So no resent event outlives its key as long as segments are rolled up within
/// the 5 days between.
pub const EVENT_KEYS_KEPT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// How long the key of a distinct value is kept: the longest billing period of 31 days, and the 40
/// days of event keys, since its events may arrive late.
pub const DISTINCT_VALUES_KEPT: SignedDuration = SignedDuration::from_hours((31 + 40) * 24);

/// The numbers of events by the result of their rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Events that counted in their windows, or had been taken back before they arrived.
    pub accepted: u64,
    /// Repetitions with the same content.
    pub duplicates: u64,
    /// Repetitions with other content. The first event counts.
    pub conflicts: u64,
    /// Voids that took an event back.
    pub voided: u64,
    /// Voids of events with other content or of a meter that cannot subtract, and their
    /// replacements.
    pub unmatched: u64,
    /// Voids that were dropped because the id of the replacement is already used, and their
    /// replacements.
    pub replacement_used: u64,
}

impl Counted {
    /// The number of all events.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.accepted
            + self.duplicates
            + self.conflicts
            + self.voided
            + self.unmatched
            + self.replacement_used
    }

    /// The counts since `before`.
    #[must_use]
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            accepted: self.accepted - before.accepted,
            duplicates: self.duplicates - before.duplicates,
            conflicts: self.conflicts - before.conflicts,
            voided: self.voided - before.voided,
            unmatched: self.unmatched - before.unmatched,
            replacement_used: self.replacement_used - before.replacement_used,
        }
    }

    /// The sum of both counts.
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

/// The checkpoint of a tenant's rollups. Each rollup replaces it on condition of its generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The optimistic lock: one higher with every replacement.
    pub generation: Generation,
    /// The number of the last event in the tenant's usage stream.
    pub sequence: u64,
    /// The counts of all events so far.
    pub counted: Counted,
    /// The index of the events that were counted.
    pub events: Manifest,
    /// The index of the distinct values that were counted.
    pub distinct_values: Manifest,
    /// The end of the last sealed day.
    pub sealed_until: Option<Timestamp>,
}

impl Checkpoint {
    /// The sorted runs of both indexes, including expired ones.
    pub fn runs(&self) -> impl Iterator<Item = &RunMeta> {
        self.events.runs.iter().chain(&self.distinct_values.runs)
    }

    /// The sorted runs of both indexes that have not expired.
    pub fn live_runs(&self, now: Timestamp) -> impl Iterator<Item = RunMeta> {
        self.events
            .live(now, EVENT_KEYS_KEPT)
            .chain(self.distinct_values.live(now, DISTINCT_VALUES_KEPT))
    }

    /// Whether a window is sealed.
    pub(crate) fn seals(&self, window: &WindowKey) -> bool {
        self.sealed_until
            .is_some_and(|until| window.size.end(window.start) <= until)
    }
}
