//! Blocked Bloom filters: no false negatives, few false positives, one memory access per key.
//!
//! All bits of a key are in one 64-bit word (Putze, Sanders, Singler: Cache-, Hash- and
//! Space-Efficient Bloom Filters, 2007). The key's high bits choose the word, so that filters, like
//! runs, are in the order of keys: sorted keys walk through memory from one end to the other.
//! Memory access dominates the time of a lookup.

use crate::blocks::Partition;
use crate::key::DedupeKey;

/// The bits of a key in a filter. They are computed once for all filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BloomHash {
    /// The first 64 bits of the key. Their high bits choose the word.
    pub(crate) prefix: u64,
    /// The four bits of the word that the low bits of the prefix choose.
    pub(crate) bits: u64,
}

impl BloomHash {
    /// Computes the hash of a key. An event and its void differ only in the last bit of the key, so
    /// they share a hash.
    pub(crate) fn of(key: DedupeKey) -> Self {
        let prefix = key.prefix();
        let bit = |chosen: u64| 1 << (chosen & 63);
        Self {
            prefix,
            bits: bit(prefix) | bit(prefix >> 6) | bit(prefix >> 12) | bit(prefix >> 18),
        }
    }
}

/// Keys per word of a run's filter: 16 bits per key, 0.5 % false positives.
pub(crate) const RUN_KEYS_PER_WORD: usize = 4;
/// Keys per word of a group's filter: 8 bits per key, 3 % false positives. A false positive only
/// costs a check of the next filters.
pub(crate) const GROUP_KEYS_PER_WORD: usize = 8;

/// Makes the words of a filter over `count` keys.
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

/// Maps a prefix to one of `places` equal parts of the key space, in order.
pub(crate) fn scaled(prefix: u64, places: usize) -> usize {
    let place = (u128::from(prefix) * places as u128) >> 64;
    usize::try_from(place).unwrap_or_default()
}
