//! Sorted runs: the immutable parts of an index.

use crate::blocks::Partition;
use crate::bloom::{BloomHash, RUN_KEYS_PER_WORD, filter_words, scaled};
use crate::key::{ContentHash, DedupeKey, Entry};
use std::fmt;

/// The content hashes that an index holds for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The content of the event that was counted.
    pub counted: Option<ContentHash>,
    /// The content in the event's void. The void may have arrived before the event.
    pub voided: Option<ContentHash>,
}

impl Known {
    /// Combines two results. Where both have a hash, that of `self` wins.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            counted: self.counted.or(other.counted),
            voided: self.voided.or(other.voided),
        }
    }
}

/// Sorted entries, each key once, with a Bloom filter that stops most lookups of absent keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SortedRun {
    entries: Vec<Entry>,
    filter: Vec<u64>,
    partition: Partition,
}

impl SortedRun {
    /// The most entries of a run: 384 kB, below the 400 kB limit of a `DynamoDB` item.
    pub const ENTRIES_MAX: usize = 24_000;

    /// Makes a run of entries in any order. No key may repeat.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self::of_sorted(entries, Partition::WHOLE)
    }

    /// Merges runs without common keys into the fewest runs that fit an item each, all of about the
    /// same size.
    pub(crate) fn merge<'r>(runs: impl Iterator<Item = &'r Self>) -> Vec<Self> {
        // The stable sort detects sorted stretches and merges them, so this is a k-way merge.
        let mut entries: Vec<Entry> = runs.flat_map(|run| run.entries.iter().copied()).collect();
        entries.sort();
        let count = entries.len().div_ceil(Self::ENTRIES_MAX).max(1);
        let size = entries.len().div_ceil(count).max(1);
        entries
            .chunks(size)
            .map(|chunk| Self::of_sorted(chunk.to_vec(), Partition::WHOLE))
            .collect()
    }

    /// Makes a run, or a block of one, of sorted entries.
    pub(crate) fn of_sorted(entries: Vec<Entry>, partition: Partition) -> Self {
        let keys = entries.iter().map(|entry| entry.key);
        let filter = filter_words(keys, entries.len(), RUN_KEYS_PER_WORD, partition);
        Self {
            entries,
            filter,
            partition,
        }
    }

    /// The partition of the filter and of searches.
    pub(crate) const fn partition(&self) -> Partition {
        self.partition
    }

    /// The sorted entries.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the run has no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The size in memory, in bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.entries.len() * Entry::BYTES + self.filter.len() * size_of::<u64>()
    }

    /// Whether the run may hold a key. There are false positives, but no false negatives.
    pub(crate) fn may_hold(&self, BloomHash { prefix, bits }: BloomHash) -> bool {
        self.filter[scaled(self.partition.within(prefix), self.filter.len())] & bits == bits
    }

    /// Finds the entries of an event and its void, which are neighbours.
    #[must_use]
    pub fn find(&self, key: DedupeKey) -> Known {
        let (event, void) = (key.event(), key.void());
        let mut next = self.entries[self.first_from(event)..].iter().peekable();
        let counted = next
            .next_if(|entry| entry.key == event)
            .map(|entry| entry.content);
        let voided = next
            .next_if(|entry| entry.key == void)
            .map(|entry| entry.content);
        Known { counted, voided }
    }

    /// The position of the first entry at or after a key (interpolation search). Keys are uniform,
    /// so the guess is seldom off by more than the square root of the number of entries. Other
    /// distributions take a few more steps.
    fn first_from(&self, key: DedupeKey) -> usize {
        let count = self.entries.len();
        let is_before = |entry: &Entry| entry.key < key;
        let guess = scaled(self.partition.within(key.prefix()), count);
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

    /// The stored bytes: the entries in their order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * Entry::BYTES);
        for entry in &self.entries {
            entry.write(&mut bytes);
        }
        bytes
    }

    /// Decodes a stored run. Returns nothing when the bytes are not sorted entries.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_part(bytes, Partition::WHOLE)
    }

    /// Decodes a stored block of a run.
    pub(crate) fn decode_part(bytes: &[u8], partition: Partition) -> Option<Self> {
        let entries: Vec<Entry> = bytes
            .chunks(Entry::BYTES)
            .map(Entry::read)
            .collect::<Option<_>>()?;
        let sorted = entries.windows(2).all(|pair| pair[0].key < pair[1].key);
        sorted.then(|| Self::of_sorted(entries, partition))
    }
}

impl fmt::Debug for SortedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortedRun({} entries)", self.len())
    }
}
