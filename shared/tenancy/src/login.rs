//! Sign-ins, as they are metered.

use crate::{KeyDigest, Username};
use jiff::SignedDuration;
use kernel::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long the user pool tells of one sign-in: it calls a trigger that does not answer within 5 s
/// up to three times. Its event names no sign-in, so that a person who signs in again at the same
/// client within this time is not told apart from the trigger being called again, and counts once.
pub const SIGN_IN_RETRIED: SignedDuration = SignedDuration::from_secs(15);

/// That somebody signed in: nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Whose account.
    pub account: Username,
    /// The user pool's client that was signed in at.
    pub client: String,
    /// When the user pool told of it.
    pub at: Timestamp,
}

impl Login {
    /// Whose sign-ins at which client: what is told again is told of the same.
    #[must_use]
    pub fn key(&self) -> KeyDigest {
        KeyDigest::of("sign-ins", &format!("{}:{}", self.account, self.client))
    }

    /// Which event the sign-in is that began at a moment, however often it is told.
    #[must_use]
    pub fn event(&self, began_at: Timestamp) -> EventId {
        let name = format!(
            "meridian:login:{}:{}:{}",
            self.account,
            self.client,
            began_at.as_millisecond()
        );
        EventId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }
}
