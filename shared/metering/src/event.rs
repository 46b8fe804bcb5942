//! Parsing a request body into valid usage events and named refusals.

use crate::binary::Attributes;
use crate::data::{Data, named};
use crate::event_key::Sender;
use crate::event_key::{content_hash, distinct_key, event_key};
use crate::json::{self, Batch, Field, Wire};
use crate::refusal::{Reason, Refusal};
use crate::value::{NumberError, Value};
use crate::window::Measure;
use catalogue::ValuePath;
use catalogue::{Aggregation, Catalogue, Dimension, Meter};
use dedupe::{DedupeKey, Entry};
use jiff::{SignedDuration, Timestamp};
use kernel::{DimensionCode, Invalid, TenantId, UsageGroup, parse_moment};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// The most events of one request.
pub const EVENTS_MAX: usize = 1_000;
/// The most bytes of one request's body, after decompression. A function gets at most 6 MB from an
/// HTTP API, and a body that is passed on in base64 is a third longer.
pub const BODY_BYTES_MAX: usize = 4_194_304;
/// How far an event's time may be ahead of the gateway's clock: a margin for clocks that differ.
pub const TIME_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How long ago an event's time may be. Event keys are kept for longer, see
/// [`crate::EVENT_KEYS_KEPT`].
pub const TIME_BEHIND_MAX: SignedDuration = SignedDuration::from_hours(35 * 24);

/// The most bytes of an attribute that is hashed into a key.
pub(crate) const FIELD_BYTES_MAX: usize = 1_024;
/// The detail of [`Reason::UnknownTenant`].
pub(crate) const NOT_IN_USE: &str = "subject is not a tenant that is in use in this region";

/// The detail of [`Reason::BeforeFirstPeriod`].
pub(crate) const BEFORE_FIRST_PERIOD: &str =
    "time is before the billing period in which the tenant became active";

/// The form in which a request carries its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One event in structured mode.
    Single,
    /// A JSON batch.
    Batch,
    /// One event or a batch, by the first character.
    Either,
    /// One event in binary mode. The body is its data.
    Binary(Attributes),
}

impl Form {
    /// Determines the form from the headers of a request (`CloudEvents` HTTP binding, section 3): a
    /// content type of `CloudEvents` decides, and without one the presence of `ce-specversion`.
    /// Header names are in lower case. The parameters of a content type do not matter, since JSON
    /// is UTF-8.
    #[must_use]
    pub fn of_headers<'h>(
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Option<Self> {
        let essence = content_type
            .and_then(|text| text.split(';').next())
            .unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/cloudevents+json" => Some(Self::Single),
            "application/cloudevents-batch+json" => Some(Self::Batch),
            other if other.starts_with("application/cloudevents") => None,
            other => match Attributes::of_headers(headers) {
                Some(attributes) => is_json(other).then_some(Self::Binary(attributes)),
                None => (other == "application/json").then_some(Self::Either),
            },
        }
    }
}

/// Whether data of a content type is JSON, which is also the default of `CloudEvents`.
fn is_json(essence: &str) -> bool {
    essence.is_empty() || essence == "application/json" || essence.ends_with("+json")
}

/// The reasons why a body as a whole is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body has more than [`BODY_BYTES_MAX`] bytes.
    #[error("the body has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// The body has more than [`EVENTS_MAX`] events.
    #[error("the batch has {events} events, more than {EVENTS_MAX}")]
    TooMany {
        /// The number in the request.
        events: usize,
    },
    /// The body has more than [`crate::KEYED_CORRECTIONS_MAX`] corrections by key.
    #[error(
        "{keys} corrections name their events by keys, more than {}",
        crate::KEYED_CORRECTIONS_MAX
    )]
    TooManyKeys {
        /// The number in the request.
        keys: usize,
    },
    /// The body is not JSON in UTF-8.
    #[error("the body is not JSON: line {line}, column {column}")]
    Malformed {
        /// The line of the first fault, from 1.
        line: usize,
        /// The column of the first fault.
        column: usize,
    },
    /// The body is JSON, but not of the announced form.
    #[error("the body is not {expected}")]
    WrongShape {
        /// The form that was expected.
        expected: &'static str,
    },
}

/// A valid usage event, without any text that a client wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage<'c> {
    /// The tenant.
    pub tenant: TenantId,
    /// The event key and the content hash.
    pub entry: Entry,
    /// The meter.
    pub meter: &'c Meter,
    /// The values of the meter's dimensions.
    pub group: UsageGroup,
    /// The event's time.
    pub at: Timestamp,
    /// The value that the meter reads.
    pub measure: Measure,
}

