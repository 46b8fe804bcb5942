//! Converts events of API Gateway (HTTP API, payload format 2.0) to requests, and responses to its
//! answers.
//!
//! Invariant: no event that a caller can cause ends the function. `lambda_http` builds a URL from
//! the headers `host` and `x-forwarded-proto`, and panics where it is malformed
//! (aws-lambda-rust-runtime 368, 488, 515). So events are converted here: every part is parsed, and
//! a malformed part is a 400.

use super::{Problem, ProblemKind};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_ENCODING, COOKIE, HOST, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use tower::ServiceExt as _;

/// The header by which the gateway names the caller's scheme. It is checked, but not used.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The gateway's own data on a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gateway {
    /// The time at which it received the request, in milliseconds since 1970.
    pub(super) time_epoch_ms: Option<i64>,
    /// The caller's network address. Personal data.
    pub(super) source_ip: Option<String>,
}

/// The parsed part of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'e> {
    #[serde(borrow)]
    raw_path: Option<Text<'e>>,
    #[serde(borrow)]
    raw_query_string: Option<Text<'e>>,
    #[serde(borrow)]
    cookies: Option<Vec<Text<'e>>>,
    headers: Option<Headers>,
    #[serde(borrow)]
    body: Option<Text<'e>>,
    is_base64_encoded: Option<bool>,
    #[serde(borrow)]
    request_context: Context<'e>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'e> {
    #[serde(borrow)]
    http: ContextHttp<'e>,
    time_epoch: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextHttp<'e> {
    #[serde(borrow)]
    method: Text<'e>,
    #[serde(borrow)]
    source_ip: Option<Text<'e>>,
}

/// A text that is borrowed from the event, unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'e>(#[serde(borrow)] Cow<'e, str>);

impl Text<'_> {
    fn of<'t>(text: Option<&'t Text<'_>>) -> &'t str {
        text.map_or("", |Text(text)| text)
    }
}

/// Parsed headers.
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;
        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = HeaderMap::with_capacity(16);
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    let name = HeaderName::from_bytes(name.as_bytes());
                    let name =
                        name.map_err(|_| A::Error::custom("a header's name is malformed"))?;
                    let value = HeaderValue::from_str(&value);
                    let value =
                        value.map_err(|_| A::Error::custom("a header's value is malformed"))?;
                    // `append` panics where there are too many headers.
                    let appended = headers.try_append(name, value);
                    appended.map_err(|_| A::Error::custom("there are too many headers"))?;
                }
                Ok(Headers(headers))
            }
        }
        from.deserialize_map(HeadersVisitor)
    }
}

/// Converts an event to a request.
///
/// # Errors
/// 400 when a part of the event is not well-formed HTTP.
pub fn request(event: &str) -> Result<Request<Body>, Problem> {
    let event: Event<'_> = serde_json::from_str(event).map_err(|error| {
        // The error's own text is not logged, because it may quote the request.
        tracing::info!(category = ?error.classify(), "an event is malformed");
        malformed("Its method, path, headers or body cannot be read.")
    })?;
    let Event {
        raw_path,
        raw_query_string,
        cookies,
        headers,
        body,
        is_base64_encoded,
        request_context,
    } = event;
    let Context {
        http: ContextHttp { method, source_ip },
        time_epoch,
    } = request_context;
    let headers = headers_of(headers, cookies.as_deref())?;
    let mut request = Request::new(body_of(body, is_base64_encoded.unwrap_or_default())?);
    *request.method_mut() =
        Method::from_bytes(method.0.as_bytes()).map_err(|_| malformed("The method is none."))?;
    *request.uri_mut() = uri(
        Text::of(raw_path.as_ref()),
        Text::of(raw_query_string.as_ref()),
    )?;
    *request.headers_mut() = headers;
    let source_ip = source_ip.map(|Text(address)| address.into_owned());
    request.extensions_mut().insert(Gateway {
        time_epoch_ms: time_epoch,
        source_ip,
    });
    Ok(request)
}

/// The request of an event, parsed from the runtime's own buffer, so that a full batch of usage
/// events is not copied first.
pub(super) struct Incoming(Result<Request<Body>, Problem>);

impl<'de> Deserialize<'de> for Incoming {
    /// Fails only for an event that is not JSON, which the gateway never sends. Any other malformed
    /// event becomes a problem, because a failed deserialization is a failed invocation.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(from).map(|event| Self(request(event.get())))
    }
}

impl Incoming {
    /// The router's answer, in the gateway's form.
    pub(super) async fn answer(self, router: Router) -> Answer {
        Answer::of(dispatch(router, self.0).await).await
    }
}

/// The response of a router to any event.
pub async fn respond(router: Router, event: &str) -> Response {
    dispatch(router, request(event)).await
}

async fn dispatch(router: Router, request: Result<Request<Body>, Problem>) -> Response {
    match request {
        // The router's error type is uninhabited.
        Ok(request) => router
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {}),
        Err(problem) => problem.into_response(),
    }
}

