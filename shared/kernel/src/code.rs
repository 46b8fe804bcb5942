//! Short codes from closed alphabets, too narrow for free text.

use crate::{Invalid, text_schema, text_value};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::str::FromStr;

/// Declares a code: a bounded text of lower-case letters, digits and inner `-` or `_`.
macro_rules! code {
    ($(#[doc = $doc:literal])* $name:ident, $kind:literal) => {
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
        )]
        pub struct $name(String);

        impl $name {
            /// The code as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                if is_code(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid { kind: $kind, rule: CODE_RULE })
                }
            }
        }

        text_value!($name);

        text_schema!($name, concat!($($doc),*), pattern: "^[a-z0-9]([a-z0-9_-]{0,46}[a-z0-9])?$");
    };
}

const CODE_RULE: &str =
    "1 to 48 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit";
const CODE_LENGTH_MAX: usize = 48;

fn is_code(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= CODE_LENGTH_MAX
        && bytes.iter().copied().all(inner)
        && edge(bytes.first())
        && edge(bytes.last())
}

code!(
    /// A plan of the catalogue, such as `starter`.
    PlanCode,
    "plan"
);
code!(
    /// A meter of the catalogue, such as `api-calls`.
    MeterCode,
    "meter"
);
code!(
    /// A dimension of a meter, or a value of a dimension, such as `model` or `large`. The catalogue
    /// declares both.
    DimensionCode,
    "dimension"
);
code!(
    /// A feature that a plan includes, such as `sso`.
    EntitlementCode,
    "entitlement"
);
code!(
    /// The company of the provider that issues invoices in a country. Invoice numbers are gapless
    /// per legal entity.
    LegalEntity,
    "legal entity"
);

code!(
    /// The reason of a failure, as a word that its author chose, such as `quota-exceeded`.
    ReasonCode,
    "reason"
);

/// Reasons that Meridian itself gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownReason {
    /// No answer arrived in time.
    NoAnswer,
    /// A failure was reported without a reason.
    Unspecified,
    /// The password breaks the user pool's rules.
    PasswordRefused,
    /// The account was refused.
    Refused,
    /// A service could not be reached or was overloaded.
    Unavailable,
    /// A deadline passed.
    Expired,
    /// The application failed, for a reason that stays in the region.
    Application,
}

impl From<KnownReason> for ReasonCode {
    fn from(reason: KnownReason) -> Self {
        let word = match reason {
            KnownReason::NoAnswer => "no-answer",
            KnownReason::Unspecified => "unspecified",
            KnownReason::PasswordRefused => "password-refused",
            KnownReason::Refused => "refused",
            KnownReason::Unavailable => "unavailable",
            KnownReason::Expired => "expired",
            KnownReason::Application => "application",
        };
        Self(word.to_owned())
    }
}

/// The random public name of a tenant, which is the first part of its address.
///
/// Twelve characters of an alphabet without look-alikes: 31^12 is about 2^59, enough to draw one at
/// random without asking anyone. It is never derived from a tenant's id, name or region.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct Alias(String);

impl Alias {
    /// The number of characters of an alias.
    pub const LENGTH: usize = 12;
    const ALPHABET: &'static [u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

    /// Makes an alias from 16 random bytes, which the caller supplies.
    ///
    /// The bytes are read as one number in base 31, so the bias is below 2^-69.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut number = u128::from_be_bytes(bytes);
        let base = Self::ALPHABET.len() as u128;
        let alias = (0..Self::LENGTH)
            .map(|_| {
                let digit = usize::try_from(number % base).unwrap_or_default();
                number /= base;
                char::from(Self::ALPHABET[digit])
            })
            .collect();
        Self(alias)
    }

    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = text.len() == Self::LENGTH && text.bytes().all(|b| Self::ALPHABET.contains(&b));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "alias",
                rule: "12 of 2-9 and a-z without i, l and o",
            })
        }
    }
}

text_value!(Alias);

text_schema!(Alias, "The random public name of a tenant, which is the first part of its address.", pattern: "^[2-9a-hjkmnp-z]{12}$");
