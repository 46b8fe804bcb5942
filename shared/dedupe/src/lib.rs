//! The index of counted events: a log-structured merge tree (LSM tree) from dedupe keys to content
//! hashes.
//!
//! A [`Manifest`] names the immutable [`SortedRun`]s of an index. New entries make new runs, and
//! [`Index::compact`] merges runs as their number grows. A large run is stored in blocks of one
//! `DynamoDB` read unit each, behind blocked Bloom filters over groups of runs, so that a
//! [`Lookup`] loads a few blocks of an index of any size. See `docs/dedupe.md`.
//!
//! Invariants: an index holds a key at most once; a Bloom filter has no false negatives; a run
//! never changes, so that a manifest is a snapshot of the index. The crate reads no clock, makes no
//! random numbers and does no I/O: the caller loads and writes blocks. Imports `kernel` only.

mod blocks;
mod bloom;
mod groups;
mod index;
mod key;
mod lookup;
mod manifest;
mod sorted_run;

pub use blocks::{BlockedFilter, BlockedRun};
pub use groups::{GROUP_LEVELS, GroupId};
pub use index::{Index, NewPart};
pub use key::{ContentHash, DedupeKey, Entry};
pub use lookup::{BlockId, Blocks, Lookup, MissingBlocks};
pub use manifest::{BlockMeta, Manifest, RunId, RunMeta};
pub use sorted_run::{Known, SortedRun};

#[cfg(test)]
mod tests;
