//! Blocked Bloom filters: no false negatives, few false positives, one memory access for a key.
//!
//! All bits of a key are in one 64-bit word (Putze, Sanders, Singler: Cache-, Hash- and
//! Space-Efficient Bloom Filters, 2007). The word is chosen by the key's high bits, so that
//! filters, like runs, are in the order of the keys: sorted keys walk through memory from one end
//! to the other, and memory access is what a lookup waits for.

use crate::DedupeKey;
use crate::blocks::Partition;

/// What a filter is asked about a key. Computed once for all filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BloomHash {
    /// The first 64 bits of the key. Their high bits choose the word.
    pub(crate) prefix: u64,
    /// The four bits of the word that the low bits of the prefix choose.
    pub(crate) bits: u64,
}

impl BloomHash {
    /// The hash of a key. An event and its void differ in the last bit of the key only, so they
    /// share a hash.
    pub(crate) fn of(key: DedupeKey) -> Self {
        let prefix = key.prefix();
        let bit = |chosen: u64| 1 << (chosen & 63);
        Self {
            prefix,
            bits: bit(prefix) | bit(prefix >> 6) | bit(prefix >> 12) | bit(prefix >> 18),
        }
    }
}

/// Keys for each word of a run's filter: 0.5 % false positives (16 bits a key).
pub(crate) const RUN_KEYS_PER_WORD: usize = 4;
/// Keys for each word of a group's filter: 3 % false positives (8 bits a key). A false positive
/// there costs a look at the next filters only.
pub(crate) const GROUP_KEYS_PER_WORD: usize = 8;

/// The words of a filter over so many keys.
pub(crate) fn filter_words(
    keys: impl Iterator<Item = DedupeKey>,
    count: usize,
    keys_per_word: usize,
    partition: Partition,
) -> Vec<u64> {
    let mut words = vec![0; count / keys_per_word + 1];
    let places = words.len();
    for BloomHash { prefix, bits } in keys.map(BloomHash::of) {
        words[scaled(partition.within(prefix), places)] |= bits;
    }
    words
}

/// The place of a prefix among so many, when all prefixes are divided evenly among them in their
/// order.
pub(crate) fn scaled(prefix: u64, places: usize) -> usize {
    let place = (u128::from(prefix) * places as u128) >> 64;
    usize::try_from(place).unwrap_or_default()
}
