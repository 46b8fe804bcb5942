//! The usage table: segments of events, pending markers, dedupe indexes, checkpoints, totals,
//! alert marks, seals, corrections, and the counts of a region.
//!
//! [`SegmentWriter`] stores incoming events, [`RollupWriter`] rolls them up and seals days,
//! [`UsageReader`], [`UsageAlerts`] and [`UsageMonitor`] read, [`UsageEraser`] deletes. `metering`
//! decides what a rollup changes; this crate loads and writes.
//!
//! Invariants: a segment is rolled up exactly once, because its pending marker is removed in the
//! transaction that counts it. An event counts exactly once, because that transaction replaces the
//! tenant's checkpoint, which names the searched dedupe index, on condition that nobody else has
//! replaced it. The table holds no personal data.
//!
//! May not import `tenancy` or `tenant-store`: code that rolls up usage cannot compile against
//! personal data. [`TermsReader`] reads by attribute name what metering needs of the tenants' rows:
//! status, billing anchor, plan, and the scopes of machine clients.

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

/// A failed operation of the usage table. Holds no content of items.
#[derive(Debug, thiserror::Error)]
pub enum UsageStoreError {
    /// The table was not reached, or it refused the request.
    #[error("the table failed to {action}")]
    Unavailable {
        /// The requested action.
        action: &'static str,
        /// The error of the AWS client.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The table is throttled. The same call may be repeated.
    #[error("the table was too busy to {action}")]
    Throttled {
        /// The requested action.
        action: &'static str,
    },
    /// Concurrent writers replaced the tenant's checkpoint at each attempt. The same call may be
    /// repeated.
    #[error("too many writers rolled up the usage of one tenant at once")]
    Contended,
    /// A stored item does not have the form that this code writes.
    #[error("a stored {entity} is malformed")]
    Malformed {
        /// The kind of item that was expected.
        entity: &'static str,
    },
    /// This release cannot decode a stored segment or page.
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

    /// Classifies a failure of the table: contended, throttled, or unavailable.
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
