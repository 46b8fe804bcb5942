//! The usage table: segments of events, pending markers, identity indexes, checkpoints, totals,
//! alert marks, seals, corrections, and the counts of a region.
//!
//! [`SegmentWriter`] stores what comes in, [`RollupWriter`] rolls it up and seals days, [`UsageReader`],
//! [`UsageAlerts`] and [`UsageMonitor`] read, [`UsageEraser`] deletes. What a rollup changes,
//! `metering` decides.
//!
//! Invariants: a segment is rolled up exactly once, because its pending marker is removed in the
//! transaction that counts it. An event counts exactly once, because that transaction replaces the
//! tenant's checkpoint, which names the identity index that was searched, on condition that nobody
//! else has replaced it. The table holds no personal data.
//!
//! May not import `tenancy` or `tenant-store`: what rolls up usage cannot compile against personal
//! data. What metering has to know of a tenant, its status, billing anchor, plan and the scopes of its
//! machine clients, [`TermsReader`] reads by name from the tenants' rows.

mod alerts;
mod cache;
mod corrections;
mod erase;
mod items;
mod load;
mod monitor;
mod pending;
mod read;
mod rollup_writer;
mod seal;
mod search;
mod segment_writer;
mod terms;

pub use alerts::UsageAlerts;
pub use corrections::{CorrectedEvent, CorrectionNote, CorrectionOutcome, CorrectionRecord};
pub use dynamo::Leaving;
pub use erase::UsageEraser;
pub use items::{SealTask, segment_of_image};
pub use monitor::{UsageBacklog, UsageMonitor};
pub use pending::{FoundSegment, Pending};
pub use read::{StoredTotals, UsageReader};
pub use rollup_writer::{RolledUp, RollupWriter};
pub use seal::Resent;
pub use search::{SEARCH_BYTES_MAX, SearchBudget};
pub use segment_writer::{STORE_TIME_MAX, SegmentWriter};
pub use terms::{PlanTerms, TermsReader, UsageClient, UsageTerms};

use std::error::Error;

/// Why a table did not do what it was asked. Holds nothing of the items themselves.
#[derive(Debug, thiserror::Error)]
pub enum UsageStoreError {
    /// The table was not reached, or refused.
    #[error("the table failed to {action}")]
    Unavailable {
        /// What it was asked to do.
        action: &'static str,
        /// What AWS said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The table takes no more at the moment. The same call may be made again.
    #[error("the table was too busy to {action}")]
    Throttled {
        /// What it was asked to do.
        action: &'static str,
    },
    /// Others settled the same tenant's usage, again and again.
    #[error("usage of one tenant was settled by too many at once")]
    Contended,
    /// A stored item is not what this code wrote.
    #[error("a stored {entity} is malformed")]
    Malformed {
        /// What the item should be.
        entity: &'static str,
    },
    /// A stored segment or page is not one that this release can read.
    #[error("a stored segment or page cannot be read")]
    UnknownSegment(#[source] metering::Malformed),
    /// A value could not be written as an item or an event.
    #[error("a value could not be written")]
    Unwritable(#[source] Box<dyn Error + Send + Sync>),
}

impl UsageStoreError {
    fn unwritable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Unwritable(Box::new(error))
    }

    /// Says whether the table is busy, others were faster, or something is wrong.
    fn of(action: &'static str) -> impl Fn(dynamo::Error) -> Self {
        move |error| match error {
            dynamo::Error::Contended { .. } => Self::Contended,
            busy if busy.is_busy() => Self::Throttled { action },
            error => Self::Unavailable {
                action,
                source: error.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
