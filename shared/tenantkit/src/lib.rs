//! A region with tenants, for the tests of regional functions. A dev-dependency only.
//!
//! Invariant: a tenant reaches a state by the same decisions as in production, so that a test
//! starts from what the store would contain. Tests of central functions must not use this crate,
//! since it has personal data.

mod life;
mod newcomer;
mod region;

pub use newcomer::{Newcomer, moment};
pub use region::{People, Region, region};

#[cfg(test)]
mod tests;
