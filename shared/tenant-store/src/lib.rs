//! The regional table: tenants, sign-ups, users, invitations, machine clients, custom subdomains,
//! limits, audit trails, and the record of an erasure.
//!
//! [`TenantReader`] reads, [`TenantStore`] changes. What changes, `tenancy` decides; this crate loads
//! what a decision is made on, and stores what it says.
//!
//! Invariants: state and the events that announce it are one transaction, under a condition on the
//! tenant that the decision was made on. All that is personal of a tenant is in the tenant's own
//! partition, and nowhere in a key outside it. An error holds nothing of an item.
//!
//! May not import `metering`, `dedupe` or `usage-store`. No function that rolls up usage, and none of
//! the central sets, may import this crate, directly or through another one; `tidy` checks both.

mod clients;
mod clock;
mod commit;
mod erase;
mod federation;
mod mails;
mod members;
mod read;
mod resolve;
mod rows;
mod subdomain;
mod vouchers;
mod write;

pub use clock::{Limit, Resolved, Taken, Tally};
pub use dynamo::Leaving;
pub use erase::Erasure;
pub use mails::MailTally;
pub use members::Page;
pub use read::{Membership, Remembered, TenantReader};
pub use resolve::{Destination, RegionAddress, Workspace};
pub use write::{LoadOptions, Registered, TenantStore, TenantView};

/// Why the regional table did not do what it was asked. Holds nothing of the items themselves.
#[derive(Debug, thiserror::Error)]
pub enum TenantStoreError {
    /// The table was not reached, or refused.
    #[error("the regional table failed to {action}")]
    Unavailable {
        /// What it was asked to do.
        action: &'static str,
        /// What AWS said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table takes no more at the moment, or others changed the same items, again and again.
    #[error("the regional table was too busy to {action}")]
    Busy {
        /// What it was asked to do.
        action: &'static str,
    },
    /// A stored item is not what this code wrote.
    #[error("a stored {entity} is malformed")]
    Malformed {
        /// What the item should be.
        entity: &'static str,
    },
    /// A random alias was already taken. Nothing was written; another one will do.
    #[error("the alias is taken")]
    AliasTaken,
    /// There is no such tenant in this region.
    #[error("the tenant is not in this region")]
    UnknownTenant,
    /// A decision refuses.
    #[error("the change is refused")]
    Refused(#[source] tenancy::Refusal),
    /// A value could not be written as an item or an event.
    #[error("a value could not be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TenantStoreError {
    fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unwritable(Box::new(error))
    }

    /// Says whether the table is busy, or something is wrong.
    fn of(action: &'static str) -> impl Fn(dynamo::Error) -> Self {
        move |error| match error {
            busy if busy.is_busy() => Self::Busy { action },
            error => Self::Unavailable {
                action,
                source: error.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
