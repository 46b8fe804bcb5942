//! The regional table: tenants, sign-ups, users, invitations, machine clients, custom subdomains,
//! limits, audit trails, and the record of an erasure.
//!
//! [`TenantReader`] reads, [`TenantStore`] writes. The rules are `tenancy`'s: this crate loads what
//! a decision needs and stores its change set.
//!
//! Invariants: a change and the events that announce it are one transaction, conditional on the
//! generation of the tenant that the decision read. Personal data of a tenant is in the tenant's
//! own partition only, and in no key outside it. Errors hold nothing of an item.
//!
//! May not import `metering`, `dedupe` or `usage-store`. Functions that roll up usage and the
//! central function sets may not import this crate, directly or through another one; `tidy` checks
//! both.

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

/// Why an operation on the regional table failed. Holds nothing of the items themselves.
#[derive(Debug, thiserror::Error)]
pub enum TenantStoreError {
    /// The table could not be reached, or rejected the request.
    #[error("the regional table failed to {action}")]
    Unavailable {
        /// The operation that failed.
        action: &'static str,
        /// The error that AWS returned.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table is throttled, or the same items stayed contended through every attempt.
    #[error("the regional table was too busy to {action}")]
    Busy {
        /// The operation that failed.
        action: &'static str,
    },
    /// A stored item does not parse.
    #[error("a stored {entity} is malformed")]
    Malformed {
        /// The kind of item.
        entity: &'static str,
    },
    /// The random alias is already taken. Nothing was written; another alias will do.
    #[error("the alias is taken")]
    AliasTaken,
    /// There is no such tenant in this region.
    #[error("the tenant is not in this region")]
    UnknownTenant,
    /// The decision refused the change.
    #[error("the change is refused")]
    Refused(#[source] tenancy::Refusal),
    /// A value could not be encoded as an item or an event.
    #[error("a value could not be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TenantStoreError {
    fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unwritable(Box::new(error))
    }

    /// Maps a table error to [`Self::Busy`] or [`Self::Unavailable`].
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
