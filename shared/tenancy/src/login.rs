//! Sign-ins, as they are metered.

use crate::Username;
use kernel::{EventId, Timestamp};
use serde::{Deserialize, Serialize};

/// That somebody signed in: nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Which event it is, however often it is told.
    pub id: EventId,
    /// Whose account.
    pub account: Username,
    /// When.
    pub at: Timestamp,
}
