//! Digests of custom subdomains, by which home knows them.

use crate::{Invalid, text_schema, text_value};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt::Write as _;
use std::str::FromStr;

/// A keyed digest of a custom subdomain: HMAC-SHA-256 (RFC 2104) under a secret that the regions
/// share.
///
/// Equal subdomains have equal digests in every region. Without the secret, which home's central
/// functions do not have, nobody can find a subdomain from its digest by guessing.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct SubdomainDigest(String);

impl SubdomainDigest {
    const LENGTH: usize = 64;

    /// A digest from its 32 bytes, which the caller computed.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubdomainDigest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = text.len() == Self::LENGTH
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "subdomain digest",
                rule: "64 of 0-9 and a-f",
            })
        }
    }
}

text_value!(SubdomainDigest);

text_schema!(SubdomainDigest, "A keyed digest of a custom subdomain.", pattern: "^[0-9a-f]{64}$");
