//! The public addresses of tenants: one host per subdomain, by a pattern that the operator sets.

use kernel::{Invalid, is_host_name};
use std::str::FromStr;

/// The placeholder of the subdomain in the pattern.
const PLACEHOLDER: &str = "{alias}";
/// The longest subdomain that DNS accepts (RFC 1035, section 2.3.4).
const SUBDOMAIN_LENGTH_MAX: usize = 63;

/// The addresses of tenants, such as `https://{alias}.app.example.com`. Empty where the region has
/// no domain for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(Option<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    before: String,
    after: String,
    /// The rest of a host name after the subdomain, with its leading dot.
    domain: String,
}

impl Addresses {
    /// The address of a subdomain, without a trailing slash. `None` without a domain.
    #[must_use]
    pub fn url(&self, subdomain: &str) -> Option<String> {
        let Pattern { before, after, .. } = self.0.as_ref()?;
        Some(format!("{before}{subdomain}{after}"))
    }

    /// The subdomain in a `Host` header. `None` where the host is malformed or not below the
    /// tenants' domain.
    #[must_use]
    pub fn subdomain(&self, host: &str) -> Option<String> {
        let host = host
            .rsplit_once(':')
            .map_or(host, |(host, _)| host)
            .to_ascii_lowercase();
        let subdomain = host.strip_suffix(self.0.as_ref()?.domain.as_str())?;
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=SUBDOMAIN_LENGTH_MAX).contains(&subdomain.len()) && subdomain.bytes().all(inner))
            .then(|| subdomain.to_owned())
    }
}

impl FromStr for Addresses {
    type Err = Invalid;

    /// Parses a pattern. An empty text means that tenants have no addresses.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let invalid = Invalid {
            kind: "tenant address",
            rule: "an address such as https://{alias}.app.example.com",
        };
        let (before, after) = text.split_once(PLACEHOLDER).ok_or(invalid)?;
        let (domain, port) = after
            .rsplit_once(':')
            .map_or((after, None), |(domain, port)| (domain, Some(port)));
        let named = domain.strip_prefix('.').is_some_and(is_host_name);
        let is_port =
            |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if matches!(before, "https://" | "http://") && named && port.is_none_or(is_port) {
            let (before, after, domain) = (
                before.to_owned(),
                after.to_owned(),
                domain.to_ascii_lowercase(),
            );
            Ok(Self(Some(Pattern {
                before,
                after,
                domain,
            })))
        } else {
            Err(invalid)
        }
    }
}
