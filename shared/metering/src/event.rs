//! From a request body to valid usage events and named refusals.

use crate::json::{self, Batch, Member, Wire};
use crate::{Digest, Entry, Identity, NumberError, Reason, Refusal, Value, WindowSize};
use contract::catalogue::{Aggregation, Catalogue, Meter};
use jiff::{SignedDuration, Timestamp};
use kernel::TenantId;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// The most events of one request.
pub const EVENTS_MAX: usize = 1_000;
/// The most bytes of one request's body.
pub const BODY_BYTES_MAX: usize = 1_048_576;
/// How far an event's time may be ahead of the gateway's: what clocks differ by.
pub const TIME_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How long ago an event's time may be. Less than identities are kept, see [`crate::IDENTITY_KEPT`].
pub const TIME_BEHIND_MAX: SignedDuration = SignedDuration::from_hours(35 * 24);

const FIELD_BYTES_MAX: usize = 1_024;

/// How a body holds its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One event in structured mode.
    Single,
    /// A JSON batch.
    Batch,
    /// One or the other, by its first character.
    Either,
}

impl Form {
    /// The form that a content type means; its parameters do not matter, since JSON is UTF-8.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/cloudevents+json" => Some(Self::Single),
            "application/cloudevents-batch+json" => Some(Self::Batch),
            "application/json" => Some(Self::Either),
            _ => None,
        }
    }
}

/// Why a body as a whole is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more than [`BODY_BYTES_MAX`] bytes.
    #[error("the body has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// It has more than [`EVENTS_MAX`] events.
    #[error("the batch has {events} events, more than {EVENTS_MAX}")]
    TooMany {
        /// How many it has.
        events: usize,
    },
    /// It is not JSON in UTF-8.
    #[error("the body is not JSON: line {line}, column {column}")]
    Malformed {
        /// The line of the first fault, from 1.
        line: usize,
        /// The column of the first fault.
        column: usize,
    },
    /// It is one event where a batch was announced, or the other way round, or neither.
    #[error("the body is not {expected}")]
    WrongShape {
        /// What it should be.
        expected: &'static str,
    },
}

/// A valid usage event, without anything that a client wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage<'c> {
    /// Whose usage.
    pub tenant: TenantId,
    /// Which event, and what it says.
    pub entry: Entry,
    /// The meter.
    pub meter: &'c Meter,
    /// The first moment of its window.
    pub start: Timestamp,
    /// What it adds to the meter.
    pub value: Value,
}

impl<'c> Usage<'c> {
    /// One more of what an internal meter counts. `source` and `id` say which event it is, whenever it is stated again.
    #[must_use]
    pub fn counted(meter: &'c Meter, tenant: TenantId, source: &str, id: &str, at: Timestamp) -> Self {
        let value = Value::ONE;
        let digest = Digest::of(&meter.event_type, tenant, at, value);
        let entry = Entry { identity: Identity::of(source, id), digest };
        Self { tenant, entry, meter, start: WindowSize::default().start(at), value }
    }
}

/// A body that was read: each of its events is in one of two places.
pub struct Reading<'b, 'c> {
    /// Whether the body was one event in structured mode.
    pub is_single: bool,
    /// What was refused, in the order of the batch.
    pub refused: Vec<Refusal>,
    valid: Vec<Valid<'b, 'c>>,
}

struct Valid<'b, 'c> {
    index: usize,
    id: Cow<'b, str>,
    usage: Usage<'c>,
}

impl<'c> Reading<'_, 'c> {
    /// The tenants that the valid events name.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        self.valid.iter().map(|event| event.usage.tenant).collect()
    }

    /// Refuses the events of every tenant that is not among the known ones.
    pub fn keep_tenants(&mut self, known: &BTreeSet<TenantId>) {
        let detail = "subject is not a tenant that is in use in this region";
        for event in self.valid.extract_if(.., |event| !known.contains(&event.usage.tenant)) {
            self.refused.push(Refusal {
                index: event.index,
                id: Some(event.id.into_owned()),
                reason: Reason::UnknownTenant,
                detail: detail.to_owned(),
            });
        }
        self.refused.sort_by_key(|refusal| refusal.index);
    }

    /// The valid events, in the order of the batch.
    pub fn usage(&self) -> impl ExactSizeIterator<Item = Usage<'c>> {
        self.valid.iter().map(|event| event.usage)
    }
}

