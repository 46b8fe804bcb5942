//! Spreading items over partitions.

use uuid::Uuid;

/// A number of partitions that items are spread over, because one partition takes 1,000 writes a
/// second.
///
/// The shard of an id is stored in keys. So how it is computed never changes, and a number of
/// shards only with the table's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u8);

impl Shards {
    /// So many partitions.
    ///
    /// # Panics
    /// When it is none. Make it a constant: then it is refused by the compiler.
    #[must_use]
    pub const fn new(count: u8) -> Self {
        assert!(count > 0, "items are spread over at least one partition");
        Self(count)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0
    }

    /// Each of them.
    pub fn all(self) -> impl Iterator<Item = u8> + Clone {
        0..self.0
    }

    /// The shard of an id: its last byte is random in every version of UUID that we use.
    #[must_use]
    pub const fn of(self, id: &Uuid) -> u8 {
        self.at(Self::seed(id))
    }

    /// The shard that a random byte stands for.
    #[must_use]
    pub const fn at(self, seed: u8) -> u8 {
        seed % self.0
    }

    /// The shard of the part of something: parts that follow each other are in different
    /// partitions, so that they can be read at once.
    #[must_use]
    pub fn of_part(self, id: &Uuid, part: u16) -> u8 {
        let shard = (u16::from(self.of(id)) + part % u16::from(self.0)) % u16::from(self.0);
        u8::try_from(shard).unwrap_or_default()
    }

    /// The random byte of an id, for what else is spread by it.
    #[must_use]
    pub const fn seed(id: &Uuid) -> u8 {
        id.as_bytes()[15]
    }
}
