//! Where the rollup of a tenant's usage stands.

use crate::WindowKey;
use dedupe::{Manifest, RunMeta};
use jiff::{SignedDuration, Timestamp};
use kernel::Generation;

/// How long the key of an event is kept after the event was counted.
///
/// A resent event has the time of the first, and is refused at the edge once that is more than
/// [`crate::TIME_BEHIND_MAX`] ago. The first was counted at most [`crate::TIME_AHEAD_MAX`] before
/// its time. So no event that is resent outlives its key as long as segments are rolled up within
/// the 5 days between.
pub const EVENT_KEYS_KEPT: SignedDuration = SignedDuration::from_hours(40 * 24);

/// How long the key of a distinct value is kept: the longest billing period, and 40 days in which
/// its events may come late.
pub const DISTINCT_VALUES_KEPT: SignedDuration = SignedDuration::from_hours((31 + 40) * 24);

/// What became of events in rollups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Counted in their windows.
    pub accepted: u64,
    /// Seen before with the same content.
    pub duplicates: u64,
    /// Seen before with other content: the first counts.
    pub conflicts: u64,
    /// Taken back by a correction.
    pub voided: u64,
    /// Voids of events with other content or of a meter that cannot subtract, and the replacements
    /// that came with them.
    pub unmatched: u64,
    /// Voids that were not made because the id of the replacement is used already, and these
    /// replacements.
    pub replacement_used: u64,
}

impl Counted {
    /// All events that were looked at.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.accepted
            + self.duplicates
            + self.conflicts
            + self.voided
            + self.unmatched
            + self.replacement_used
    }

    /// What was counted after `before`.
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

/// Where the rollup of a tenant's usage stands. Each rollup replaces it under the condition of its
/// generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The optimistic lock: one higher with every replacement.
    pub generation: Generation,
    /// The number of the last event in the tenant's usage stream.
    pub sequence: u64,
    /// What became of all events so far.
    pub counted: Counted,
    /// The index of the events that were counted.
    pub events: Manifest,
    /// The index of the distinct values that were counted.
    pub distinct_values: Manifest,
    /// Days that end by then are sealed.
    pub sealed_until: Option<Timestamp>,
}

impl Checkpoint {
    /// The runs of both indexes, those that have expired included.
    pub fn runs(&self) -> impl Iterator<Item = &RunMeta> {
        self.events.runs.iter().chain(&self.distinct_values.runs)
    }

    /// The runs of both indexes that are live.
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