impl<'c> Usage<'c> {
    /// Makes an event of an internal meter, in Meridian's own namespace. `source` and `id` identify
    /// the event when it is recorded more than once.
    #[must_use]
    pub fn counted(
        meter: &'c Meter,
        tenant: TenantId,
        source: &str,
        id: &str,
        at: Timestamp,
    ) -> Self {
        let (measure, group) = (Measure::Number(Value::ONE), UsageGroup::default());
        let content = content_hash(&meter.event_type, tenant, at, &measure, &group);
        let entry = Entry {
            key: event_key(Sender::Meridian, source, id),
            content,
        };
        Self {
            tenant,
            entry,
            meter,
            group,
            at,
            measure,
        }
    }
}

/// A parsed body. Each event is either refused or valid.
pub struct ParsedBatch<'b, 'c> {
    /// Whether the request was a single event.
    pub is_single: bool,
    /// The refused events, in the order of the batch.
    pub refused: Vec<Refusal>,
    valid: Vec<Valid<'b, 'c>>,
}

struct Valid<'b, 'c> {
    index: usize,
    id: Cow<'b, str>,
    usage: Usage<'c>,
}

impl<'c> ParsedBatch<'_, 'c> {
    /// The tenants of the valid events.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        self.valid.iter().map(|event| event.usage.tenant).collect()
    }

    /// Refuses the events that no invoice could hold: those of a tenant that is not in use, and
    /// those before its first billing period. `first_moment` returns the start of that period, or
    /// nothing for a tenant that is not in use.
    pub fn keep_billable(&mut self, first_moment: impl Fn(TenantId) -> Option<Timestamp>) {
        self.refuse(Reason::UnknownTenant, NOT_IN_USE, |usage| {
            first_moment(usage.tenant).is_none()
        });
        let is_early =
            |usage: &Usage<'_>| first_moment(usage.tenant).is_some_and(|first| usage.at < first);
        self.refuse(Reason::BeforeFirstPeriod, BEFORE_FIRST_PERIOD, is_early);
    }

    /// Refuses every event with the tenant, source and id of an earlier event and other content. A
    /// repetition with the same content is valid and counts once.
    pub fn refuse_conflicts(&mut self) {
        let mut contents = HashMap::with_capacity(self.valid.len());
        let detail = "an earlier event of the request has the same source and id and other content";
        self.refuse(Reason::Conflict, detail, |usage| {
            let Entry { key, content } = usage.entry;
            *contents.entry((usage.tenant, key)).or_insert(content) != content
        });
    }

    fn refuse(
        &mut self,
        reason: Reason,
        detail: &str,
        mut is_refused: impl FnMut(&Usage<'c>) -> bool,
    ) {
        for event in self.valid.extract_if(.., |event| is_refused(&event.usage)) {
            let id = Some(event.id.into_owned());
            self.refused.push(Refusal {
                index: event.index,
                id,
                reason,
                detail: detail.to_owned(),
            });
        }
        self.refused.sort_by_key(|refusal| refusal.index);
    }

    /// The valid events, in the order of the batch.
    pub fn usage(&self) -> impl ExactSizeIterator<Item = Usage<'c>> {
        self.valid.iter().map(|event| event.usage.clone())
    }
}

/// Parses a body: `CloudEvents` 1.0 in structured or binary mode, or as a JSON batch. `sender` is
/// the owner of the request's token.
///
/// # Errors
/// [`BodyError`] when the body as a whole cannot be parsed. Faults of single events are in the
/// result.
pub fn read<'b, 'c>(
    body: &'b [u8],
    form: &'b Form,
    sender: Sender,
    catalogue: &'c Catalogue,
    now: Timestamp,
) -> Result<ParsedBatch<'b, 'c>, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let text = str::from_utf8(body).map_err(|_| BodyError::Malformed { line: 0, column: 0 })?;
    let is_list = text.trim_ascii_start().starts_with('[');
    let is_single = matches!(form, Form::Binary(_)) || !is_list;
    let wires = match form {
        Form::Single if is_list => {
            return Err(BodyError::WrongShape {
                expected: "one event",
            });
        }
        Form::Batch if !is_list => return Err(malformed_or(text, "a list of events")),
        Form::Single | Form::Batch | Form::Either => wires(text, is_list)?,
        Form::Binary(attributes) => vec![attributes.wire(data(text)?)],
    };
    let rules = Rules::of(catalogue, now);
    let mut parsed = ParsedBatch {
        is_single,
        refused: Vec::new(),
        valid: Vec::with_capacity(wires.len()),
    };
    for (index, wire) in wires.iter().enumerate() {
        match rules.read(wire, sender) {
            Ok((id, usage)) => parsed.valid.push(Valid { index, id, usage }),
            Err(Fault { reason, detail }) => {
                parsed.refused.push(Refusal {
                    index,
                    id: id_of(wire),
                    reason,
                    detail,
                });
            }
        }
    }
    Ok(parsed)
}

