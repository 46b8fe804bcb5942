//! Dedupe keys and content hashes: they stand for what a client wrote, which is not stored.

use sha2::{Digest, Sha256};
use std::fmt;

/// The dedupe key of an event within its tenant: 95 bits of SHA-256, and one bit that separates the
/// key of the event from the key of its void, the entry that takes the event back.
///
/// A tenant's index holds a few billion keys at most. The chance that any two of a billion keys are
/// equal is below one in ten billion (birthday bound: n² / 2⁹⁶).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DedupeKey([u8; 12]);

/// The hash of an event's content: 32 bits of SHA-256. It distinguishes a duplicate from a
/// conflict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 4]);

/// One entry of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The key of the event or its void.
    pub key: DedupeKey,
    /// The content hash at the time of counting.
    pub content: ContentHash,
}

impl DedupeKey {
    /// The length of a stored key in bytes.
    pub const BYTES: usize = 12;

    /// Hashes the parts that identify an event. Different lists of parts have different inputs.
    #[must_use]
    pub fn hash<const PARTS: usize>(parts: [&[u8]; PARTS]) -> Self {
        Self(hash(parts)).event()
    }

    /// Makes a key from its stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The stored bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The key of the event itself.
    #[must_use]
    pub const fn event(mut self) -> Self {
        self.0[Self::BYTES - 1] &= !1;
        self
    }

    /// The key of the event's void. It sorts directly after the event's own key, so that one search
    /// finds both.
    #[must_use]
    pub const fn void(mut self) -> Self {
        self.0[Self::BYTES - 1] |= 1;
        self
    }

    /// Whether the key is that of a void.
    #[must_use]
    pub const fn is_void(self) -> bool {
        self.0[Self::BYTES - 1] & 1 == 1
    }

    /// The key as a number. Keys are uniform, so the number predicts the position in a sorted run.
    #[must_use]
    pub const fn number(self) -> u128 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        u128::from_be_bytes([0, 0, 0, 0, a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// The first 64 bits.
    pub(crate) const fn prefix(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The order of the bytes. Comparing the numbers gives the same order and is faster.
impl Ord for DedupeKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for DedupeKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl ContentHash {
    /// The length of a stored hash in bytes.
    pub const BYTES: usize = 4;
    /// The hash of an entry that has no content beside its key.
    pub const NONE: Self = Self([0; Self::BYTES]);

    /// Hashes the parts of a content. Different lists of parts have different inputs.
    #[must_use]
    pub fn hash<const PARTS: usize>(parts: [&[u8]; PARTS]) -> Self {
        Self(hash(parts))
    }

    /// Makes a hash from its stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The stored bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl Entry {
    /// The length of a stored entry in bytes.
    pub const BYTES: usize = DedupeKey::BYTES + ContentHash::BYTES;

    /// Appends the stored bytes: the key, then the content hash.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.key.0);
        to.extend_from_slice(&self.content.0);
    }

    /// Reads an entry from the start of the bytes, or nothing when there are too few.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (key, content) = bytes.split_first_chunk::<{ DedupeKey::BYTES }>()?;
        let content = content.first_chunk::<{ ContentHash::BYTES }>()?;
        Some(Self {
            key: DedupeKey(*key),
            content: ContentHash(*content),
        })
    }
}

/// The first bytes of SHA-256 over parts. Each part follows its length, so that different lists of
/// parts have different inputs.
fn hash<const PARTS: usize, const BYTES: usize>(parts: [&[u8]; PARTS]) -> [u8; BYTES] {
    let mut hasher = Sha256::new();
    // The hasher is slow at many short texts, so parts are put together as long as they are short.
    let (mut gathered, mut filled) = ([0; GATHERED_BYTES], 0);
    for part in parts {
        let length = (part.len() as u64).to_be_bytes();
        for text in [length.as_slice(), part] {
            if text.len() > GATHERED_BYTES - filled {
                hasher.update(&gathered[..filled]);
                filled = 0;
            }
            match gathered.get_mut(filled..filled + text.len()) {
                Some(room) => {
                    room.copy_from_slice(text);
                    filled += text.len();
                }
                None => hasher.update(text),
            }
        }
    }
    hasher.update(&gathered[..filled]);
    let full: [u8; 32] = hasher.finalize().into();
    std::array::from_fn(|at| full[at])
}

/// More than the parts of a usual event have together.
const GATHERED_BYTES: usize = 256;

/// In hexadecimal digits.
impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:024x}", self.number())
    }
}

impl fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupeKey({self})")
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({:08x})", u32::from_be_bytes(self.0))
    }
}
