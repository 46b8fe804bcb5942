//! Filters: most look-ups of what is not there end here.

use crate::Identity;

/// Marks of identities. What is not marked was not added; of what was not added, some is marked all the same.
///
/// A power of two of words. The last bytes of an identity choose its word and two bits of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Vec<u64>);

impl Filter {
    /// An empty filter for so many entries, a word for two to four of them: one in a hundred others is marked.
    pub(crate) fn dense(entries: usize) -> Self {
        Self(vec![0; (entries / 4).next_power_of_two()])
    }

    /// An empty filter for so many entries, a word for four to eight of them: one in thirty others is marked.
    pub(crate) fn sparse(entries: usize) -> Self {
        Self(vec![0; (entries / 8).next_power_of_two()])
    }

    /// Which word an identity sets bits of, and which bits.
    fn mark(&self, identity: Identity) -> (usize, u64) {
        // An event and what takes it back differ in the last bit, and have one mark.
        let chosen = (identity.number() >> 1) as u64;
        let word = usize::try_from(chosen >> 12).unwrap_or_default() & (self.0.len() - 1);
        (word, (1 << (chosen & 63)) | (1 << ((chosen >> 6) & 63)))
    }

    pub(crate) fn add(&mut self, identity: Identity) {
        let (word, bits) = self.mark(identity);
        self.0[word] |= bits;
    }

    pub(crate) fn may_hold(&self, identity: Identity) -> bool {
        let (word, bits) = self.mark(identity);
        self.0[word] & bits == bits
    }

    pub(crate) const fn memory_bytes(&self) -> usize {
        self.0.len() * 8
    }
}