/// The data of an event in binary mode, unless the body is empty.
fn data(text: &str) -> Result<Option<&RawValue>, BodyError> {
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| malformed(&error))
}

fn wires(text: &str, is_list: bool) -> Result<Vec<Wire<'_>>, BodyError> {
    if !is_list {
        return Ok(vec![Wire::of_json(
            serde_json::from_str(text).map_err(|error| malformed(&error))?,
        )]);
    }
    let batch: Batch<Wire<'_>, EVENTS_MAX> =
        Batch::read(text).map_err(|error| malformed(&error))?;
    if batch.total > EVENTS_MAX {
        Err(BodyError::TooMany {
            events: batch.total,
        })
    } else {
        Ok(batch.events)
    }
}

/// The position of a syntax error. The parser's own message is dropped, since it can repeat the
/// input.
fn malformed(error: &serde_json::Error) -> BodyError {
    BodyError::Malformed {
        line: error.line(),
        column: error.column(),
    }
}

fn malformed_or(text: &str, expected: &'static str) -> BodyError {
    let json: Result<serde::de::IgnoredAny, _> = serde_json::from_str(text);
    json.err()
        .map_or(BodyError::WrongShape { expected }, |error| {
            malformed(&error)
        })
}

/// The id to return in a refusal, if an event may have it.
pub(crate) fn id_of(wire: &Wire<'_>) -> Option<String> {
    let id = wire.field("id")?.text()?;
    let nameable = !id.is_empty() && id.len() <= FIELD_BYTES_MAX;
    nameable.then(|| id.into_owned())
}

pub(crate) struct Fault {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn of(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// The rules that events are checked against.
pub(crate) struct Rules<'c> {
    meters: HashMap<&'c str, &'c Meter>,
    now: Timestamp,
}

impl<'c> Rules<'c> {
    pub(crate) fn of(catalogue: &'c Catalogue, now: Timestamp) -> Self {
        let sent = catalogue.meters.iter().filter(|meter| !meter.is_internal());
        Self {
            meters: sent
                .map(|meter| (meter.event_type.as_str(), meter))
                .collect(),
            now,
        }
    }

    pub(crate) fn read<'b>(
        &self,
        wire: &Wire<'b>,
        sender: Sender,
    ) -> Result<(Cow<'b, str>, Usage<'c>), Fault> {
        if !wire.is_object {
            return Err(Fault::of(
                Reason::NotAnObject,
                "the event is not a JSON object",
            ));
        }
        if let Some(name) = wire.duplicate {
            return Err(Fault::of(
                Reason::DuplicateField,
                format!("{name} appears twice"),
            ));
        }
        if required(wire, "specversion")? != "1.0" {
            return Err(Fault::of(
                Reason::UnsupportedVersion,
                "specversion is not 1.0",
            ));
        }
        let event_type = required(wire, "type")?;
        let source = required(wire, "source")?;
        let id = required(wire, "id")?;
        let subject = required(wire, "subject")?;
        let time = self.time(&required(wire, "time")?)?;
        let Some(meter) = self.meters.get(event_type.as_ref()) else {
            return Err(Fault::of(
                Reason::UnknownMeter,
                "type is not the event type of a meter",
            ));
        };
        let tenant: TenantId = subject.parse().map_err(|_| {
            Fault::of(
                Reason::InvalidTenant,
                "subject is not a tenant id: a lower-case hyphenated UUID",
            )
        })?;
        let data = Data::of(wire, meter);
        let measure = measure(&data, meter, tenant)?;
        let group = group(&data, meter)?;
        let content = content_hash(&event_type, tenant, time, &measure, &group);
        let entry = Entry {
            key: event_key(sender, &source, &id),
            content,
        };
        Ok((
            id,
            Usage {
                tenant,
                entry,
                meter,
                group,
                at: time,
                measure,
            },
        ))
    }

    fn time(&self, text: &str) -> Result<Timestamp, Fault> {
        let time = parse_moment(text).map_err(|Invalid { rule, .. }| {
            Fault::of(Reason::InvalidTime, format!("time is not {rule}"))
        })?;
        if time.duration_since(self.now) > TIME_AHEAD_MAX {
            return Err(Fault::of(
                Reason::TimeInFuture,
                "time is more than 5 minutes in the future",
            ));
        }
        if self.now.duration_since(time) > TIME_BEHIND_MAX {
            return Err(Fault::of(
                Reason::TimeTooOld,
                "time is more than 35 days ago",
            ));
        }
        Ok(time)
    }
}

