//! The DynamoDB adapter of the fleet set.
//!
//! Invariant: a tenant's directory entry, its desired policy, the index of unapplied policies, the
//! region's counts and the event to the region change in one transaction. The table is never
//! scanned: each query of the fleet has its own partition.
//!
//! | partition | sort | what |
//! |---|---|---|
//! | `TENANT#<tenant>` | `DIRECTORY` | the directory entry, guarded by its revision and by whether it is erased |
//! | `POLICY#<tenant>` | `DESIRED` | the desired and the applied policy, guarded by its generation |
//! | `UNAPPLIED#<region>` | `<due, 13-digit ms>#<tenant>` | an unapplied policy, in order of its next sending |
//! | `REGIONS` | `<region>` | a region from which home has received an event |
//! | `REGION#<region>` | `HEALTH` | its latest heartbeat, guarded by the sequence |
//! | | `DESCRIPTION` | its description, guarded by the sequence |
//! | | `INCIDENTS` | its open incidents, guarded by a revision |
//! | | `COUNT#<0..7>` | its counts of tenants and policies, spread so that tenants do not collide |
//! | | `BILLING#<period>` | its billing totals, if it bills its tenants itself |
//! | `ONBOARDING#<id>` | `ONBOARDING` | a central onboarding, guarded by the revision of its steps; expires after 90 days |
//! | `ONBOARDINGKEY#<digest>` | `ONBOARDING` | the onboarding of an idempotency key; expires after 6 days |
//! | `RESERVATION#<digest>` | `RESERVATION` | the tenant that has, or had, the subdomain with this digest, guarded by its generation |
//! | | `TENANT#<tenant>` | the last report of the tenant's region on that reservation; expires after 90 days |
//!
//! Costs: a change of a tenant's status writes up to five items and the outbox row in one
//! transaction (12 write units), an acknowledgement three (6). In return one query of about ten
//! small items reads everything about a region, however many tenants it has.

mod error;
mod item;
mod onboarding;
mod region;
mod reservation;
mod tenant;

pub use error::{StoreError, UpdateError};
pub use region::{BillingTotal, Description, RegionRecord};

use dynamo::Table;
use kernel::RegionCode;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The central table.
#[derive(Debug, Clone)]
pub struct CentralStore {
    table: Table,
    /// Regions that this process has listed, so that it lists each only once.
    listed: Arc<Mutex<BTreeSet<RegionCode>>>,
}

impl CentralStore {
    /// The store in a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
            listed: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests;
