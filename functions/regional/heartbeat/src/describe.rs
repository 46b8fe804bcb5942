//! The region's description of itself, and when it is published.

use crate::store::LastHeartbeat;
use contract::RegionDescribed;
use kernel::{Invalid, Location};
use std::num::ParseIntError;
use std::str::FromStr;

/// Heartbeats between two descriptions, which is one hour. An unchanged description is repeated
/// because home may have lost it.
const BEATS_BETWEEN: u64 = 60;

/// Whether the next heartbeat carries the description.
pub(crate) fn is_due(last: &LastHeartbeat, description: &RegionDescribed) -> bool {
    last.described.as_ref() != Some(description)
        || (last.sequence + 1).is_multiple_of(BEATS_BETWEEN)
}

/// The most tenants that the region accepts. Empty and 0 mean no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity(pub(crate) Option<u64>);

/// The region's location as latitude and longitude in degrees. None where it is not configured.
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
