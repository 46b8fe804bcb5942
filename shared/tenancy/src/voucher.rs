//! Vouchers: proof that Meridian itself requests a new account.

use crate::idempotency::KeyDigest;
use jiff::SignedDuration;
use kernel::Invalid;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The validity of a voucher. Cognito calls a trigger up to three times, with five seconds each
/// (Amazon Cognito developer guide, "Customizing user pool workflows with Lambda triggers").
pub const VOUCHER_VALID: SignedDuration = SignedDuration::from_secs(60);

/// A secret for one call of `SignUp` with one username. The user pool's API is open to everybody,
/// so the pre-sign-up trigger accepts such a call only with a voucher whose digest is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Voucher(Uuid);

impl Voucher {
    /// The key of the voucher in the call's validation data.
    pub const NAME: &str = "voucher";

    /// A voucher of 16 random bytes.
    #[must_use]
    pub const fn from_random(secret: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(secret))
    }

    /// The secret itself, for the call and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> String {
        self.0.simple().to_string()
    }

    /// The digest that is stored.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of("voucher", &self.reveal())
    }
}

impl FromStr for Voucher {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let voucher = Uuid::try_parse(text)
            .ok()
            .map(Self)
            .filter(|voucher| voucher.reveal() == text);
        voucher.ok_or(Invalid {
            kind: "voucher",
            rule: "32 lower-case hexadecimal digits",
        })
    }
}

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voucher(..)")
    }
}