fn required<'b>(wire: &Wire<'b>, name: &'static str) -> Result<Cow<'b, str>, Fault> {
    let missing = || Fault::of(Reason::MissingField, format!("{name} is missing"));
    let field = wire.field(name).ok_or_else(missing)?;
    let text = field.text().ok_or_else(|| match field {
        Field::Json(_) => Fault::of(Reason::WrongType, format!("{name} is not a text")),
        Field::Header(_) => Fault::of(
            Reason::InvalidHeader,
            format!("ce-{name} is not percent-encoded UTF-8"),
        ),
    })?;
    if text.is_empty() {
        return Err(missing());
    }
    if text.len() > FIELD_BYTES_MAX {
        return Err(Fault::of(
            Reason::TooLong,
            format!("{name} has more than {FIELD_BYTES_MAX} bytes"),
        ));
    }
    Ok(text)
}

/// What an event says of a meter: one when the meter counts, else what is where the meter looks.
fn measure(data: &Data<'_, '_>, meter: &Meter, tenant: TenantId) -> Result<Measure, Fault> {
    let Some(path) = meter
        .value
        .as_ref()
        .filter(|_| meter.aggregation != Aggregation::Count)
    else {
        return Ok(Measure::Number(Value::ONE));
    };
    let raw = data
        .at(path)?
        .ok_or_else(|| Fault::of(Reason::MissingValue, format!("{} is missing", named(path))))?;
    if meter.aggregation == Aggregation::UniqueCount {
        return distinct(raw, path, tenant).map(Measure::Distinct);
    }
    let number = if raw.get().starts_with('"') {
        json::text(raw).unwrap_or_default()
    } else {
        raw.get().into()
    };
    let value = parse_number(&number, path)?;
    if value.is_negative() && meter.aggregation == Aggregation::Sum {
        return Err(Fault::of(
            Reason::NegativeValue,
            format!("{} is negative and the meter is a sum", named(path)),
        ));
    }
    Ok(Measure::Number(value))
}

fn parse_number(text: &str, path: &ValuePath) -> Result<Value, Fault> {
    text.parse().map_err(|error| {
        let reason = match error {
            NumberError::NotANumber => Reason::InvalidValue,
            NumberError::TooManyDigits | NumberError::TooLarge | NumberError::TooManyDecimals => {
                Reason::ValueTooLong
            }
        };
        Fault::of(reason, format!("{} {error}", named(path)))
    })
}

/// The key of a text or number, for a meter that counts distinct values.
fn distinct(raw: &RawValue, path: &ValuePath, tenant: TenantId) -> Result<DedupeKey, Fault> {
    let invalid = || {
        Fault::of(
            Reason::InvalidValue,
            format!("{} is neither a text nor a number", named(path)),
        )
    };
    if raw.get().starts_with('"') {
        let text = json::text(raw).ok_or_else(invalid)?;
        if text.len() > FIELD_BYTES_MAX {
            let detail = format!("{} has more than {FIELD_BYTES_MAX} bytes", named(path));
            return Err(Fault::of(Reason::ValueTooLong, detail));
        }
        return Ok(distinct_key(tenant, "text", &text));
    }
    let number = parse_number(raw.get(), path).map_err(|fault| {
        if fault.reason == Reason::InvalidValue {
            invalid()
        } else {
            fault
        }
    })?;
    Ok(distinct_key(tenant, "number", &number.to_string()))
}

/// The values of a meter's dimensions, of which only those of the closed lists exist.
fn group(data: &Data<'_, '_>, meter: &Meter) -> Result<UsageGroup, Fault> {
    let values: Vec<_> = meter
        .dimensions
        .iter()
        .map(|dimension| value_of(data, dimension))
        .collect::<Result<_, _>>()?;
    Ok(UsageGroup::of(values))
}

fn value_of<'d>(
    data: &Data<'_, '_>,
    dimension: &'d Dimension,
) -> Result<(&'d DimensionCode, &'d DimensionCode), Fault> {
    // What is not there, or not even an object, is as unknown as any other value; what is there
    // twice is not.
    let raw = match data.at(&dimension.path) {
        Err(fault) if fault.reason == Reason::DuplicateField => return Err(fault),
        found => found.ok().flatten(),
    };
    let text = raw.and_then(json::text);
    let found = text.and_then(|text| dimension.values.iter().find(|value| value.as_str() == text));
    let value = found.or(dimension.default.as_ref()).ok_or_else(|| {
        let detail = format!(
            "{} is not a value of the dimension {}",
            named(&dimension.path),
            dimension.code
        );
        Fault::of(Reason::UnknownDimension, detail)
    })?;
    Ok((&dimension.code, value))
}