/// Reads a body: `CloudEvents` 1.0 in structured mode or as a JSON batch.
///
/// # Errors
/// When the body as a whole cannot be read. What is wrong with single events is in the reading.
pub fn read<'b, 'c>(
    body: &'b [u8],
    form: Form,
    catalogue: &'c Catalogue,
    now: Timestamp,
) -> Result<Reading<'b, 'c>, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let text = str::from_utf8(body).map_err(|_| BodyError::Malformed { line: 0, column: 0 })?;
    let is_list = text.trim_ascii_start().starts_with('[');
    let wires = match form {
        Form::Single if is_list => return Err(BodyError::WrongShape { expected: "one event" }),
        Form::Batch if !is_list => return Err(malformed_or(text, "a list of events")),
        Form::Single | Form::Batch | Form::Either => wires(text, is_list)?,
    };
    let sent = catalogue.meters.iter().filter(|meter| !meter.is_internal());
    let meters = sent.map(|meter| (meter.event_type.as_str(), meter)).collect();
    let rules = Rules { meters, now };
    let mut reading = Reading { is_single: !is_list, refused: Vec::new(), valid: Vec::with_capacity(wires.len()) };
    for (index, wire) in wires.iter().enumerate() {
        match rules.read(wire) {
            Ok((id, usage)) => reading.valid.push(Valid { index, id, usage }),
            Err(Fault { reason, detail }) => {
                reading.refused.push(Refusal { index, id: id_of(wire), reason, detail });
            }
        }
    }
    Ok(reading)
}

fn wires(text: &str, is_list: bool) -> Result<Vec<Wire<'_>>, BodyError> {
    if !is_list {
        return Ok(vec![serde_json::from_str(text).map_err(|error| malformed(&error))?]);
    }
    let batch: Batch<'_, EVENTS_MAX> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if batch.total > EVENTS_MAX { Err(BodyError::TooMany { events: batch.total }) } else { Ok(batch.events) }
}

/// Where JSON breaks off; the parser's own words could repeat what was sent.
fn malformed(error: &serde_json::Error) -> BodyError {
    BodyError::Malformed { line: error.line(), column: error.column() }
}

fn malformed_or(text: &str, expected: &'static str) -> BodyError {
    let json: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
    json.err().map_or(BodyError::WrongShape { expected }, |error| malformed(&error))
}

/// The id to name in a refusal: only what an event may have.
fn id_of(wire: &Wire<'_>) -> Option<String> {
    let id = json::text(wire.field("id")?)?;
    let nameable = !id.is_empty() && id.len() <= FIELD_BYTES_MAX;
    nameable.then(|| id.into_owned())
}

struct Fault {
    reason: Reason,
    detail: String,
}

impl Fault {
    fn of(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What events are checked against.
struct Rules<'c> {
    meters: HashMap<&'c str, &'c Meter>,
    now: Timestamp,
}

impl<'c> Rules<'c> {
    fn read<'b>(&self, wire: &Wire<'b>) -> Result<(Cow<'b, str>, Usage<'c>), Fault> {
        if !wire.is_object {
            return Err(Fault::of(Reason::NotAnObject, "the event is not a JSON object"));
        }
        if let Some(name) = wire.duplicate {
            return Err(Fault::of(Reason::DuplicateField, format!("{name} is there twice")));
        }
        if required(wire, "specversion")? != "1.0" {
            return Err(Fault::of(Reason::UnsupportedVersion, "specversion is not 1.0"));
        }
        let event_type = required(wire, "type")?;
        let source = required(wire, "source")?;
        let id = required(wire, "id")?;
        let subject = required(wire, "subject")?;
        let time = self.time(&required(wire, "time")?)?;
        let Some(meter) = self.meters.get(event_type.as_ref()) else {
            return Err(Fault::of(Reason::UnknownMeter, "type is not the event type of a meter"));
        };
        let tenant: TenantId = subject.parse().map_err(|_| {
            Fault::of(Reason::InvalidTenant, "subject is not a tenant id: a lower-case hyphenated UUID")
        })?;
        let value = value(wire, meter)?;
        let digest = Digest::of(&event_type, tenant, time, value);
        let entry = Entry { identity: Identity::of(&source, &id), digest };
        let start = WindowSize::default().start(time);
        Ok((id, Usage { tenant, entry, meter, start, value }))
    }

