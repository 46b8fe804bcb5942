//! Binary mode: the attributes of an event come in headers, and the body is its data.

use crate::json::{DATA, FIELDS, Wire};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// The prefix of attribute headers (`CloudEvents` HTTP binding, section 3.1.3.1).
const PREFIX: &str = "ce-";

/// The attributes of an event in binary mode. Its `Debug` form shows none of them, since a client
/// wrote them.
#[derive(Clone, PartialEq, Eq)]
pub struct Attributes {
    /// The index in [`FIELDS`], and the text if it could be decoded.
    texts: Vec<(usize, Option<String>)>,
    duplicate: Option<&'static str>,
}

impl Attributes {
    /// Reads headers, whose names are in lower case. Returns nothing when `ce-specversion` is
    /// absent.
    pub(crate) fn of_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let mut attributes = Self {
            texts: Vec::new(),
            duplicate: None,
        };
        let named = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
        for (name, value) in named {
            let field = FIELDS[..DATA].iter().position(|field| *field == name);
            if !seen.insert(name) {
                attributes
                    .duplicate
                    .get_or_insert(field.map_or("an extension", |at| FIELDS[at]));
            } else if let Some(at) = field {
                attributes.texts.push((at, decode(value)));
            }
        }
        seen.contains(FIELDS[0]).then_some(attributes)
    }

    /// Combines the attributes with the data into an event.
    pub(crate) fn wire<'b>(&'b self, data: Option<&'b RawValue>) -> Wire<'b> {
        let texts = self.texts.iter().map(|(at, text)| (*at, text.as_deref()));
        Wire::of_headers(texts, self.duplicate, data)
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({})", self.texts.len())
    }
}

/// Decodes a header's value (`CloudEvents` HTTP binding, section 3.1.3.2): a quoted string is
/// unescaped, then percent-encoding is decoded once. Returns nothing when the value breaks these
/// rules or is not UTF-8.
fn decode(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let plain = unquoted(value)?;
    let mut rest = plain.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hexadecimal(rest.next()?)? << 4 | hexadecimal(rest.next()?)?,
            b' '..=b'~' => byte,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Unescapes a quoted string (RFC 9110, section 5.6.4), which only older senders use. A bare value
/// with a quote in it is refused, since it could mean either form.
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return (!value.contains(&b'"')).then_some(Cow::Borrowed(value));
    };
    let mut text = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter().copied();
    loop {
        match rest.next()? {
            b'"' => return rest.next().is_none().then_some(Cow::Owned(text)),
            b'\\' => text.push(rest.next()?),
            byte => text.push(byte),
        }
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn headers_are_decoded_once() {
        let rows: [(&[u8], Option<&str>); 17] = [
            (b"", Some("")),
            (b"/gateway;a=b,c", Some("/gateway;a=b,c")),
            (
                b"Euro%20%E2%82%AC%20%F0%9F%98%80",
                Some("Euro \u{20ac} \u{1f600}"),
            ),
            (b"%41%e2%82%ac", Some("A\u{20ac}")),
            (b"100%2525", Some("100%25")),
            (b"a b", Some("a b")),
            (br#""a b""#, Some("a b")),
            (br#""a\"b\\c""#, Some(r#"a"b\c"#)),
            (br#""100%25""#, Some("100%")),
            (br#"a"b"#, None),
            (br#""a"#, None),
            (br#""a"b"#, None),
            (b"100%", None),
            (b"%4", None),
            (b"%4g", None),
            (b"%ff", None),
            ("\u{20ac}".as_bytes(), None),
        ];
        for (value, text) in rows {
            assert_eq!(
                decode(value).as_deref(),
                text,
                "{}",
                String::from_utf8_lossy(value)
            );
        }
    }
}
