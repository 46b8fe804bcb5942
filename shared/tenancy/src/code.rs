//! Codes that people paste from a mail or a page, possibly with other characters around them.

use crate::idempotency::KeyDigest;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use kernel::Invalid;
use std::fmt;
use std::str::FromStr;

/// The longest text that is tried as a code, in bytes: room for the longest code with a blank after
/// each character.
const PASTED_LENGTH_MAX: usize = 512;

/// Removes blanks, hyphens and invisible characters from a pasted code and makes full-width letters
/// and digits plain (UAX 15, form KC). No code of ours contains a hyphen.
pub(crate) fn pasted(text: &str) -> Option<String> {
    if text.len() > PASTED_LENGTH_MAX {
        return None;
    }
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let category = CodePointMapData::<GeneralCategory>::new();
    let counts = |character: &char| {
        let dash = category.get(*character) == GeneralCategory::DashPunctuation
            || *character == '\u{2212}';
        !character.is_whitespace() && !ignorable.contains(*character) && !dash
    };
    Some(
        ComposingNormalizerBorrowed::new_nfkc()
            .normalize(text)
            .chars()
            .filter(counts)
            .collect(),
    )
}

/// The digits that the identity provider mails to prove ownership of an address.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmationCode(String);

impl ConfirmationCode {
    /// The digits, for the identity provider only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConfirmationCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let well_formed = |code: &String| {
            (4..=12).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit())
        };
        let invalid = Invalid {
            kind: "code",
            rule: "the digits that were mailed",
        };
        pasted(text).filter(well_formed).map(Self).ok_or(invalid)
    }
}

impl fmt::Debug for ConfirmationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmationCode(..)")
    }
}

/// The secret that undoes a closure without a sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct UndoCode(u128);

impl UndoCode {
    /// A code of 16 random bytes.
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }

    /// The code itself, for the person who closes the tenant and nobody else.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{:032x}", self.0)
    }

    /// The digest that is stored.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of("closure", &self.reveal())
    }
}

impl FromStr for UndoCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "undo code",
            rule: "the undo_code of the closure",
        };
        // `from_str_radix` accepts a leading sign, which no code has.
        let digits = pasted(text)
            .filter(|code| code.len() == 32 && code.bytes().all(|b| b.is_ascii_hexdigit()));
        digits
            .and_then(|digits| u128::from_str_radix(&digits, 16).ok())
            .map(Self)
            .ok_or(invalid)
    }
}

impl fmt::Debug for UndoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UndoCode(..)")
    }
}
