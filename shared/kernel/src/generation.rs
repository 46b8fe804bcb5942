//! The optimistic lock of a stored row.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// Which state of a row this is: one higher with every change. Whoever changes the row compares it
/// with the one that the decision was made on, so that of two who change it at once, one decides anew.
///
/// Nothing outside the row's own store compares it. What an event carries, so that a consumer keeps
/// the highest, is a revision.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The generation of a row that is not there.
    pub const NONE: Self = Self(0);
    /// The generation of a row that was written once.
    pub const FIRST: Self = Self(1);

    /// The generation of the row after a change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The generation that this one replaces.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How often the row was written.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Generation {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}
