//! A region with tenants in it, for the tests of regional functions. A dev-dependency only.
//!
//! Invariant: a tenant comes into a state by the decisions that bring it there in the field, so
//! that a test begins with what the store would hold. Tests of central functions must not use it:
//! it knows people.

mod life;
mod newcomer;
mod region;

pub use newcomer::{Newcomer, moment};
pub use region::{People, Region, region};

#[cfg(test)]
mod tests;
