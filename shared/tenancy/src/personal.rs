//! Personal data: values that name or identify a person, or that a person typed.
//!
//! None of them implements `Display` or serde. `Debug` prints only the type. The one way to the
//! value is `expose`, which is easy to search for.

use crate::displayed::displayed;
use icu_normalizer::ComposingNormalizerBorrowed;
use kernel::{DomainName, Invalid};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Implements the redacted `Debug` and `expose` for a personal type.
macro_rules! personal {
    ($name:ident) => {
        impl $name {
            /// The value itself, for the region's table or identity provider. It must not appear in
            /// logs, errors or events.
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

/// A person's name as typed.
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
    /// A replacement for the name of a person of whom only the address is known.
    #[must_use]
    pub fn of_address(email: &EmailAddress) -> Self {
        let (local, domain) = email.parts();
        // The part before the `@` may be no valid name, for instance if it reads like a web address
        // or a telephone number. So may the domain's first part. The top-level domain is the last
        // resort: it is never all digits.
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

/// An organisation's name as typed.
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

/// Prepares a name for display.
fn name(text: &str, length_max: usize, too_long: &'static str) -> Result<String, &'static str> {
    // Bounds the cost: a text of any length would otherwise be normalised.
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
/// ASCII only: Amazon SES does not support SMTPUTF8, and accepts international domains in their
/// ASCII form.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);
personal!(EmailAddress);

impl EmailAddress {
    /// RFC 3696, erratum 1690.
    const LENGTH_MAX: usize = 254;
    /// RFC 5321, 4.5.3.1.1.
    const LOCAL_LENGTH_MAX: usize = 64;
    const RULE: &str = "an address such as name@example.com, in ASCII, of at most 254 characters";

    /// The form in which addresses are compared: lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The parts before and after the `@`.
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
        // The domain has to be a fully qualified name: address literals are refused, since nobody
        // mails codes to an IP address.
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

/// Whether a text is a valid part before the `@` (RFC 5321, 4.1.2, Dot-string). Quoted strings are
/// valid by the RFC but not accepted, since nobody uses them.
fn is_dot_atom(local: &str) -> bool {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local.len() <= EmailAddress::LOCAL_LENGTH_MAX
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// A password on its way to the identity provider. No form of it is stored anywhere else.
///
/// It is normalised (UAX 15, form KC), so that it is the same on every keyboard (NIST SP 800-63B,
/// 5.1.1.2). The sign-in page normalises in the same way.
#[derive(Clone)]
pub struct Password(String);
personal!(Password);

impl Password {
    const LENGTH_MIN: usize = 12;
    /// The longest password that Amazon Cognito accepts.
    const LENGTH_MAX: usize = 256;

    /// The normal form in which passwords are set and compared.
    #[must_use]
    pub fn normal(text: &str) -> Cow<'_, str> {
        ComposingNormalizerBorrowed::new_nfkc().normalize(text)
    }
}

impl FromStr for Password {
    type Err = Invalid;

    /// Applies the rules of the user pool, so that a weak password is refused before anything is
    /// stored.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Normalisation merges at most four characters into one, so a longer text stays too long.
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
