//! Spreading items over partitions.

use uuid::Uuid;

/// A number of partitions to spread items over, since one partition takes 1,000 writes a second.
///
/// The shard of an id is stored in keys. So its computation never changes, and the number of shards
/// changes only together with the table's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u8);

impl Shards {
    /// Makes a number of partitions.
    ///
    /// # Panics
    /// When the number is zero. In a constant, the compiler refuses it.
    #[must_use]
    pub const fn new(count: u8) -> Self {
        assert!(count > 0, "items are spread over at least one partition");
        Self(count)
    }

    /// The number of partitions.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0
    }

    /// All shards.
    pub fn all(self) -> impl Iterator<Item = u8> + Clone {
        0..self.0
    }

    /// The shard of an id. The last byte is random in every version of UUID that we use.
    #[must_use]
    pub const fn of(self, id: &Uuid) -> u8 {
        self.at(Self::seed(id))
    }

    /// The shard of a random byte.
    #[must_use]
    pub const fn at(self, seed: u8) -> u8 {
        seed % self.0
    }

    /// The shard of a numbered part of an object. Consecutive parts are in different partitions, so
    /// that they can be read at once.
    #[must_use]
    pub fn of_part(self, id: &Uuid, part: u16) -> u8 {
        let shard = (u16::from(self.of(id)) + part % u16::from(self.0)) % u16::from(self.0);
        u8::try_from(shard).unwrap_or_default()
    }

    /// The random byte of an id, for other ways of spreading.
    #[must_use]
    pub const fn seed(id: &Uuid) -> u8 {
        id.as_bytes()[15]
    }
}
