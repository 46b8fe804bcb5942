//! Runs and filters in blocks: what a look-up reads of an index that is not in memory.
//!
//! A full run is cut into blocks of some 4 kB by the first bits of the identities, and so is the filter over a group of runs:
//! a look-up reads the one block that the identity is in, and no more.

use crate::filter::{Mark, scaled};
use crate::{Entry, Run};
use std::sync::Arc;

/// How many entries a block has on the whole. Few have so many more that they take more than 4 kB.
const BLOCK_ENTRIES: usize = 224;
/// How many words of a filter a block has: 4 kB, less what an item takes beside them.
const BLOCK_WORDS: usize = 480;

/// How identities that begin alike are spread over blocks, and within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    blocks: u64,
}

impl Spread {
    /// All identities in one block.
    pub(crate) const WHOLE: Self = Self { blocks: 1 };

    fn of(entries: usize) -> Self {
        Self { blocks: (entries as u64).div_ceil(BLOCK_ENTRIES as u64).max(1) }
    }

    /// The block of a prefix.
    fn block(self, prefix: u64) -> usize {
        scaled(prefix, usize::try_from(self.blocks).unwrap_or(1))
    }

    /// Where in its block a prefix is, uniform over all that a number can be.
    pub(crate) const fn within(self, prefix: u64) -> u64 {
        prefix.wrapping_mul(self.blocks)
    }
}

/// A run in blocks, as far as they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRun {
    spread: Spread,
    blocks: Vec<Option<Arc<Run>>>,
}

impl BlockRun {
    /// A run of so many entries, of which no block is there.
    #[must_use]
    pub fn empty(entries: u32) -> Self {
        let spread = Spread::of(entries as usize);
        Self { spread, blocks: vec![None; usize::try_from(spread.blocks).unwrap_or_default()] }
    }

    /// Cuts a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let spread = Spread::of(run.len());
        let mut rest = run.entries();
        let cut = |block| {
            let end = rest.partition_point(|entry| spread.block(entry.identity.prefix()) <= block);
            let (these, others) = rest.split_at(end);
            rest = others;
            Some(Arc::new(Run::of_sorted(these.to_vec(), spread)))
        };
        Self { spread, blocks: (0..usize::try_from(spread.blocks).unwrap_or_default()).map(cut).collect() }
    }

    /// The blocks that are there.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, &Arc<Run>)> {
        (0..).zip(&self.blocks).filter_map(|(block, run)| Some((block, run.as_ref()?)))
    }

    /// The blocks that are not there.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = u16> {
        (0..).zip(&self.blocks).filter(|(_, run)| run.is_none()).map(|(block, _)| block)
    }

    /// The block of a prefix, and what is there of it.
    pub(crate) fn at(&self, prefix: u64) -> (u16, Option<&Run>) {
        let block = self.spread.block(prefix);
        (u16::try_from(block).unwrap_or(u16::MAX), self.blocks.get(block).and_then(Option::as_deref))
    }

    /// Reads a stored block, or says no when the bytes are none of it.
    pub fn fill(&mut self, block: u16, bytes: &[u8]) -> bool {
        let is_own = |entry: &Entry| self.spread.block(entry.identity.prefix()) == usize::from(block);
        let run = Run::decode_part(bytes, self.spread).filter(|run| run.entries().iter().all(is_own));
        match (self.blocks.get_mut(usize::from(block)), run) {
            (Some(place), Some(run)) => {
                *place = Some(Arc::new(run));
                true
            }
            _ => false,
        }
    }

    /// Takes over a block of the same run, without reading it anew.
    #[cfg(test)]
    pub(crate) fn take(&mut self, block: u16, of: &Self) {
        self.blocks[usize::from(block)].clone_from(&of.blocks[usize::from(block)]);
    }

    /// How much memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let there = self.blocks.iter().flatten();
        let there = there.map(|run| run.memory_bytes() + size_of::<Run>() + 2 * size_of::<usize>());
        there.sum::<usize>() + self.blocks.len() * size_of::<usize>()
    }
}

/// A filter in blocks, as far as they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFilter {
    words: usize,
    blocks: Vec<Option<Arc<[u64]>>>,
}

impl BlockFilter {
    /// A filter of so many words, of which no block is there.
    #[must_use]
    pub fn empty(words: u32) -> Self {
        let words = words as usize;
        Self { words, blocks: vec![None; words.div_ceil(BLOCK_WORDS)] }
    }

    /// Cuts a filter.
    pub(crate) fn of(words: &[u64]) -> Self {
        let blocks = words.chunks(BLOCK_WORDS).map(|block| Some(Arc::from(block))).collect();
        Self { words: words.len(), blocks }
    }

    /// How many words it has.
    pub(crate) const fn words(&self) -> usize {
        self.words
    }

    /// Whether an identity may have been added; which block says so, if it is not there.
    pub(crate) fn may_hold(&self, Mark { prefix, bits }: Mark) -> Result<bool, u16> {
        let place = scaled(prefix, self.words);
        let (block, word) = (place / BLOCK_WORDS, place % BLOCK_WORDS);
        match self.blocks.get(block).and_then(Option::as_ref) {
            Some(words) => Ok(words[word] & bits == bits),
            None => Err(u16::try_from(block).unwrap_or(u16::MAX)),
        }
    }

    /// The blocks that are there, with the bytes to store.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        let blocks = (0..).zip(&self.blocks).filter_map(|(block, words)| Some((block, words.as_ref()?)));
        blocks.map(|(block, words)| (block, words.iter().flat_map(|word| word.to_be_bytes()).collect()))
    }

    /// Reads a stored block, or says no when the bytes are none of it.
    pub fn fill(&mut self, block: u16, bytes: &[u8]) -> bool {
        let first = usize::from(block) * BLOCK_WORDS;
        let count = self.words.saturating_sub(first).min(BLOCK_WORDS);
        let (words, rest) = bytes.as_chunks::<8>();
        let Some(place) = self.blocks.get_mut(usize::from(block)) else { return false };
        if words.len() != count || !rest.is_empty() {
            return false;
        }
        *place = Some(words.iter().map(|word| u64::from_be_bytes(*word)).collect());
        true
    }

    /// How much memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let there: usize = self.blocks.iter().flatten().map(|words| words.len() * 8 + 4 * size_of::<usize>()).sum();
        there + self.blocks.len() * size_of::<usize>()
    }
}
