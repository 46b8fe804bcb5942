//! Idempotency keys: a repeated request is recognised by its key, and by what it asked for.

use crate::{Documents, Registration};
use kernel::{Invalid, OnboardingId, RegionCode};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The random text by which a caller marks repetitions of one request.
///
/// It has at least 16 characters, so that it can be the secret in what is remembered of the
/// request.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const LENGTH_MIN: usize = 16;
    const LENGTH_MAX: usize = 128;

    /// What the key is stored under.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of("idempotency-key", &self.0)
    }

    /// What is remembered of a registration in order to recognise it: a digest keyed by this key,
    /// which is not stored, so that nobody can test who the person might be.
    ///
    /// Every field has a part in it but the password, of which nothing is kept outside of the
    /// identity provider: a digest beside the key that unlocks it could be tried with every
    /// password that there is. The answer says whose password holds instead.
    #[must_use]
    pub fn fingerprint(
        &self,
        registration: &Registration,
        onboarding: Option<OnboardingId>,
    ) -> Fingerprint {
        // Named one by one: the compiler refuses a new field that nobody has thought of here.
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

/// A digest that something is found or recognised by, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct KeyDigest(String);

impl KeyDigest {
    /// The digest of a secret, or of something personal, for one purpose.
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

/// SHA-256 over texts, each after its length, so that no two lists of texts give the same input.
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
