//! Malformed and odd requests, generated from a seed, and the checks that each must pass.

use catalogue::Catalogue;
use fastrand::Rng;
use jiff::Timestamp;
use kernel::{BillingAnchor, SegmentId, TenantId};
use metering::{BodyError, EVENTS_MAX, Form, ParsedBatch, SegmentBody, Sender, group, read};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const NOW_S: i64 = 1_794_744_000;
/// How long ago the tenants' first billing period began.
const FIRST_PERIOD_S: i64 = 3_600 * 24 * 30;
const TENANTS: u128 = 3;
const TYPES: [&str; 6] = [
    "api.request",
    "transfer.completed",
    "storage.sampled",
    "model.called",
    "user.active",
    "coffee.brewed",
];
/// Texts that parsers often mishandle: escapes, lone surrogates, right-to-left marks, the empty
/// text.
const ODD_TEXTS: [&str; 12] = [
    "",
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "\\ud83d\\ude00",
    "\u{feff}",
    "\u{202e}id",
    "e\u{301}",
    "\\\"",
    "\\x",
    "\u{1f600}",
    "null",
];
const ODD_NUMBERS: [&str; 13] = [
    "1e999",
    "-0",
    "1e-999",
    "0.1e+38",
    "00",
    "1.",
    "-",
    "NaN",
    "1e99999999999999999999",
    "12345678901234567890123456789012345678.9",
    "5e-324",
    "1e-341",
    "-99999999999999999999999999999999999999e-340",
];
const ODD_HEADERS: [&[u8]; 9] = [
    b"",
    b"%",
    b"%zz",
    b"%ff",
    b"\"",
    b"\"a\\\"b\"",
    b"\xff\xfe",
    b"%F0%9F%98%80",
    b"1.0,1.0",
];
const DEPTH_MAX: usize = 20_000;

/// A request.
pub(crate) struct Case {
    /// The announced form.
    pub(crate) form: Form,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// An endless generator of requests.
pub(crate) struct Cases {
    random: Rng,
}

impl Cases {
    /// Makes the generator of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
        }
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> Case {
        let (form, text) = match self.random.u8(..4) {
            0 => (Form::Single, self.event()),
            1 => (self.binary(), self.data()),
            _ => (Form::Batch, self.events()),
        };
        let mut body = text.into_bytes();
        match self.random.u8(..24) {
            0 => body.truncate(self.random.usize(..=body.len())),
            1 => body = self.bytes(),
            2 => body = self.deep().into_bytes(),
            3..=6 => self.damage(&mut body),
            _ => {}
        }
        let form = match self.random.u8(..8) {
            0 => self.form(),
            1 => Form::Either,
            _ => form,
        };
        Case { form, body }
    }

    fn form(&mut self) -> Form {
        match self.random.u8(..3) {
            0 => Form::Single,
            1 => Form::Batch,
            _ => self.binary(),
        }
    }

    fn binary(&mut self) -> Form {
        let (kind, tenant, time) = (self.pick(&TYPES).to_owned(), self.tenant(), self.time());
        let id = self.random.u32(..50).to_string();
        let mut headers: Vec<(&str, Vec<u8>)> = vec![
            ("ce-specversion", b"1.0".to_vec()),
            ("ce-type", kind.into_bytes()),
            ("ce-source", b"/fuzz".to_vec()),
            ("ce-id", id.into_bytes()),
            ("ce-subject", tenant.into_bytes()),
            ("ce-time", time.into_bytes()),
        ];
        if self.random.u8(..4) == 0 {
            let at = self.random.usize(..headers.len());
            let odd = if self.random.bool() {
                self.bytes()
            } else {
                self.pick(&ODD_HEADERS).to_vec()
            };
            match self.random.u8(..4) {
                0 => headers.push((headers[at].0, odd)),
                1 if at > 0 => drop(headers.remove(at)),
                _ => headers[at].1 = odd,
            }
        }
        let all = headers
            .iter()
            .map(|(name, value)| (*name, value.as_slice()));
        Form::of_headers(None, all).unwrap_or(Form::Either)
    }

    fn events(&mut self) -> String {
        if self.random.u16(..500) == 0 {
            return format!(
                "[{}]",
                vec!["{}"; self.random.usize(EVENTS_MAX - 2..EVENTS_MAX + 3)].join(",")
            );
        }
        let events: Vec<String> = (0..self.random.u8(..9)).map(|_| self.event()).collect();
        format!("[{}]", events.join(","))
    }

