//! Idempotency keys. A repeated request is recognised by its key and its content.

use crate::registration::Registration;
use crate::user::Documents;
use kernel::{Invalid, OnboardingId, RegionCode};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The random text with which a caller marks repetitions of one request.
///
/// It has at least 16 characters, since it is the secret key of the request's fingerprint.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const LENGTH_MIN: usize = 16;
    const LENGTH_MAX: usize = 128;

    /// The digest under which the key is stored.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of("idempotency-key", &self.0)
    }

    /// The stored fingerprint of a registration: a digest keyed by this key. The key itself is not
    /// stored, so nobody can use the fingerprint to test who registered.
    ///
    /// Every field is part of it except the password: a digest stored beside its key could be
    /// tested with guessed passwords. No form of the password is stored outside the identity
    /// provider. The response says instead whose password is in force.
    #[must_use]
    pub fn fingerprint(
        &self,
        registration: &Registration,
        onboarding: Option<OnboardingId>,
    ) -> Fingerprint {
        // Destructured without `..`: a new field does not compile until it is decided on here.
        let Registration {
            organisation,
            name,
            email,
            password: _,
            plan,
            region,
            language,
            billing_anchor,
            documents:
                Documents {
                    terms,
                    data_processing,
                },
        } = registration;
        Fingerprint(digest(&[
            "registration",
            &self.0,
            organisation.expose(),
            name.expose(),
            &email.key(),
            plan.as_str(),
            region.as_ref().map_or("", RegionCode::as_str),
            language.as_str(),
            &billing_anchor.to_string(),
            terms.as_str(),
            data_processing.as_str(),
            &onboarding.map(|id| id.to_string()).unwrap_or_default(),
        ]))
    }
}

impl FromStr for IdempotencyKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bounded = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.len());
        if bounded && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "Idempotency-Key",
                rule: "16 to 128 visible ASCII characters, such as a random UUID",
            })
        }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(..)")
    }
}

/// A digest by which something is found or recognised, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct KeyDigest(String);

impl KeyDigest {
    /// Digests a secret or personal value for one purpose. Digests for different purposes never
    /// match.
    #[must_use]
    pub fn of(purpose: &str, secret: &str) -> Self {
        Self(digest(&[purpose, secret]))
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The keyed digest of a registration, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

/// SHA-256 over texts, each prefixed with its length, so that different lists never hash the same
/// input.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
