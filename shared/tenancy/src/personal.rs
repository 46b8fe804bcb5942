//! Personal data: values that name or identify a person, or that a person typed freely.
//!
//! None of them implements `Display` or serde. `Debug` says the type and nothing else. Whoever has
//! to store or send one asks by `expose`, which is easy to search for.

use crate::displayed::displayed;
use icu_normalizer::ComposingNormalizerBorrowed;
use kernel::{DomainName, Invalid};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Gives a personal value its redacted `Debug` and its one way out.
macro_rules! personal {
    ($name:ident) => {
        impl $name {
            /// The value itself: to be stored in the region, or given to its identity provider.
            /// Never to be logged, nor put into an error or an event.
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
        let too_long = "at most 120 characters long";
        name(text, NAME_LENGTH_MAX, too_long)
            .map(Self)
            .map_err(|rule| Invalid { kind: "name", rule })
    }
}

impl PersonName {
    /// What stands for the name of somebody of whom only the address is known.
    #[must_use]
    pub fn of_address(email: &EmailAddress) -> Self {
        let (local, domain) = email.parts();
        // An address may begin with what is no name, and with what reads like a web address or a
        // telephone number. A domain's subdomain may be a telephone number too, and its top-level
        // domain is none: that is never all digits.
        let words = local.replace(|c: char| !c.is_ascii_alphanumeric(), " ");
        let subdomain = domain.split('.').next().unwrap_or_default();
        let top = domain.rsplit('.').next().unwrap_or_default();
        let named = local
            .parse()
            .or_else(|_| words.parse())
            .or_else(|_| subdomain.parse());
        named
            .or_else(|_| subdomain.replace('-', "").parse())
            .unwrap_or_else(|_| Self(top.to_owned()))
    }
}

/// An organisation's name, as a person typed it.
#[derive(Clone, PartialEq, Eq)]
pub struct OrganisationName(String);
personal!(OrganisationName);

impl FromStr for OrganisationName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let too_long = "at most 200 characters long";
        name(text, ORGANISATION_LENGTH_MAX, too_long)
            .map(Self)
            .map_err(|rule| Invalid {
                kind: "organisation",
                rule,
            })
    }
}

/// A name as it is shown to others.
fn name(text: &str, length_max: usize, too_long: &'static str) -> Result<String, &'static str> {
    // A text of any length is not normalised first.
    if text.trim().chars().count() > length_max * 4 {
        return Err(too_long);
    }
    displayed(text).and_then(|name| {
        if name.chars().count() > length_max {
            Err(too_long)
        } else {
            Ok(name)
        }
    })
}

/// An e-mail address to which a code can be sent.
///
/// Only ASCII: Amazon SES does not support SMTPUTF8, and takes international domains in their ASCII
/// form.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);
personal!(EmailAddress);

impl EmailAddress {
    /// RFC 3696, erratum 1690.
    const LENGTH_MAX: usize = 254;
    /// RFC 5321, 4.5.3.1.1.
    const LOCAL_LENGTH_MAX: usize = 64;
    const RULE: &str = "an address such as name@example.com, in ASCII, of at most 254 characters";

    /// The form by which addresses are compared: two that differ only in case are one.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// What is before and what is after the sign.
    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }
}

impl FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let parts = text
            .rsplit_once('@')
            .filter(|_| text.len() <= Self::LENGTH_MAX);
        // A domain has a name: to an IP address, nobody mails codes. It is fully qualified and not
        // an address literal.
        let valid = |(local, domain): (&str, &str)| {
            is_dot_atom(local) && domain.parse::<DomainName>().is_ok()
        };
        if parts.is_some_and(valid) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "email",
                rule: Self::RULE,
            })
        }
    }
}

/// Whether a text is the part of an address before the sign, as it is in use (RFC 5321, 4.1.2,
/// Dot-string). Quoted ones are valid too, and nobody has one.
fn is_dot_atom(local: &str) -> bool {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local.len() <= EmailAddress::LOCAL_LENGTH_MAX
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// A password on its way to the identity provider. It is stored nowhere else, in no form.
///
/// Normalised (UAX 15, form KC), so that it is the same password on every keyboard (NIST SP
/// 800-63B, 5.1.1.2). The sign-in page normalises what is typed there in the same way.
#[derive(Clone)]
pub struct Password(String);
personal!(Password);

impl Password {
    const LENGTH_MIN: usize = 12;
    /// The longest that Amazon Cognito takes.
    const LENGTH_MAX: usize = 256;

    /// The form in which passwords are set and compared.
    #[must_use]
    pub fn normal(text: &str) -> Cow<'_, str> {
        ComposingNormalizerBorrowed::new_nfkc().normalize(text)
    }
}

impl FromStr for Password {
    type Err = Invalid;

    /// The rules of the user pool, so that a weak password is refused before anything is stored.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Four characters are one in their normal form at most, so what is longer is too long in
        // any case.
        let bounded = text.chars().count() <= Self::LENGTH_MAX * 4;
        let text = if bounded {
            Self::normal(text)
        } else {
            text.into()
        };
        let has = |test: fn(&char) -> bool| text.chars().any(|c| test(&c));
        let length = text.chars().count();
        let rule = if length < Self::LENGTH_MIN {
            Some("at least 12 characters long")
        } else if length > Self::LENGTH_MAX {
            Some("at most 256 characters long")
        } else if text.trim() != text.as_ref() || has(|c| c.is_control()) {
            Some("without blanks at its ends and without control characters")
        } else if !(has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_digit))
        {
            Some("made of at least one lower-case letter, one upper-case letter and one digit")
        } else {
            None
        };
        match rule {
            Some(rule) => Err(Invalid {
                kind: "password",
                rule,
            }),
            None => Ok(Self(text.into_owned())),
        }
    }
}
