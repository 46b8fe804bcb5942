//! Filters: most look-ups of what is not there end here.

use crate::Identity;
use crate::blocks::Spread;

/// What filters are asked about an identity, worked out once for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The beginning of the identity, whose order is that of runs: its high bits choose a word.
    pub(crate) prefix: u64,
    /// The bits of that word which its low bits choose.
    pub(crate) bits: u64,
}

impl Mark {
    /// The mark of an identity. An event and what takes it back differ in the last bit, and have one mark.
    pub(crate) fn of(identity: Identity) -> Self {
        let prefix = identity.prefix();
        let bit = |chosen: u64| 1 << (chosen & 63);
        Self { prefix, bits: bit(prefix) | bit(prefix >> 6) | bit(prefix >> 12) | bit(prefix >> 18) }
    }
}

/// How many entries share a word of a run's filter: one in two hundred others is marked.
pub(crate) const RUN_SHARE: usize = 4;
/// How many share one of a group's, which leads to further filters only: one in thirty others is marked.
pub(crate) const GROUP_SHARE: usize = 8;

/// Marks identities in words, of which so many share one. What is not marked was not added; of what was not added, some is
/// marked all the same.
///
/// Words are in the order of the identities, so that marks in this order walk through memory from one end to the other:
/// memory is what look-ups wait for.
pub(crate) fn words(
    identities: impl Iterator<Item = Identity>,
    count: usize,
    share: usize,
    spread: Spread,
) -> Vec<u64> {
    let mut words = vec![0; count / share + 1];
    let places = words.len();
    for Mark { prefix, bits } in identities.map(Mark::of) {
        words[scaled(spread.within(prefix), places)] |= bits;
    }
    words
}

/// Which of so many places is a prefix's, when all prefixes are spread over them in their order.
pub(crate) fn scaled(prefix: u64, places: usize) -> usize {
    let place = (u128::from(prefix) * places as u128) >> 64;
    usize::try_from(place).unwrap_or_default()
}
