//! The identity index: immutable sorted runs of entries, merged as they grow.

use crate::blocks::Spread;
use crate::filter::{Mark, RUN_SHARE, scaled, words};
use crate::{Digest, Entry, GROUP_LEVELS, Identity};
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
            let id = Self { attempt: kernel::canonical_uuid(attempt)?, ordinal: ordinal.parse().ok()? };
            (id.to_string() == text).then_some(id)
        };
        parse().ok_or(kernel::Invalid { kind: "run id", rule: "a lower-case hyphenated UUID, a point and a number" })
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
    /// How it is stored in blocks; nothing where it is one item.
    pub blocks: Option<Blocks>,
}

/// What a reference says of a run in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocks {
    /// The number of the list that names it.
    pub list: u32,
    /// How many words the stored filters of the groups have that end with it, by level; 0 where there is none.
    pub filter_words: [u32; GROUP_LEVELS],
}

impl RunRef {
    /// The bytes to store: the attempt (16) and the run's place in it (2), how many entries it has (4), the second of the
    /// newest (8). Of one in blocks then which levels of groups have a filter, as the bits of a number (1), and the words of each
    /// (4).
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.id.attempt.as_bytes());
        to.extend_from_slice(&self.id.ordinal.to_be_bytes());
        to.extend_from_slice(&self.entries.to_be_bytes());
        to.extend_from_slice(&self.newest.as_second().to_be_bytes());
        if let Some(Blocks { filter_words, .. }) = self.blocks {
            let there = || filter_words.iter().enumerate().filter(|(_, words)| **words > 0);
            to.push(there().fold(0, |bits, (level, _)| bits | (1 << level)));
            there().for_each(|(_, words)| to.extend_from_slice(&words.to_be_bytes()));
        }
    }

    /// Reads a stored reference, of a list of runs in blocks or else of one that names none; what follows it comes back.
    pub(crate) fn read(bytes: &[u8], list: Option<u32>) -> Option<(Self, &[u8])> {
        let (attempt, rest) = bytes.split_first_chunk::<16>()?;
        let (ordinal, rest) = rest.split_first_chunk()?;
        let (entries, rest) = rest.split_first_chunk()?;
        let (newest, mut rest) = rest.split_first_chunk()?;
        let mut blocks = None;
        if let Some(list) = list {
            let (bits, behind) = rest.split_first()?;
            rest = behind;
            let mut filter_words = [0; GROUP_LEVELS];
            for (level, words) in filter_words.iter_mut().enumerate() {
                if bits & (1 << level) != 0 {
                    let (stored, behind) = rest.split_first_chunk()?;
                    *words = u32::from_be_bytes(*stored);
                    rest = behind;
                }
            }
            blocks = Some(Blocks { list, filter_words });
        }
        let read = Self {
            id: RunId { attempt: Uuid::from_bytes(*attempt), ordinal: u16::from_be_bytes(*ordinal) },
            entries: u32::from_be_bytes(*entries),
            newest: Timestamp::from_second(i64::from_be_bytes(*newest)).ok()?,
            blocks,
        };
        Some((read, rest))
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
    filter: Vec<u64>,
    spread: Spread,
}

impl Run {
    /// The most entries of a run: 384 kB, below the 400 kB of a `DynamoDB` item.
    pub const ENTRIES_MAX: usize = 24_000;

    /// Makes one run of entries in any order, each identity once.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self::of_sorted(entries, Spread::WHOLE)
    }

    /// Merges runs that have no identity in common, into as few of the same size as can be stored.
    pub(crate) fn merge<'r>(runs: impl Iterator<Item = &'r Self>) -> Vec<Self> {
        // The sort finds the sorted stretches and merges them.
        let mut entries: Vec<Entry> = runs.flat_map(|run| run.entries.iter().copied()).collect();
        entries.sort();
        let count = entries.len().div_ceil(Self::ENTRIES_MAX).max(1);
        let size = entries.len().div_ceil(count).max(1);
        entries.chunks(size).map(|chunk| Self::of_sorted(chunk.to_vec(), Spread::WHOLE)).collect()
    }

    /// Makes one run, or a block of one, of sorted entries.
    pub(crate) fn of_sorted(entries: Vec<Entry>, spread: Spread) -> Self {
        let identities = entries.iter().map(|entry| entry.identity);
        let filter = words(identities, entries.len(), RUN_SHARE, spread);
        Self { entries, filter, spread }
    }

    /// Its entries, sorted.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
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
        self.entries.len() * Entry::BYTES + self.filter.len() * size_of::<u64>()
    }

    /// Whether it may have an entry with a mark.
    pub(crate) fn may_hold(&self, Mark { prefix, bits }: Mark) -> bool {
        self.filter[scaled(self.spread.within(prefix), self.filter.len())] & bits == bits
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
        let guess = scaled(self.spread.within(identity.prefix()), count);
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
        Self::decode_part(bytes, Spread::WHOLE)
    }

    /// The same of a block.
    pub(crate) fn decode_part(bytes: &[u8], spread: Spread) -> Option<Self> {
        let entries: Vec<Entry> = bytes.chunks(Entry::BYTES).map(Entry::read).collect::<Option<_>>()?;
        let sorted = entries.windows(2).all(|pair| pair[0].identity < pair[1].identity);
        sorted.then(|| Self::of_sorted(entries, spread))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} entries)", self.len())
    }
}