/// The answer of a router to an event, in the gateway's form.
pub async fn answer(router: Router, event: &str) -> Answer {
    Answer::of(respond(router, event).await).await
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::MalformedRequest).detail(detail)
}

fn headers_of(
    headers: Option<Headers>,
    cookies: Option<&[Text<'_>]>,
) -> Result<HeaderMap, Problem> {
    let mut headers = headers.map(|Headers(headers)| headers).unwrap_or_default();
    if let Some(cookies) = cookies.filter(|cookies| !cookies.is_empty()) {
        let cookies: Vec<&str> = cookies.iter().map(|Text(cookie)| cookie.as_ref()).collect();
        let value = HeaderValue::try_from(cookies.join("; "))
            .map_err(|_| malformed("A cookie is malformed."))?;
        headers
            .try_insert(COOKIE, value)
            .map_err(|_| malformed("There are too many headers."))?;
    }
    let reads = |name: &str, is_valid: fn(&str) -> bool| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.to_str().is_ok_and(is_valid))
    };
    if !reads(HOST.as_str(), is_authority) {
        return Err(malformed(
            "The header host is no host with or without a port.",
        ));
    }
    if !reads(FORWARDED_PROTO, |list| {
        list.split(',').all(|scheme| is_scheme(scheme.trim()))
    }) {
        return Err(malformed("The header x-forwarded-proto names no scheme."));
    }
    Ok(headers)
}

/// Whether a text is a host with an optional port, as in a `Host` header (RFC 9110, 7.2). Whether
/// the host is a tenant's is left to the function that serves hosts.
fn is_authority(text: &str) -> bool {
    let (host, port) = text
        .rsplit_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let named = !host.is_empty()
        && host.bytes().all(is_plain)
        && host.split('.').all(kernel::is_readable_subdomain);
    named && port.is_none_or(is_port)
}

/// Whether a text is the name of a scheme (RFC 3986, 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn body_of(body: Option<Text<'_>>, is_base64_encoded: bool) -> Result<Body, Problem> {
    match body {
        None => Ok(Body::empty()),
        Some(Text(text)) if is_base64_encoded => {
            let bytes = BASE64_STANDARD.decode(text.as_bytes());
            bytes
                .map(Body::from)
                .map_err(|_| malformed("The body is not the base64 that it says it is."))
        }
        Some(Text(text)) => Ok(Body::from(text.into_owned())),
    }
}

/// The URI of a path and a query. The gateway decodes parts of the path, so characters that a path
/// cannot have are encoded again.
fn uri(path: &str, query: &str) -> Result<Uri, Problem> {
    let mut text = String::with_capacity(path.len() + query.len() + 1);
    encode(
        if path.is_empty() { "/" } else { path },
        |b| matches!(b, b'?'),
        &mut text,
    );
    if !text.starts_with('/') {
        return Err(malformed("The path does not begin with a slash."));
    }
    if repeats(query) {
        return Err(malformed("A parameter of the query is there twice."));
    }
    if !query.is_empty() {
        text.push('?');
        encode(query, |_| false, &mut text);
    }
    let path_and_query: Result<PathAndQuery, _> = text.parse();
    path_and_query
        .map(Uri::from)
        .map_err(|_| malformed("The path or the query is malformed, or too long."))
}

/// Whether a query names a parameter more than once. Such a query is refused, since readers differ
/// on whether the first or the last one counts.
fn repeats(query: &str) -> bool {
    let mut seen = HashSet::new();
    let parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        serde_urlencoded::from_str(query).unwrap_or_default();
    parameters.into_iter().any(|(name, _)| !seen.insert(name))
}

/// Percent-encodes the bytes that neither a path nor a query can have (RFC 3986, 3.3 and 3.4), and
/// those that `also` selects.
fn encode(text: &str, also: fn(u8) -> bool, into: &mut String) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_graphic() && !br##""#<>\^`{|}"##.contains(&byte) && !also(byte);
        if plain {
            into.push(char::from(byte));
        } else {
            const DIGITS: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
            ];
            into.extend([
                '%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
}

/// An answer in the gateway's form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    /// The headers. Values of a repeated header are joined by commas.
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl Answer {
    /// Converts a response.
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        // All bodies are in memory, so reading one does not fail.
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let is_encoded = parts.headers.contains_key(CONTENT_ENCODING);
        let (body, is_base64_encoded) = match std::str::from_utf8(&bytes) {
            Ok(text) if !is_encoded => (text.to_owned(), false),
            _ => (BASE64_STANDARD.encode(&bytes), true),
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in parts
            .headers
            .iter()
            .filter(|(name, _)| **name != SET_COOKIE)
        {
            let joined = headers.entry(name.as_str().to_owned()).or_default();
            if !joined.is_empty() {
                joined.push_str(", ");
            }
            joined.push_str(&text(value));
        }
        let cookies = parts.headers.get_all(SET_COOKIE).iter().map(text).collect();
        Self {
            status_code: parts.status.as_u16(),
            headers,
            cookies,
            body,
            is_base64_encoded,
        }
    }
}

#[cfg(test)]
mod tests;
