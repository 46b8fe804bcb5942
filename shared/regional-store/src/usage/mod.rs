//! Usage: segments that wait, and what settling makes of them.
//!
//! A segment is settled exactly once because its pointer is removed in the transaction that counts it.
//! An event counts exactly once because that transaction replaces the tenant's checkpoint, which names the
//! identity index that was searched, on condition that nobody else has replaced it.

mod cache;
mod corrections;
mod erase;
mod intake;
mod items;
mod levels;
mod load;
mod monitor;
mod pending;
mod read;
mod seal;
mod search;
mod settler;
mod table;

pub use corrections::{CorrectedEvent, CorrectionNote, CorrectionOutcome, CorrectionRecord};
pub use erase::UsageEraser;
pub use intake::{Intake, STORE_TIME_MAX};
pub use items::{DueSeal, segment_of_image};
pub use levels::UsageLevels;
pub use monitor::{UsageBacklog, UsageMonitor};
pub use pending::{FoundSegment, Pending};
pub use read::{StoredTotals, UsageReader};
pub use seal::Resent;
pub use search::{SEARCH_BYTES_MAX, SearchBudget};
pub use settler::{Settled, Settler};

use crate::throttled::is_throttled;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use std::error::Error;

/// Why the usage table did not do what it was asked. Holds nothing of the items themselves.
#[derive(Debug, thiserror::Error)]
pub enum UsageStoreError {
    /// The table was not reached, or refused.
    #[error("the usage table failed to {action}")]
    Unavailable {
        /// What it was asked to do.
        action: &'static str,
        /// What AWS said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The table takes no more at the moment. The same call may be made again.
    #[error("the usage table was too busy to {action}")]
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

    /// Says whether the table is busy or something is wrong.
    fn of<E, R>(action: &'static str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        if is_throttled(&error) {
            Self::Throttled { action }
        } else {
            Self::Unavailable { action, source: Box::new(error) }
        }
    }
}

impl From<BuildError> for UsageStoreError {
    fn from(error: BuildError) -> Self {
        Self::unwritable(error)
    }
}

#[cfg(test)]
mod tests;