    fn time(&self, text: &str) -> Result<Timestamp, Fault> {
        let invalid = || Fault::of(Reason::InvalidTime, "time is not a date and time with an offset, as in RFC 3339");
        let time: Timestamp =
            if is_rfc3339(text) { text.parse().map_err(|_| invalid())? } else { return Err(invalid()) };
        if time.duration_since(self.now) > TIME_AHEAD_MAX {
            return Err(Fault::of(Reason::TimeInFuture, "time is more than 5 minutes in the future"));
        }
        if self.now.duration_since(time) > TIME_BEHIND_MAX {
            return Err(Fault::of(Reason::TimeTooOld, "time is more than 35 days ago"));
        }
        Ok(time)
    }
}

fn required<'b>(wire: &Wire<'b>, name: &'static str) -> Result<Cow<'b, str>, Fault> {
    let missing = || Fault::of(Reason::MissingField, format!("{name} is missing"));
    let raw = wire.field(name).ok_or_else(missing)?;
    let text = json::text(raw).ok_or_else(|| Fault::of(Reason::WrongType, format!("{name} is not a text")))?;
    if text.is_empty() {
        return Err(missing());
    }
    if text.len() > FIELD_BYTES_MAX {
        return Err(Fault::of(Reason::TooLong, format!("{name} has more than {FIELD_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// What an event adds to a meter: one when the meter counts, else the number that the meter names.
fn value(wire: &Wire<'_>, meter: &Meter) -> Result<Value, Fault> {
    let Some(name) = meter.value.as_deref().filter(|_| meter.aggregation != Aggregation::Count) else {
        return Ok(Value::ONE);
    };
    let no_object = || Fault::of(Reason::InvalidData, "data is not a JSON object");
    if wire.field("data_base64").is_some() {
        return Err(no_object());
    }
    let missing = || Fault::of(Reason::MissingValue, format!("data.{name} is missing"));
    let raw = match json::member(wire.field("data").ok_or_else(missing)?, name) {
        Member::Found(raw) => raw,
        Member::NoObject => return Err(no_object()),
        Member::Absent => return Err(missing()),
        Member::Twice => return Err(Fault::of(Reason::DuplicateField, format!("data.{name} is there twice"))),
    };
    let number = if raw.get().starts_with('"') { json::text(raw).unwrap_or_default() } else { raw.get().into() };
    let value: Value = number.parse().map_err(|error| match error {
        NumberError::NotANumber => Fault::of(Reason::InvalidValue, format!("data.{name} is not a number")),
        NumberError::TooManyDigits => Fault::of(Reason::ValueTooLong, format!("data.{name} has more than 38 digits")),
    })?;
    if value.is_negative() && meter.aggregation == Aggregation::Sum {
        return Err(Fault::of(Reason::NegativeValue, format!("data.{name} is negative and the meter sums")));
    }
    Ok(value)
}

/// Whether a text has the shape of an RFC 3339 date-time: the parser behind it takes more than that.
fn is_rfc3339(text: &str) -> bool {
    let shape = |text: &[u8], pattern: &[u8]| {
        text.len() == pattern.len()
            && text.iter().zip(pattern).all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't'),
                b'+' => matches!(byte, b'+' | b'-'),
                like => byte == like,
            })
    };
    let Some((moment, rest)) = text.as_bytes().split_at_checked(b"0000-00-00T00:00:00".len()) else {
        return false;
    };
    let fraction = rest.strip_prefix(b".").map(|rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let offset = rest.get(fraction.map_or(0, |digits| digits + 1)..).unwrap_or_default();
    shape(moment, b"0000-00-00T00:00:00")
        && fraction.is_none_or(|digits| (1..=9).contains(&digits))
        && (matches!(offset, b"Z" | b"z") || shape(offset, b"+00:00"))
}
