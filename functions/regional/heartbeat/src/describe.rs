//! What the region says of itself, and when.

use crate::store::LastHeartbeat;
use contract::RegionDescribed;
use kernel::{Invalid, Location};
use std::num::ParseIntError;
use std::str::FromStr;

/// A region says what it is once an hour, whether it changed or not: home may have lost it.
const BEATS_BETWEEN: u64 = 60;

/// Whether the next heartbeat says what the region is.
pub(crate) fn is_due(last: &LastHeartbeat, description: &RegionDescribed) -> bool {
    last.described.as_ref() != Some(description)
        || (last.sequence + 1).is_multiple_of(BEATS_BETWEEN)
}

/// How many tenants the region has room for: nothing and 0 are for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity(pub(crate) Option<u64>);

/// Where the region is, as latitude and longitude in degrees; nothing where nobody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Option<Location>);

impl FromStr for Capacity {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let tenants = if text.is_empty() { 0 } else { text.parse()? };
        Ok(Self((tenants > 0).then_some(tenants)))
    }
}

impl FromStr for Place {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            text.parse().map(Some).map(Self)
        }
    }
}
