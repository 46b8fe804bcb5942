//! Who an event is, and what it says, as hashes: nothing that a client wrote is kept.

use crate::Value;
use jiff::Timestamp;
use kernel::TenantId;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// An event's identity within its tenant: 128 bits of SHA-256 over its source and id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 16]);

/// What an event says: 64 bits of SHA-256 over its type, tenant, time and value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 8]);

/// One entry of the identity index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which event.
    pub identity: Identity,
    /// What it said when it was counted.
    pub digest: Digest,
}

impl Identity {
    /// How many bytes an identity has.
    pub const BYTES: usize = 16;

    /// The identity of an event (`CloudEvents` 1.0: `source` + `id`), unambiguous for any bytes in either.
    #[must_use]
    pub fn of(source: &str, id: &str) -> Self {
        Self(hash([source.as_bytes(), id.as_bytes()]))
    }

    /// An identity that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The identity as a number: uniform, so that it says where in a sorted run to look.
    pub(crate) const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

/// The order of the bytes, which is that of the numbers and quicker so.
impl Ord for Identity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for Identity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Digest {
    /// How many bytes a digest has.
    pub const BYTES: usize = 8;

    /// The digest of what counts; the time and the value in one form each, however they were written.
    #[must_use]
    pub fn of(event_type: &str, tenant: TenantId, time: Timestamp, value: Value) -> Self {
        let nanoseconds = time.as_nanosecond().to_be_bytes();
        let mantissa = value.mantissa().to_be_bytes();
        Self(hash([event_type.as_bytes(), tenant.as_uuid().as_bytes(), &nanoseconds, &mantissa, &[value.scale()]]))
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl Entry {
    /// How many bytes an entry has.
    pub const BYTES: usize = Identity::BYTES + Digest::BYTES;

    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.identity.0);
        to.extend_from_slice(&self.digest.0);
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (identity, digest) = bytes.split_first_chunk::<{ Identity::BYTES }>()?;
        let digest = digest.first_chunk::<{ Digest::BYTES }>()?;
        Some(Self { identity: Identity(*identity), digest: Digest(*digest) })
    }
}

/// The first bytes of SHA-256 over parts, each after its length, so that no two lists of parts are one text.
fn hash<const PARTS: usize, const BYTES: usize>(parts: [&[u8]; PARTS]) -> [u8; BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let full: [u8; 32] = hasher.finalize().into();
    std::array::from_fn(|at| full[at])
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:032x})", self.number())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:016x})", u64::from_be_bytes(self.0))
    }
}
