//! Runs and filters in blocks, so that a lookup reads a small part of an index that is not in
//! memory.
//!
//! A full run is partitioned into blocks of about 4 kB by the first bits of its keys, and so is the
//! Bloom filter of a group of runs. A lookup reads the block of its key. 4 kB is one read unit of
//! `DynamoDB`.

use crate::bloom::{BloomHash, scaled};
use crate::key::Entry;
use crate::sorted_run::SortedRun;
use std::sync::Arc;

/// The mean number of entries of a block: 3.6 kB. The rest of the 4 kB leaves room for blocks above
/// the mean; few exceed it.
const BLOCK_ENTRIES: usize = 224;
/// The number of words in a filter's block: 4 kB less the item's other attributes.
const BLOCK_WORDS: usize = 480;

/// The partition of the key space into blocks of equal width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    blocks: u64,
}

impl Partition {
    /// The partition with one block for all keys.
    pub(crate) const WHOLE: Self = Self { blocks: 1 };

    fn of(entries: usize) -> Self {
        Self {
            blocks: (entries as u64).div_ceil(BLOCK_ENTRIES as u64).max(1),
        }
    }

    /// The block of a prefix.
    fn block(self, prefix: u64) -> usize {
        scaled(prefix, usize::try_from(self.blocks).unwrap_or(1))
    }

    /// The position of a prefix in its block, scaled to 64 bits. The product's low bits are the
    /// fraction that `scaled` drops.
    pub(crate) const fn within(self, prefix: u64) -> u64 {
        prefix.wrapping_mul(self.blocks)
    }
}

/// A run in blocks, of which some or all are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedRun {
    partition: Partition,
    blocks: Vec<Option<Arc<SortedRun>>>,
}

impl BlockedRun {
    /// Makes a run of a number of entries, without any block.
    #[must_use]
    pub fn empty(entries: u32) -> Self {
        let partition = Partition::of(entries as usize);
        Self {
            partition,
            blocks: vec![None; usize::try_from(partition.blocks).unwrap_or_default()],
        }
    }

    /// Divides a run into its blocks.
    #[must_use]
    pub fn of(run: &SortedRun) -> Self {
        let partition = Partition::of(run.len());
        let mut rest = run.entries();
        let cut = |block| {
            let end = rest.partition_point(|entry| partition.block(entry.key.prefix()) <= block);
            let (these, others) = rest.split_at(end);
            rest = others;
            Some(Arc::new(SortedRun::of_sorted(these.to_vec(), partition)))
        };
        Self {
            partition,
            blocks: (0..usize::try_from(partition.blocks).unwrap_or_default())
                .map(cut)
                .collect(),
        }
    }

    /// The loaded blocks.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, &Arc<SortedRun>)> {
        (0..)
            .zip(&self.blocks)
            .filter_map(|(block, run)| Some((block, run.as_ref()?)))
    }

    /// The missing blocks.
    pub(crate) fn missing(&self) -> impl Iterator<Item = u16> {
        (0..)
            .zip(&self.blocks)
            .filter(|(_, run)| run.is_none())
            .map(|(block, _)| block)
    }

    /// The number of a prefix's block, and the block if it is loaded.
    pub(crate) fn at(&self, prefix: u64) -> (u16, Option<&SortedRun>) {
        let block = self.partition.block(prefix);
        (
            u16::try_from(block).unwrap_or(u16::MAX),
            self.blocks.get(block).and_then(Option::as_deref),
        )
    }

    /// Decodes and adds a stored block. Returns false when the bytes are not a block of this run.
    pub fn fill(&mut self, block: u16, bytes: &[u8]) -> bool {
        SortedRun::decode_part(bytes, self.partition)
            .is_some_and(|run| self.insert(block, Arc::new(run)))
    }

    /// Adds a block from memory. Returns false when it is not a block of this run.
    pub fn insert(&mut self, block: u16, run: Arc<SortedRun>) -> bool {
        let is_own = |entry: &Entry| self.partition.block(entry.key.prefix()) == usize::from(block);
        let is_of_run = run.partition() == self.partition && run.entries().iter().all(is_own);
        let place = self
            .blocks
            .get_mut(usize::from(block))
            .filter(|_| is_of_run);
        place.map(|place| *place = Some(run)).is_some()
    }

    /// The size in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let there = self.blocks.iter().flatten();
        let there =
            there.map(|run| run.memory_bytes() + size_of::<SortedRun>() + 2 * size_of::<usize>());
        there.sum::<usize>() + self.blocks.len() * size_of::<usize>()
    }
}

/// A Bloom filter in blocks, of which some or all are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedFilter {
    words: usize,
    blocks: Vec<Option<Arc<[u64]>>>,
}

impl BlockedFilter {
    /// Makes a filter of a number of words, without any block.
    #[must_use]
    pub fn empty(words: u32) -> Self {
        let words = words as usize;
        Self {
            words,
            blocks: vec![None; words.div_ceil(BLOCK_WORDS)],
        }
    }

    /// Divides a filter into its blocks.
    pub(crate) fn of(words: &[u64]) -> Self {
        let blocks = words
            .chunks(BLOCK_WORDS)
            .map(|block| Some(Arc::from(block)))
            .collect();
        Self {
            words: words.len(),
            blocks,
        }
    }

    /// The number of words.
    #[must_use]
    pub const fn words(&self) -> usize {
        self.words
    }

    /// Whether the filter may hold a key. The error is the number of the missing block that decides
    /// it.
    pub(crate) fn may_hold(&self, BloomHash { prefix, bits }: BloomHash) -> Result<bool, u16> {
        let place = scaled(prefix, self.words);
        let (block, word) = (place / BLOCK_WORDS, place % BLOCK_WORDS);
        match self.blocks.get(block).and_then(Option::as_ref) {
            Some(words) => Ok(words[word] & bits == bits),
            None => Err(u16::try_from(block).unwrap_or(u16::MAX)),
        }
    }

    /// The loaded blocks, with their stored bytes.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        let blocks = (0..)
            .zip(&self.blocks)
            .filter_map(|(block, words)| Some((block, words.as_ref()?)));
        blocks.map(|(block, words)| {
            (
                block,
                words.iter().flat_map(|word| word.to_be_bytes()).collect(),
            )
        })
    }

    /// Decodes and adds a stored block. Returns false when the bytes are not a block of this
    /// filter.
    pub fn fill(&mut self, block: u16, bytes: &[u8]) -> bool {
        let first = usize::from(block) * BLOCK_WORDS;
        let count = self.words.saturating_sub(first).min(BLOCK_WORDS);
        let (words, rest) = bytes.as_chunks::<8>();
        let Some(place) = self.blocks.get_mut(usize::from(block)) else {
            return false;
        };
        if words.len() != count || !rest.is_empty() {
            return false;
        }
        *place = Some(words.iter().map(|word| u64::from_be_bytes(*word)).collect());
        true
    }

    /// The size in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let there: usize = self
            .blocks
            .iter()
            .flatten()
            .map(|words| words.len() * 8 + 4 * size_of::<usize>())
            .sum();
        there + self.blocks.len() * size_of::<usize>()
    }
}
