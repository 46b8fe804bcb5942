//! Proves to a region that home handed a sign-up over, and not a caller who only knows the header.

use kernel::OnboardingId;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use std::fmt::Write as _;

/// The header of a seal.
pub const SEAL_HEADER: &str = "meridian-handover";

/// Seals onboarding ids with a secret that home and its regions share: HMAC-SHA-256 (RFC 2104).
///
/// Without a secret, no id is sealed, and no seal is valid.
pub struct Seal(Option<Key>);

impl Seal {
    /// A seal with a secret. An empty text means no secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self((!secret.is_empty()).then(|| Key::new(HMAC_SHA256, secret.as_bytes())))
    }

    /// The seal of an onboarding id, in hexadecimal.
    #[must_use]
    pub fn of(&self, onboarding: &OnboardingId) -> Option<String> {
        let tag = sign(self.0.as_ref()?, onboarding.as_uuid().as_bytes());
        let mut text = String::with_capacity(2 * tag.as_ref().len());
        for byte in tag.as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Some(text)
    }

    /// Whether a text is the seal of an onboarding id. Takes constant time for texts of the right
    /// length, so that the time does not reveal how much of a guess is right.
    #[must_use]
    pub fn holds(&self, onboarding: &OnboardingId, text: &str) -> bool {
        let Some(key) = &self.0 else { return false };
        let digits = |pair: &[u8]| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digits).collect();
        bytes.is_some_and(|bytes| verify(key, onboarding.as_uuid().as_bytes(), &bytes).is_ok())
    }
}
