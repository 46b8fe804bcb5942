//! Codes that people paste out of a mail or a page, with whatever came along.

use crate::KeyDigest;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use kernel::Invalid;
use std::fmt;
use std::str::FromStr;

/// The longest text that is looked at as a code: more than the longest code, one blank after each
/// of its letters.
const PASTED_LENGTH_MAX: usize = 512;

/// What is left of a pasted code without blanks, hyphens and what is not seen; letters and digits
/// of full width are plain ones (UAX 15, form KC). No code of ours has hyphens that count.
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

/// The digits that the identity provider mails to prove an address.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfirmationCode(String);

impl ConfirmationCode {
    /// The digits: for the identity provider.
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

/// The secret by which a closure is undone without signing in.
#[derive(Clone, PartialEq, Eq)]
pub struct UndoCode(u128);

impl UndoCode {
    /// A code of 16 random bytes.
    #[must_use]
    pub const fn from_random(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }

    /// The code itself: for who closes the tenant, and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{:032x}", self.0)
    }

    /// What is stored of it.
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
        // Parsing a number takes a sign, too.
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
