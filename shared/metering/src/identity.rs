//! Who an event is, and what it says, as hashes: nothing that a client wrote is kept.

use crate::{Measure, WindowKey};
use jiff::Timestamp;
use kernel::{TenantId, UsageGroup};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Who sent an event: each has a namespace of event ids of its own.
///
/// The verified token says which, never the event. So what a tenant's own client sends is no other event than the one that the
/// provider's service sends under the same source and id: it cannot stand in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A client of the tenant's own.
    Tenant,
    /// A service of the provider.
    Provider,
    /// Meridian itself, of what its internal meters count.
    Meridian,
}

/// An event's identity within its tenant: 95 bits of SHA-256 over its sender's namespace, its source and its id, and one bit
/// that says whether it is the event or what takes it back.
///
/// A tenant's index holds some billion identities at most: that two of them are the same by chance is less likely
/// than one in ten billion.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 12]);

/// What an event says: 32 bits of SHA-256 over its type, tenant, time, value and group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 4]);

/// One entry of the identity index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which event.
    pub identity: Identity,
    /// What it said when it was counted.
    pub digest: Digest,
}

impl Sender {
    /// What is hashed for it: never reused.
    const fn namespace(self) -> u8 {
        match self {
            Self::Tenant => 1,
            Self::Provider => 2,
            Self::Meridian => 3,
        }
    }
}

impl Identity {
    /// How many bytes an identity has.
    pub const BYTES: usize = 12;

    /// The identity of an event (`CloudEvents` 1.0: `source` + `id`) in its sender's namespace, unambiguous for any bytes in
    /// either.
    #[must_use]
    pub fn of(sender: Sender, source: &str, id: &str) -> Self {
        Self(hash([&[sender.namespace()], source.as_bytes(), id.as_bytes()])).event()
    }

    /// The identity of a value that a tenant's events have, for counting the different ones. `kind` keeps texts and
    /// numbers apart.
    #[must_use]
    pub fn of_member(tenant: TenantId, kind: &str, value: &str) -> Self {
        Self(hash([tenant.as_uuid().as_bytes(), kind.as_bytes(), value.as_bytes()])).event()
    }

    /// The identity of a value within a window.
    pub(crate) fn within(self, window: &WindowKey) -> Self {
        let WindowKey { meter, group, size, start, part: _ } = window;
        let start = start.as_second().to_be_bytes();
        Self(hash([&self.0, meter.as_str().as_bytes(), group.as_str().as_bytes(), size.as_str().as_bytes(), &start]))
            .event()
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

    /// The event's own.
    #[must_use]
    pub const fn event(mut self) -> Self {
        self.0[Self::BYTES - 1] &= !1;
        self
    }

    /// That of what takes the event back: next to the event's own in the order.
    #[must_use]
    pub const fn void(mut self) -> Self {
        self.0[Self::BYTES - 1] |= 1;
        self
    }

    /// Whether it is of what takes an event back.
    #[must_use]
    pub const fn is_void(self) -> bool {
        self.0[Self::BYTES - 1] & 1 == 1
    }

    /// The identity as a number: uniform but for its last bit, so that it says where in a sorted run to look.
    pub(crate) const fn number(self) -> u128 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        u128::from_be_bytes([0, 0, 0, 0, a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// The first 64 bits of it.
    pub(crate) const fn prefix(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
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
    pub const BYTES: usize = 4;
    /// The digest of what says nothing but that it is there.
    pub(crate) const NONE: Self = Self([0; Self::BYTES]);

    /// The digest of what counts; the time and the value in one form each, however they were written.
    #[must_use]
    pub fn of(event_type: &str, tenant: TenantId, time: Timestamp, measure: &Measure, group: &UsageGroup) -> Self {
        let nanoseconds = time.as_nanosecond().to_be_bytes();
        let (kind, value, scale) = match measure {
            Measure::Number(value) => (b'n', value.mantissa().to_be_bytes(), value.scale()),
            Measure::Member(member) => (b'm', member.number().to_be_bytes(), 0_u16),
        };
        let group = group.as_str().as_bytes();
        let [high, low] = scale.to_be_bytes();
        let tenant = tenant.as_uuid();
        Self(hash([event_type.as_bytes(), tenant.as_bytes(), &nanoseconds, &[kind, high, low], &value, group]))
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

/// In hexadecimal digits.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:024x}", self.number())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:08x})", u32::from_be_bytes(self.0))
    }
}
