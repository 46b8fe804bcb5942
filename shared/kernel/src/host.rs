//! Names of hosts, as DNS, HTTP and mail accept them.

use crate::Invalid;
use std::fmt;
use std::str::FromStr;

/// The longest name in DNS, as text (RFC 1035, 2.3.4).
const NAME_LENGTH_MAX: usize = 253;
/// The longest label of a name (RFC 1035, 2.3.4).
const LABEL_LENGTH_MAX: usize = 63;

/// A fully qualified domain name in lower case, such as `example.com`. It has at least two labels,
/// the last of which is a top-level domain. An international name is in its ASCII form (RFC 5890,
/// A-labels).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name = text.to_ascii_lowercase();
        // A top-level domain is never all digits (RFC 3696, section 2), which excludes IPv4
        // addresses.
        let is_top = |label: &str| {
            label.bytes().all(|b| b.is_ascii_lowercase()) || label.starts_with("xn--")
        };
        let qualified = name
            .rsplit_once('.')
            .is_some_and(|(_, top)| top.len() > 1 && is_top(top));
        if qualified && is_host_name(&name) {
            Ok(Self(name))
        } else {
            Err(Invalid {
                kind: "domain",
                rule: "a domain such as example.com, in ASCII",
            })
        }
    }
}

/// Whether a text is a host name: labels of letters, digits and hyphens (RFC 1123, 2.1), with
/// international labels that can be decoded (RFC 5891, 5.4). Every IPv4 address is one too.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    text.len() <= NAME_LENGTH_MAX && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = label
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let bounded = (1..=LABEL_LENGTH_MAX).contains(&label.len());
    let inner_hyphens = !label.starts_with('-') && !label.ends_with('-');
    plain && bounded && inner_hyphens && (!is_reserved(label) || reads_as_international(label))
}

/// Whether a label has hyphens in the place of a prefix (RFC 5890, 2.3.1). `xn--` is the only
/// prefix in use.
fn is_reserved(label: &str) -> bool {
    label.get(2..4) == Some("--")
}

/// Whether a label can be decoded. Labels without the prefix `xn--` need no decoding.
#[must_use]
pub fn is_readable_subdomain(label: &str) -> bool {
    let is_international = label
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"));
    !is_international || reads_as_international(label)
}

fn reads_as_international(label: &str) -> bool {
    let (unicode, read) = idna::domain_to_unicode(label);
    read.is_ok() && !unicode.is_ascii()
}
