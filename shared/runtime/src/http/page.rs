//! Serves the files of web pages, with headers that let a page load only its own files.

use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The kind of a page's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The page itself.
    Html,
    /// JavaScript.
    Script,
    /// CSS.
    Style,
}

impl FileKind {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
        }
    }
}

/// The content security policy of a page (W3C, CSP Level 3): the origins that it may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePolicy(String);

impl PagePolicy {
    /// The policy of a page that calls its own origin and those of `addresses`. Malformed addresses
    /// are left out.
    pub fn connecting_to<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Self {
        let origins: BTreeSet<&str> = addresses.into_iter().filter_map(origin).collect();
        let mut policy = String::from(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'none'; \
             base-uri 'none'; frame-ancestors 'none'; connect-src 'self'",
        );
        for origin in origins {
            // Writing to a String cannot fail.
            let _ = write!(policy, " {origin}");
        }
        Self(policy)
    }
}

/// Scheme, host and port of an address. None where one of them has a character with a meaning of
/// its own in a policy, such as `*` or `;`.
fn origin(address: &str) -> Option<&str> {
    let host = address.find("://")? + "://".len();
    let end = address[host..]
        .find('/')
        .map_or(address.len(), |length| host + length);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    let holds = matches!(&address[..host], "https://" | "http://") && end > host;
    (holds && address[host..end].bytes().all(plain)).then(|| &address[..end])
}

/// A file of a page, built into the function. It is served without a token.
#[derive(Debug, Clone, Copy)]
pub struct PageFile<'a> {
    /// The kind of the file.
    pub kind: FileKind,
    /// The content.
    pub text: &'static str,
    /// The policy of the page.
    pub policy: &'a PagePolicy,
}

impl IntoResponse for PageFile<'_> {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (CONTENT_TYPE, self.kind.media_type()),
            (CACHE_CONTROL, "public, max-age=300"),
            (CONTENT_SECURITY_POLICY, &self.policy.0),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ];
        (headers, self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_connects_only_to_its_own_origin_and_the_named_ones() {
        let policy = |addresses: &[&str]| PagePolicy::connecting_to(addresses.iter().copied()).0;
        let own = "connect-src 'self'";
        for (addresses, connects) in [
            (vec![], own.to_owned()),
            (
                vec!["https://a.example/path", "https://a.example"],
                format!("{own} https://a.example"),
            ),
            (vec!["http://127.0.0.1:4600/x", "https://b.example:8443"], {
                format!("{own} http://127.0.0.1:4600 https://b.example:8443")
            }),
            (
                vec![
                    "https://*.example",
                    "https://a.example;x",
                    "https://",
                    "a.example",
                    "data:x",
                    "ftp://a",
                ],
                own.into(),
            ),
        ] {
            let policy = policy(&addresses);
            assert!(
                policy.starts_with("default-src 'none'; ") && policy.ends_with(&connects),
                "{addresses:?}: {policy}"
            );
        }
    }
}
