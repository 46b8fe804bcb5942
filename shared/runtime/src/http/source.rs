//! The network source of a request.

use super::event::Gateway;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::IpAddr;

/// The source of a request as rate limits count it: an IPv4 address, or a /64 network of IPv6,
/// since one subscriber has at least a /64 (RFC 6177). The gateway reports the address. It is
/// personal data, so this type has no `Debug`, and the address itself is not stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(String);

impl Source {
    /// The address or network as text, only for the digest under which it is counted. Empty where
    /// the gateway reports no address.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn of(address: &str) -> Self {
        // An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is the same source as its IPv4 address.
        Self(
            match address
                .parse::<IpAddr>()
                .map(|address| address.to_canonical())
            {
                Ok(IpAddr::V4(address)) => address.to_string(),
                Ok(IpAddr::V6(address)) => {
                    let [a, b, c, d, ..] = address.segments();
                    format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
                }
                Err(_) => String::new(),
            },
        )
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts
            .extensions
            .get::<Gateway>()
            .and_then(|gateway| gateway.source_ip.as_deref());
        Ok(Self::of(address.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn all_forms_of_a_subscribers_address_are_one_source() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("0:0:0:0:0:FFFF:C000:0201", "192.0.2.1"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            (
                "2001:0DB8:0001:0002:0000:0000:0000:0001",
                "2001:db8:1:2::/64",
            ),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "0:0:0:0::/64"),
            ("", ""),
            ("nowhere", ""),
            ("192.0.2.256", ""),
        ] {
            assert_eq!(Source::of(address).expose(), expected, "{address}");
        }
    }
}
