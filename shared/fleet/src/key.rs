//! Idempotency keys of central onboardings. One key stands for one onboarding and one sign-up in
//! its region.

use crate::placement::Placement;
use kernel::{Invalid, Location, OnboardingId};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The random text with which a caller marks repetitions of one onboarding. It is never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct OnboardingKey(String);

impl OnboardingKey {
    const LENGTH_MIN: usize = 16;
    const LENGTH_MAX: usize = 128;

    /// The digest under which home stores the onboarding: SHA-256, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        hex_of(&self.0)
    }

    /// The idempotency key of the sign-up in the onboarding's region: SHA-256 of
    /// `meridian:onboarding:`, the onboarding, a colon and the key, in hexadecimal. It cannot be
    /// derived from what home stores, and the next onboarding with the same key gets another one.
    #[must_use]
    pub fn for_region(&self, onboarding: OnboardingId) -> String {
        hex_of(&format!("meridian:onboarding:{onboarding}:{}", self.0))
    }

    /// The stored fingerprint of the requested placement, by which a repetition is distinguished from
    /// another request: SHA-256 of `meridian:placement:`, the placement, a colon and the key, in
    /// hexadecimal. The key is not stored, so nobody can use it to test where the person might be.
    #[must_use]
    pub fn fingerprint(&self, placement: &Placement) -> String {
        let placement = match placement {
            Placement::Region(region) => format!("region={region}"),
            Placement::Jurisdiction(jurisdiction) => format!("jurisdiction={jurisdiction}"),
            Placement::NearestTo(Location {
                latitude_millidegrees,
                longitude_millidegrees,
            }) => {
                format!("nearest_to={latitude_millidegrees},{longitude_millidegrees}")
            }
        };
        hex_of(&format!("meridian:placement:{placement}:{}", self.0))
    }
}

impl FromStr for OnboardingKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_bounded = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.len());
        if is_bounded && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "Idempotency-Key",
                rule: "16 to 128 visible ASCII characters, such as a random UUID",
            })
        }
    }
}

impl fmt::Debug for OnboardingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnboardingKey(..)")
    }
}

fn hex_of(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
