//! Malformed events of API Gateway: cases of `events/`, changed where a caller, a proxy or a
//! mistake can change them. The same seed generates the same events.

use fastrand::Rng;
use serde_json::{Value, json};

/// Texts that parsers, validators and log formats are known to handle wrongly.
const TEXTS: [&str; 62] = [
    "",
    " ",
    "\0",
    "\n",
    "\r\nx: y",
    "\t",
    "\u{7f}",
    "\u{e9}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffd}",
    "\u{1f600}",
    "e\u{301}",
    "\u{10ffff}",
    "xn--a.localhost",
    "xn--",
    "127.0.0.1:99999",
    "127.0.0.1:-1",
    "a b",
    "[::1]",
    "[::1",
    "]",
    "a:b:c",
    "user@host",
    "https",
    "https,http",
    "https://",
    "javascript:",
    "%",
    "%zz",
    "%FF",
    "%00",
    "%2F",
    "%F0%9F%98%80",
    "+",
    "&",
    "=",
    "a=1&a=2",
    "?",
    "#",
    "..",
    "/../..",
    "//",
    "\\",
    "{}",
    "[]",
    "[\"a\"]",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "Bearer",
    "Bearer ",
    "Bearer a.b.c",
    "bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AA",
    "Basic OjpA",
    "gzip",
    "text/csv;q=, */*",
    "W/\"",
];
const HEADERS: [&str; 20] = [
    "host",
    "x-forwarded-proto",
    "x-forwarded-for",
    "x-forwarded-port",
    "content-type",
    "content-encoding",
    "content-length",
    "accept",
    "accept-language",
    "authorization",
    "cookie",
    "idempotency-key",
    "meridian-onboarding",
    "meridian-seal",
    "if-none-match",
    "ce-specversion",
    "ce-id",
    "ce-time",
    "x-amzn-trace-id",
    "",
];
const MEMBERS: [&str; 14] = [
    "/rawPath",
    "/rawQueryString",
    "/cookies",
    "/headers",
    "/queryStringParameters",
    "/pathParameters",
    "/stageVariables",
    "/body",
    "/isBase64Encoded",
    "/requestContext",
    "/requestContext/http",
    "/requestContext/http/method",
    "/requestContext/http/sourceIp",
    "/requestContext/timeEpoch",
];
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X-Y_Z",
];

/// Generates odd events from valid ones.
#[derive(Debug)]
pub struct OddEvents {
    random: Rng,
    usual: Vec<Value>,
}

impl OddEvents {
    /// Odd events from these valid ones.
    #[must_use]
    pub fn new(seed: u64, usual: Vec<Value>) -> Self {
        Self {
            random: Rng::with_seed(seed),
            usual,
        }
    }

    /// The next event, as text: it may not even be JSON.
    pub fn next_event(&mut self) -> String {
        let at = self.random.usize(..self.usual.len().max(1));
        let mut event = self.usual.get(at).cloned().unwrap_or_default();
        for _ in 0..self.random.u8(1..4) {
            self.change(&mut event);
        }
        let mut text = event.to_string();
        if self.random.u8(..40) == 0 {
            self.damage(&mut text);
        }
        text
    }

