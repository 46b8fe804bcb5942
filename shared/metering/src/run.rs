//! The identity index: immutable sorted runs of entries, merged as they grow.

use crate::filter::{Filter, scaled};
use crate::{Digest, Entry, Identity};
use jiff::Timestamp;
use kernel::SegmentId;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Which run. Never reused: two attempts to settle write two runs, and a head names the one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The attempt that wrote it.
    pub attempt: Uuid,
    /// Which of that attempt's runs.
    pub ordinal: u16,
}

impl RunId {
    const SEGMENT: u16 = u16::MAX;

    /// The run that a segment is by itself, when each of its events counted.
    #[must_use]
    pub const fn of_segment(segment: SegmentId) -> Self {
        Self { attempt: *segment.as_uuid(), ordinal: Self::SEGMENT }
    }

    /// The segment that the run is, unless it is stored as a run.
    #[must_use]
    pub fn segment(self) -> Option<SegmentId> {
        (self.ordinal == Self::SEGMENT).then(|| SegmentId::from_uuid(self.attempt))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attempt.hyphenated(), self.ordinal)
    }
}

impl FromStr for RunId {
    type Err = kernel::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (attempt, ordinal) = text.split_once('.')?;
            Some(Self { attempt: Uuid::try_parse(attempt).ok()?, ordinal: ordinal.parse().ok()? })
        };
        parse().ok_or(kernel::Invalid { kind: "run id", rule: "a UUID, a point and a number" })
    }
}

/// A run as a head names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRef {
    /// Which run.
    pub id: RunId,
    /// How many entries it has.
    pub entries: u32,
    /// When its newest entry was counted, to the second.
    pub newest: Timestamp,
}

impl RunRef {
    /// How many bytes a stored reference has.
    pub(crate) const BYTES: usize = 16 + 2 + 4 + 8;

    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.id.attempt.as_bytes());
        to.extend_from_slice(&self.id.ordinal.to_be_bytes());
        to.extend_from_slice(&self.entries.to_be_bytes());
        to.extend_from_slice(&self.newest.as_second().to_be_bytes());
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (attempt, rest) = bytes.split_first_chunk::<16>()?;
        let (ordinal, rest) = rest.split_first_chunk()?;
        let (entries, rest) = rest.split_first_chunk()?;
        let newest = i64::from_be_bytes(*rest.first_chunk()?);
        Some(Self {
            id: RunId { attempt: Uuid::from_bytes(*attempt), ordinal: u16::from_be_bytes(*ordinal) },
            entries: u32::from_be_bytes(*entries),
            newest: Timestamp::from_second(newest).ok()?,
        })
    }
}

/// What an index says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// What it said when it was counted.
    pub counted: Option<Digest>,
    /// What it is to have said when it was taken back.
    pub voided: Option<Digest>,
}

impl Known {
    pub(crate) fn or(self, other: Self) -> Self {
        Self { counted: self.counted.or(other.counted), voided: self.voided.or(other.voided) }
    }
}

/// A sorted run of entries, with a filter that answers most look-ups of what is not in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    entries: Vec<Entry>,
    filter: Filter,
}

impl Run {
    /// The most entries of a run: 384 kB, below the 400 kB of a `DynamoDB` item.
    pub const ENTRIES_MAX: usize = 24_000;

    /// Makes one run of entries in any order, each identity once.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self::of_sorted(entries)
    }

    /// Merges runs that have no identity in common, into as few of the same size as can be stored.
    pub(crate) fn merge<'r>(runs: impl Iterator<Item = &'r Self>) -> Vec<Self> {
        // The sort finds the sorted stretches and merges them.
        let mut entries: Vec<Entry> = runs.flat_map(|run| run.entries.iter().copied()).collect();
        entries.sort();
        let count = entries.len().div_ceil(Self::ENTRIES_MAX).max(1);
        let size = entries.len().div_ceil(count).max(1);
        entries.chunks(size).map(|chunk| Self::of_sorted(chunk.to_vec())).collect()
    }

    fn of_sorted(entries: Vec<Entry>) -> Self {
        let identities = entries.iter().map(|entry| entry.identity);
        let filter = Filter::of(identities, entries.len(), Filter::RUN_SHARE);
        Self { entries, filter }
    }

    /// Whom it has entries of.
    pub(crate) fn identities(&self) -> impl Iterator<Item = Identity> {
        self.entries.iter().map(|entry| entry.identity)
    }

    /// How many entries it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory it takes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.entries.len() * Entry::BYTES + self.filter.memory_bytes()
    }

    /// The marks of its entries.
    pub(crate) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What is known of an event. What takes an event back is next to it.
    #[must_use]
    pub fn find(&self, identity: Identity) -> Known {
        let (event, void) = (identity.event(), identity.void());
        let mut next = self.entries[self.first_from(event)..].iter().peekable();
        let counted = next.next_if(|entry| entry.identity == event).map(|entry| entry.digest);
        let voided = next.next_if(|entry| entry.identity == void).map(|entry| entry.digest);
        Known { counted, voided }
    }

    /// The place of the first entry that is not before an identity. Identities are uniform, so it can be guessed, and is
    /// seldom further away than the root of how many there are; a run that is not uniform has a few more steps.
    fn first_from(&self, identity: Identity) -> usize {
        let count = self.entries.len();
        let is_before = |entry: &Entry| entry.identity < identity;
        let guess = scaled(identity.prefix(), count);
        let mut around = count.isqrt();
        loop {
            let (low, high) = (guess.saturating_sub(around), count.min(guess + around));
            let is_low = low == 0 || is_before(&self.entries[low - 1]);
            if is_low && self.entries.get(high).is_none_or(|entry| !is_before(entry)) {
                return low + self.entries[low..high].partition_point(is_before);
            }
            around *= 4;
        }
    }

    /// The bytes to store: the entries one after the other.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * Entry::BYTES);
        for entry in &self.entries {
            entry.write(&mut bytes);
        }
        bytes
    }

    /// Reads a stored run, or nothing when the bytes are not sorted entries.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let entries: Vec<Entry> = bytes.chunks(Entry::BYTES).map(Entry::read).collect::<Option<_>>()?;
        let sorted = entries.windows(2).all(|pair| pair[0].identity < pair[1].identity);
        sorted.then(|| Self::of_sorted(entries))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} entries)", self.len())
    }
}