    fn event(&mut self) -> String {
        let mut members = vec![
            ("specversion", "\"1.0\"".to_owned()),
            ("type", format!("\"{}\"", self.pick(&TYPES))),
            ("source", "\"/fuzz\"".to_owned()),
            ("id", format!("\"{}\"", self.random.u32(..50))),
            ("subject", format!("\"{}\"", self.tenant())),
            ("time", format!("\"{}\"", self.time())),
            ("data", self.data()),
        ];
        if self.random.u8(..8) == 0 {
            let at = self.random.usize(..members.len());
            match self.random.u8(..5) {
                0 => drop(members.remove(at)),
                1 => members.push((members[at].0, self.odd())),
                2 => members.push((
                    self.pick(&[
                        "data_base64",
                        "traceparent",
                        "\\u0069d",
                        "",
                        "\\ud800",
                        "d\\u0061ta",
                        "\\udc00\\ud800",
                    ]),
                    self.odd(),
                )),
                _ => members[at].1 = self.odd(),
            }
        }
        self.random.shuffle(&mut members);
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn data(&mut self) -> String {
        let number = match self.random.u8(..32) {
            0 => self.pick(&ODD_NUMBERS).to_owned(),
            1 => "9".repeat(self.random.usize(1..100)),
            2 => self.odd(),
            _ => format!("{}.{}", self.random.u32(..100), self.random.u32(..100)),
        };
        let more = match self.random.u8(..16) {
            0 => format!(
                ",\"{}\":{}",
                self.pick(&["note", "\\ud800", "giga\\u0062ytes", "direction"]),
                self.odd()
            ),
            _ => String::new(),
        };
        let user = if self.random.u8(..16) > 0 {
            "\"u\"".to_owned()
        } else {
            self.odd()
        };
        format!(
            r#"{{"gigabytes":{number},"model":"large","usage":{{"tokens":{number},"kind":"input"}},"user":{user},"direction":"in"{more}}}"#
        )
    }

    /// A value of an unexpected kind.
    fn odd(&mut self) -> String {
        match self.random.u8(..8) {
            0 => "null".to_owned(),
            1 => "[[],{}]".to_owned(),
            2 => self.deep(),
            3 => self.pick(&ODD_NUMBERS).to_owned(),
            4 => format!("\"{}\"", "x".repeat(self.random.usize(1_020..1_030))),
            5 => "true".to_owned(),
            _ => format!("\"{}\"", self.pick(&ODD_TEXTS)),
        }
    }

    fn deep(&mut self) -> String {
        let depth = if self.random.u8(..100) == 0 {
            self.random.usize(..DEPTH_MAX)
        } else {
            self.random.usize(..200)
        };
        let (open, close) = *self
            .random
            .choice(&[("[", "]"), ("{\"a\":", "}"), ("[{\"data\":", "}]")])
            .unwrap_or(&("[", "]"));
        let closed = if self.random.u8(..4) == 0 {
            depth / 2
        } else {
            depth
        };
        format!("{}0{}", open.repeat(depth), close.repeat(closed))
    }

    /// Removes, replaces or inserts a few bytes.
    fn damage(&mut self, body: &mut Vec<u8>) {
        for _ in 0..self.random.usize(1..6) {
            let at = self.random.usize(..=body.len());
            let byte = if self.random.bool() {
                self.pick(b"{}[]\",:\\0e-")
            } else {
                self.random.u8(..)
            };
            match self.random.u8(..3) {
                0 if at < body.len() => drop(body.remove(at)),
                1 if at < body.len() => body[at] = byte,
                _ => body.insert(at, byte),
            }
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.random.usize(..200);
        std::iter::repeat_with(|| self.random.u8(..))
            .take(length)
            .collect()
    }

    fn tenant(&mut self) -> String {
        tenant(self.random.u128(..TENANTS)).to_string()
    }

    fn time(&mut self) -> String {
        let time = Timestamp::from_second(NOW_S - self.random.i64(-1_000..3_600 * 24 * 40))
            .unwrap_or_default();
        time.to_string()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())]
    }
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// The counts of requests and events by result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Requests.
    pub(crate) cases: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
    /// Events that were valid.
    pub(crate) accepted: u64,
    /// Requests that could not be parsed and refused events, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

impl Summary {
    /// Parses a request, and counts its result.
    ///
    /// # Panics
    /// When an event is lost or counted twice, when a refusal names no event, or when a stored
    /// segment is not decoded as it was encoded.
    pub(crate) fn feed(&mut self, case: &Case, catalogue: &Catalogue) {
        self.cases += 1;
        self.bytes += case.body.len() as u64;
        let now = Timestamp::from_second(NOW_S).unwrap_or_default();
        match read(&case.body, &case.form, Sender::Provider, catalogue, now) {
            Ok(reading) => self.take(reading),
            Err(error) => self.count(match error {
                BodyError::TooLarge => "too-large",
                BodyError::TooMany { .. } | BodyError::TooManyKeys { .. } => "too-many",
                BodyError::Malformed { .. } => "malformed",
                BodyError::WrongShape { .. } => "wrong-shape",
            }),
        }
    }

    fn take(&mut self, mut reading: ParsedBatch<'_, '_>) {
        let total = reading.usage().len() + reading.refused.len();
        assert!(
            total <= EVENTS_MAX && !(reading.is_single && total != 1),
            "{total} events"
        );
        let first = Timestamp::from_second(NOW_S - FIRST_PERIOD_S).unwrap_or_default();
        reading.keep_billable(|id| [tenant(0), tenant(1)].contains(&id).then_some(first));
        reading.refuse_conflicts();
        let indices: BTreeSet<usize> = reading
            .refused
            .iter()
            .map(|refusal| refusal.index)
            .collect();
        assert_eq!(
            indices.len(),
            reading.refused.len(),
            "an event is refused twice"
        );
        assert_eq!(
            reading.usage().len() + indices.len(),
            total,
            "an event is lost"
        );
        assert!(
            indices.last().is_none_or(|last| *last < total),
            "a refusal names no event"
        );
        let segments = group(
            reading.usage(),
            |_| BillingAnchor::default(),
            || SegmentId::from_uuid(Uuid::nil()),
        );
        for segment in segments {
            let decoded = SegmentBody::decode(&segment.body.encode());
            assert_eq!(
                decoded.as_ref(),
                Ok(&segment.body),
                "a segment is not decoded as it was encoded"
            );
        }
        self.accepted += reading.usage().len() as u64;
        for refusal in &reading.refused {
            self.count(&format!("{:?}", refusal.reason));
        }
    }

    fn count(&mut self, reason: &str) {
        match self.refused.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(self.refused.insert(reason.to_owned(), 1)),
        }
    }
}