    fn change(&mut self, event: &mut Value) {
        match self.random.u8(..10) {
            0 | 1 => {
                let name = if self.random.u8(..8) == 0 {
                    self.text()
                } else {
                    self.pick(&HEADERS)
                };
                set(event, "headers", &name, json!(self.text()));
            }
            2 => {
                let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
                // The last segment of a path is what most routes read.
                event["rawPath"] = match (self.random.u8(..3), path.rsplit_once('/')) {
                    (0, Some((rest, _))) => json!(format!("{rest}/{}", self.text())),
                    (1, _) => json!(format!("{path}/%{:02X}", self.random.u8(..))),
                    _ => json!(self.spliced(&path)),
                };
            }
            3 => {
                let query = event["rawQueryString"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                event["rawQueryString"] = json!(self.spliced(&query));
            }
            4 => event["cookies"] = json!([self.text(), self.text()]),
            5 => {
                let method = if self.random.u8(..4) == 0 {
                    self.text()
                } else {
                    self.pick(&METHODS)
                };
                set(
                    &mut event["requestContext"],
                    "http",
                    "method",
                    json!(method),
                );
            }
            6 => self.change_body(event),
            7 => {
                let pointer = self.pick(&MEMBERS);
                let value = self.value(3);
                if let Some(member) = event.pointer_mut(&pointer) {
                    *member = value;
                }
            }
            8 => {
                let pointer = self.pick(&MEMBERS);
                if let Some((parent, name)) = pointer.rsplit_once('/')
                    && let Some(parent) = event.pointer_mut(parent).and_then(Value::as_object_mut)
                {
                    parent.remove(name);
                }
            }
            _ => {
                let pointer = if self.random.bool() {
                    "/requestContext/timeEpoch"
                } else {
                    "/requestContext/http/sourceIp"
                };
                let value = if self.random.bool() {
                    json!(self.random.i64(..))
                } else {
                    json!(self.text())
                };
                if let Some(member) = event.pointer_mut(pointer) {
                    *member = value;
                }
            }
        }
    }

    fn change_body(&mut self, event: &mut Value) {
        let body = event["body"].as_str().unwrap_or_default().to_owned();
        event["body"] = match self.random.u8(..6) {
            0 => json!(self.spliced(&body)),
            1 => json!(self.value(4).to_string()),
            2 => {
                let depth = self.random.usize(..30_000);
                json!(format!(
                    "{{\"placement\":{{\"a\":{}{}}}}}",
                    "[".repeat(depth),
                    "]".repeat(depth)
                ))
            }
            3 => json!("{\"a\":".repeat(self.random.usize(..5_000))),
            // Fields by position: serde accepts a list in place of a struct, and a handler may not.
            4 => {
                let document: Value = serde_json::from_str(&body).unwrap_or_default();
                json!(by_position(&document).to_string())
            }
            _ => {
                event["isBase64Encoded"] = json!(true);
                json!(body)
            }
        };
    }

    /// A text with an odd one inserted, or a part of it removed.
    fn spliced(&mut self, text: &str) -> String {
        let mut boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        boundaries.push(text.len());
        let at = boundaries[self.random.usize(..boundaries.len())];
        match self.random.u8(..3) {
            0 => text[..at].to_owned(),
            1 => text[at..].to_owned(),
            _ => format!("{}{}{}", &text[..at], self.text(), &text[at..]),
        }
    }

    fn damage(&mut self, text: &mut String) {
        let mut at = self.random.usize(..=text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        if self.random.bool() {
            text.truncate(at);
        } else {
            text.insert_str(at, &self.text());
        }
    }

    fn text(&mut self) -> String {
        match self.random.u8(..10) {
            0 => (0..self.random.usize(..40))
                .map(|_| self.random.char(..))
                .collect(),
            1 => self.pick(&TEXTS).repeat(self.random.usize(..200)),
            2 => format!("{}{}", self.pick(&TEXTS), self.pick(&TEXTS)),
            _ => self.pick(&TEXTS),
        }
    }

    fn pick(&mut self, texts: &[&str]) -> String {
        texts[self.random.usize(..texts.len())].to_owned()
    }

    /// A random JSON value of at most this depth.
    fn value(&mut self, depth: u8) -> Value {
        match self.random.u8(..if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.random.bool()),
            2 => json!(self.random.i64(..)),
            3 => json!(self.random.f64() * 1e300),
            4 => json!(self.text()),
            5 => (0..self.random.u8(..4))
                .map(|_| self.value(depth - 1))
                .collect(),
            _ => {
                let members =
                    (0..self.random.u8(..4)).map(|_| (self.text(), self.value(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }
}

/// Sets an entry of a member, if that member is an object.
fn set(event: &mut Value, member: &str, name: &str, value: Value) {
    if let Some(object) = event.get_mut(member).and_then(Value::as_object_mut) {
        object.insert(name.to_owned(), value);
    }
}

/// A document with every object replaced by the list of its values.
fn by_position(document: &Value) -> Value {
    match document {
        Value::Object(members) => members.values().map(by_position).collect(),
        Value::Array(items) => items.iter().map(by_position).collect(),
        other => other.clone(),
    }
}
