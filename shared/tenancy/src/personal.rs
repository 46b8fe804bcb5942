//! Personal data: values that name or identify a person, or that a person typed freely.
//!
//! None of them implements `Display` or serde. `Debug` says the type and nothing else. Whoever has to
//! store or send one asks by `expose`, which is easy to search for.

use email_address::Options;
use kernel::Invalid;
use std::fmt;
use std::str::FromStr;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Gives a personal value its redacted `Debug` and its one way out.
macro_rules! personal {
    ($name:ident) => {
        impl $name {
            /// The value itself: to be stored in the region, or given to its identity provider. Never to
            /// be logged, nor put into an error or a fact.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use personal;

const NAME_LENGTH_MAX: usize = 120;
const ORGANISATION_LENGTH_MAX: usize = 200;

/// A person's name, as the person writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);
personal!(PersonName);

impl FromStr for PersonName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        line(text, NAME_LENGTH_MAX)
            .map(Self)
            .ok_or(Invalid { kind: "name", rule: "1 to 120 characters on one line, without web addresses" })
    }
}

impl PersonName {
    /// What stands for the name of somebody of whom only the address is known.
    #[must_use]
    pub fn of_address(email: &EmailAddress) -> Self {
        let local: String = email.expose().split('@').take(1).flat_map(str::chars).take(NAME_LENGTH_MAX).collect();
        // What reads like a web address becomes words.
        local.parse().unwrap_or_else(|_| Self(local.replace('.', " ")))
    }
}

/// An organisation's name, as a person typed it.
#[derive(Clone, PartialEq, Eq)]
pub struct OrganisationName(String);
personal!(OrganisationName);

impl FromStr for OrganisationName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        line(text, ORGANISATION_LENGTH_MAX)
            .map(Self)
            .ok_or(Invalid { kind: "organisation", rule: "1 to 200 characters on one line, without web addresses" })
    }
}

/// A text of one line without the blanks around it; none when nothing of it is seen, it is too long, or it could disguise
/// the mail that it stands in.
fn line(text: &str, length_max: usize) -> Option<String> {
    let text = text.trim();
    let seen = |character: char| !joins(character) && !character.is_whitespace();
    let fits = text.chars().any(seen) && text.chars().count() <= length_max;
    let valid = fits && !text.chars().any(is_unseen) && !holds_web_address(text);
    valid.then(|| text.to_owned())
}

/// Whether a character is not seen itself but breaks lines, or hides or turns around what is beside it.
fn is_unseen(character: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    let unseen = matches!(character.general_category(), Control | Format | LineSeparator | ParagraphSeparator);
    unseen && !joins(character)
}

/// Whether a character says how its neighbours are joined: Persian, Hindi and others are not written rightly without.
const fn joins(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Whether programs that show mails would make a link of a part of the text.
fn holds_web_address(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let begins_word = |(at, _)| !text[..at].ends_with(char::is_alphanumeric);
    text.contains("://") || text.match_indices("www.").any(begins_word)
}

/// An e-mail address to which a code can be sent.
///
/// Only ASCII: Amazon SES does not support SMTPUTF8, and takes international domains in Punycode.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);
personal!(EmailAddress);

impl EmailAddress {
    /// RFC 3696, erratum 1690.
    const LENGTH_MAX: usize = 254;
    const RULE: &str = "an address such as name@example.com, in ASCII, of at most 254 characters";

    /// The form by which addresses are compared: two that differ only in case are one.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>'));
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        let valid = text.len() <= Self::LENGTH_MAX
            && plain
            && email_address::EmailAddress::parse_with_options(text, options).is_ok();
        if valid { Ok(Self(text.to_owned())) } else { Err(Invalid { kind: "email", rule: Self::RULE }) }
    }
}

/// A password on its way to the identity provider. It is stored nowhere else, in no form.
#[derive(Clone)]
pub struct Password(String);
personal!(Password);

impl Password {
    const LENGTH_MIN: usize = 12;
    /// The longest that Amazon Cognito takes.
    const LENGTH_MAX: usize = 256;
}

impl FromStr for Password {
    type Err = Invalid;

    /// The rules of the user pool, so that a weak password is refused before anything is stored.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let has = |test: fn(&char) -> bool| text.chars().any(|c| test(&c));
        let length = text.chars().count();
        let rule = if length < Self::LENGTH_MIN {
            Some("at least 12 characters long")
        } else if length > Self::LENGTH_MAX {
            Some("at most 256 characters long")
        } else if text.trim() != text || has(|c| c.is_control()) {
            Some("without blanks at its ends and without control characters")
        } else if !(has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit)) {
            Some("made of at least one lower-case letter, one upper-case letter and one digit")
        } else {
            None
        };
        match rule {
            Some(rule) => Err(Invalid { kind: "password", rule }),
            None => Ok(Self(text.to_owned())),
        }
    }
}
