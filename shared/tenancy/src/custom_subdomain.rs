//! Subdomains that tenants choose.

use kernel::{Alias, Invalid, RegionCode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A readable subdomain of a tenant's address, such as `acme` in `acme.app.example.com`.
///
/// Somebody typed it, and it may be an organisation's name. So it is treated as personal data: it
/// stays in the region, and only `expose` returns it. It is serialized for storage and for the
/// tenant's own users.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomSubdomain(String);

/// Names that would make an address look like the provider's own, or that machines give a meaning
/// to, such as `autodiscover` and `wpad`.
const RESERVED: [&str; 56] = [
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "app",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "billing",
    "cdn",
    "console",
    "dashboard",
    "dev",
    "dns",
    "docs",
    "email",
    "ftp",
    "help",
    "home",
    "hostmaster",
    "imap",
    "internal",
    "isatap",
    "localhost",
    "login",
    "logout",
    "mail",
    "meridian",
    "mx1",
    "ns1",
    "ns2",
    "oauth",
    "oidc",
    "operator",
    "pop",
    "pop3",
    "portal",
    "postmaster",
    "root",
    "security",
    "signin",
    "signup",
    "smtp",
    "sso",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "webmail",
    "webmaster",
    "wpad",
    "www",
];

impl CustomSubdomain {
    const LENGTH_MIN: usize = 3;
    const LENGTH_MAX: usize = 32;

    /// The subdomain itself, for the region's own table and DNS records and for the tenant's users.
    /// It must not appear in logs, errors or events.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for CustomSubdomain {
    type Err = Invalid;

    /// Parses a subdomain. A text that is a valid alias or region code is refused, so that a custom
    /// subdomain cannot be mistaken for one.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule| Invalid {
            kind: "subdomain",
            rule,
        };
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_formed = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        if !is_formed {
            return Err(invalid(
                "3 to 32 of a-z, 0-9 and single '-', beginning and ending with a letter or digit",
            ));
        }
        if RESERVED.contains(&text) || text.parse::<RegionCode>().is_ok() {
            return Err(invalid("a subdomain that is not reserved"));
        }
        if text.parse::<Alias>().is_ok() {
            return Err(invalid(
                "a subdomain that cannot be mistaken for a random one of 12 characters",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for CustomSubdomain {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<CustomSubdomain> for String {
    fn from(subdomain: CustomSubdomain) -> Self {
        subdomain.0
    }
}

impl fmt::Debug for CustomSubdomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomSubdomain(..)")
    }
}

impl utoipa::PartialSchema for CustomSubdomain {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{Object, Type};
        let mut schema = Object::with_type(Type::String);
        schema.description = Some("A subdomain that a tenant chose.".to_owned());
        schema.pattern = Some("^[a-z0-9](-?[a-z0-9]){2,31}$".to_owned());
        schema.max_length = Some(Self::LENGTH_MAX);
        schema.into()
    }
}

impl utoipa::ToSchema for CustomSubdomain {
    fn name() -> std::borrow::Cow<'static, str> {
        "CustomSubdomain".into()
    }
}
