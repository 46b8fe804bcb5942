//! Sign-ins, as metered.

use crate::idempotency::KeyDigest;
use crate::user::Username;
use jiff::SignedDuration;
use kernel::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The time within which sign-ins of an account at a client count as one. The user pool calls a
/// trigger up to three times if it does not answer within 5 s, and its event has no id of the
/// sign-in. So a second sign-in within this time cannot be distinguished from a repeated call.
pub const SIGN_IN_RETRIED: SignedDuration = SignedDuration::from_secs(15);

/// A sign-in. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account.
    pub account: Username,
    /// The user pool's client.
    pub client: String,
    /// When the user pool reported it.
    pub at: Timestamp,
}

impl Login {
    /// The key of the account and the client. Repeated reports of a sign-in have the same one.
    #[must_use]
    pub fn key(&self) -> KeyDigest {
        KeyDigest::of("sign-ins", &format!("{}:{}", self.account, self.client))
    }

    /// The id of the usage event for the sign-in that began at this time, the same for every
    /// report.
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
