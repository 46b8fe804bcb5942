//! From a request for corrections to events that are taken back or replaced, and named refusals.

use crate::event::{BEFORE_FIRST_PERIOD, FIELD_BYTES_MAX, Fault, NOT_IN_USE, Rules, id_of};
use crate::event_key::event_key;
use crate::json::{Members, Wire, text};
use crate::{
    BODY_BYTES_MAX, BodyError, Correction, EVENT_KEYS_KEPT, KEYED_CORRECTIONS_MAX, KeyedCorrection,
    Reason, Refusal, Sender, TIME_AHEAD_MAX, Usage,
};
use catalogue::Catalogue;
use dedupe::DedupeKey;
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId, parse_moment};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most corrections of one request: with their replacements, they fit one segment.
pub const CORRECTIONS_MAX: usize = 500;

/// A request for corrections that was read: each is in one of three places.
#[derive(Debug, Default)]
pub struct ParsedCorrections<'c> {
    /// What was refused, in the order of the request.
    pub refused: Vec<Refusal>,
    /// What is to be corrected.
    pub valid: Vec<ValidCorrection<'c>>,
    /// What is to be corrected once the event that it names is found.
    pub keyed: Vec<KeyedCorrection<'c>>,
}

/// A correction that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidCorrection<'c> {
    /// Where in the request it was, from 0.
    pub index: usize,
    /// What is taken back, and what comes in its place.
    pub correction: Correction<'c>,
    /// In whose namespace the event that is taken back is. What comes in its place is in the
    /// provider's.
    pub sent_by: Sender,
    /// Why, as the caller says.
    pub reason: ReasonCode,
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'b> {
    #[serde(borrow)]
    corrections: Vec<&'b RawValue>,
}

/// What a body is that has not the shape of a request, nor its parts that of corrections.
const WRONG_SHAPE: BodyError = BodyError::WrongShape {
    expected: "a list of corrections",
};

/// The members of a correction.
const MEMBERS: [&str; 5] = ["event", "key", "sent_by", "replacement", "reason"];

/// A correction as it was sent.
struct Item<'b> {
    event: Option<Wire<'b>>,
    key: Option<Key<'b>>,
    sent_by: Option<&'b RawValue>,
    replacement: Option<Wire<'b>>,
    reason: &'b RawValue,
    /// The first member that is there twice.
    duplicate: Option<&'static str>,
}

/// The members of a key.
const KEY_MEMBERS: [&str; 5] = ["tenant", "source", "id", "sent_from", "sent_to"];

/// Which event, without what it said, and when it was sent.
struct Key<'b> {
    tenant: Option<&'b RawValue>,
    source: Option<&'b RawValue>,
    id: Option<&'b RawValue>,
    sent_from: Option<&'b RawValue>,
    sent_to: Option<&'b RawValue>,
    /// The first member that is there twice.
    duplicate: Option<&'static str>,
}

/// What is there and not null.
fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}

impl<'b> Item<'b> {
    /// Nothing when it has not the shape of one. A member that is not known is not passed over: it
    /// could be one that is, with a slip of the pen, and then an event would be taken back that was
    /// to be replaced.
    fn of(raw: &'b RawValue) -> Option<Self> {
        let Members {
            found,
            duplicate,
            has_others,
            ..
        } = Members::of(raw, &MEMBERS)?;
        let [event, key, sent_by, replacement, reason] = found.map(present);
        if has_others {
            return None;
        }
        Some(Self {
            event: event.map(Wire::of_json),
            key: match key {
                Some(raw) => Some(Key::of(raw)?),
                None => None,
            },
            sent_by,
            replacement: replacement.map(Wire::of_json),
            reason: reason.filter(|raw| raw.get().starts_with('"'))?,
            duplicate: duplicate.map(|at| MEMBERS[at]),
        })
    }

    /// The id to name in a refusal.
    fn id(&self) -> Option<String> {
        self.event
            .as_ref()
            .and_then(id_of)
            .or_else(|| self.key.as_ref()?.id_to_name())
    }
}

impl<'b> Key<'b> {
    fn of(raw: &'b RawValue) -> Option<Self> {
        let Members {
            found,
            duplicate,
            has_others,
            ..
        } = Members::of(raw, &KEY_MEMBERS)?;
        let [tenant, source, id, sent_from, sent_to] = found.map(present);
        let duplicate = duplicate.map(|at| KEY_MEMBERS[at]);
        (!has_others).then_some(Self {
            tenant,
            source,
            id,
            sent_from,
            sent_to,
            duplicate,
        })
    }

    /// Only what an event may have.
    fn id_to_name(&self) -> Option<String> {
        let id = text(self.id?)?;
        (1..=FIELD_BYTES_MAX)
            .contains(&id.len())
            .then(|| id.into_owned())
    }
}

impl ParsedCorrections<'_> {
    /// The tenants whose events are to be corrected.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        let keyed = self.keyed.iter().map(|keyed| keyed.tenant);
        self.valid
            .iter()
            .map(|valid| valid.correction.original.tenant)
            .chain(keyed)
            .collect()
    }

    /// Refuses the corrections that could not be billed: see [`crate::ParsedBatch::keep_billable`].
    pub fn keep_billable(&mut self, first_moment: impl Fn(TenantId) -> Option<Timestamp>) {
        let mut keep = |index,
                        id: &str,
                        tenant,
                        original: Option<&Usage<'_>>,
                        replacement: Option<&Usage<'_>>| {
            let is_before =
                |event: Option<&Usage<'_>>, first| event.is_some_and(|event| event.at < first);
            let (reason, detail) = match first_moment(tenant) {
                None => (Reason::UnknownTenant, NOT_IN_USE.to_owned()),
                Some(first) if is_before(original, first) => {
                    (Reason::BeforeFirstPeriod, BEFORE_FIRST_PERIOD.to_owned())
                }
                Some(first) if is_before(replacement, first) => (
                    Reason::BeforeFirstPeriod,
                    format!("replacement: {BEFORE_FIRST_PERIOD}"),
                ),
                Some(_) => return true,
            };
            self.refused.push(Refusal {
                index,
                id: Some(id.to_owned()),
                reason,
                detail,
            });
            false
        };
        self.valid.retain(|valid| {
            let Correction {
                original,
                replacement,
            } = &valid.correction;
            keep(
                valid.index,
                &valid.id,
                original.tenant,
                Some(original),
                replacement.as_ref(),
            )
        });
        // What is stored of the event that a key names was accepted.
        self.keyed.retain(|keyed| {
            keep(
                keyed.index,
                &keyed.id,
                keyed.tenant,
                None,
                keyed.replacement.as_ref(),
            )
        });
        self.refused.sort_by_key(|refusal| refusal.index);
    }
}

/// Reads a request for corrections.
///
/// # Errors
/// When the body as a whole cannot be read. What is wrong with single corrections is in the
/// reading.
pub fn read_corrections<'c>(
    body: &[u8],
    catalogue: &'c Catalogue,
    now: Timestamp,
) -> Result<ParsedCorrections<'c>, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let document: &RawValue =
        serde_json::from_slice(body).map_err(|error| BodyError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
    // What serde derives for a struct would take a list of its fields by position, too.
    let request = if document.get().starts_with('{') {
        serde_json::from_str(document.get()).ok()
    } else {
        None
    };
    let Request { corrections } = request.ok_or(WRONG_SHAPE)?;
    if corrections.len() > CORRECTIONS_MAX {
        return Err(BodyError::TooMany {
            events: corrections.len(),
        });
    }
    let items: Option<Vec<Item<'_>>> = corrections.into_iter().map(Item::of).collect();
    let items = items.ok_or(WRONG_SHAPE)?;
    let keys = items.iter().filter(|item| item.key.is_some()).count();
    if keys > KEYED_CORRECTIONS_MAX {
        return Err(BodyError::TooManyKeys { keys });
    }
    let rules = Rules::of(catalogue, now);
    let mut reading = ParsedCorrections::default();
    for (index, item) in items.iter().enumerate() {
        let twice = item.duplicate.or_else(|| item.key.as_ref()?.duplicate);
        let read = match (twice, &item.event, &item.key) {
            (Some(name), ..) => Err(Fault::of(
                Reason::DuplicateField,
                format!("{name} is there twice"),
            )),
            (None, Some(event), None) => {
                correction(&rules, index, item, event).map(|valid| reading.valid.push(valid))
            }
            (None, None, Some(key)) => {
                keyed(&rules, index, item, key, now).map(|keyed| reading.keyed.push(keyed))
            }
            _ => Err(Fault::of(
                Reason::MissingField,
                "one of event and key says what is taken back, and not both",
            )),
        };
        if let Err(Fault { reason, detail }) = read {
            reading.refused.push(Refusal {
                index,
                id: item.id(),
                reason,
                detail,
            });
        }
    }
    Ok(reading)
}

fn correction<'c>(
    rules: &Rules<'c>,
    index: usize,
    item: &Item<'_>,
    event: &Wire<'_>,
) -> Result<ValidCorrection<'c>, Fault> {
    let reason = reason(item)?;
    let sent_by = sender(item.sent_by)?;
    let (id, original) = rules.read(event, sent_by)?;
    if !original.meter.aggregation.is_reversible() {
        return Err(not_reversible());
    }
    let replacement = replacement(rules, item)?;
    accompanies(original.tenant, original.entry.key, replacement.as_ref())?;
    let correction = Correction {
        original,
        replacement,
    };
    Ok(ValidCorrection {
        index,
        correction,
        sent_by,
        reason,
        id: id.into_owned(),
    })
}

fn keyed<'c>(
    rules: &Rules<'c>,
    index: usize,
    item: &Item<'_>,
    key: &Key<'_>,
    now: Timestamp,
) -> Result<KeyedCorrection<'c>, Fault> {
    let reason = reason(item)?;
    let sent_by = sender(item.sent_by)?;
    let tenant: TenantId = key
        .tenant
        .and_then(text)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Fault::of(
                Reason::InvalidTenant,
                "key: tenant is not a tenant id: a lower-case hyphenated UUID",
            )
        })?;
    let (source, id) = (key_text("source", key.source)?, key_text("id", key.id)?);
    // What was sent before that is not known to have been sent, so that taking it back would say
    // nothing.
    let first = now - EVENT_KEYS_KEPT;
    let from = moment("sent_from", key.sent_from)?.map_or(first, |from| from.max(first));
    let to = moment("sent_to", key.sent_to)?.unwrap_or(now + TIME_AHEAD_MAX);
    if to < from {
        return Err(Fault::of(
            Reason::InvalidTime,
            "key: sent_to is before sent_from, or more than 40 days ago",
        ));
    }
    let key = event_key(sent_by, &source, &id);
    let replacement = replacement(rules, item)?;
    accompanies(tenant, key, replacement.as_ref())?;
    let id = id.into_owned();
    Ok(KeyedCorrection {
        index,
        tenant,
        key,
        sent: (from, to),
        id,
        sent_by,
        replacement,
        reason,
    })
}

/// A text that a key has to have: as an event may have it.
fn key_text<'b>(name: &str, raw: Option<&'b RawValue>) -> Result<Cow<'b, str>, Fault> {
    let raw =
        raw.ok_or_else(|| Fault::of(Reason::MissingField, format!("key: {name} is missing")))?;
    let found = text(raw)
        .ok_or_else(|| Fault::of(Reason::WrongType, format!("key: {name} is not a text")))?;
    if found.is_empty() {
        return Err(Fault::of(
            Reason::MissingField,
            format!("key: {name} is empty"),
        ));
    }
    if found.len() > FIELD_BYTES_MAX {
        return Err(Fault::of(
            Reason::TooLong,
            format!("key: {name} has more than {FIELD_BYTES_MAX} bytes"),
        ));
    }
    Ok(found)
}

/// A moment of a key, which narrows where its event is looked for.
fn moment(name: &str, raw: Option<&RawValue>) -> Result<Option<Timestamp>, Fault> {
    let invalid = || {
        Fault::of(
            Reason::InvalidTime,
            format!("key: {name} is not a date and time as in RFC 3339"),
        )
    };
    raw.map(|raw| {
        text(raw)
            .and_then(|text| parse_moment(&text).ok())
            .ok_or_else(invalid)
    })
    .transpose()
}

fn reason(item: &Item<'_>) -> Result<ReasonCode, Fault> {
    text(item.reason)
        .unwrap_or_default()
        .parse()
        .map_err(|invalid: kernel::Invalid| {
            Fault::of(
                Reason::InvalidReason,
                format!("reason is not {}", invalid.rule),
            )
        })
}

/// What comes in an event's place: always the provider's.
fn replacement<'c>(rules: &Rules<'c>, item: &Item<'_>) -> Result<Option<Usage<'c>>, Fault> {
    let read = item
        .replacement
        .as_ref()
        .map(|replacement| rules.read(replacement, Sender::Provider))
        .transpose();
    let read = read.map_err(|Fault { reason, detail }| Fault {
        reason,
        detail: format!("replacement: {detail}"),
    })?;
    Ok(read.map(|(_, replacement)| replacement))
}

pub(crate) fn not_reversible() -> Fault {
    let detail = "the meter keeps no more of an event than what it made of the total: nothing can be taken back";
    Fault::of(Reason::NotReversible, detail)
}

/// In whose namespace the event is that a correction means.
fn sender(sent_by: Option<&RawValue>) -> Result<Sender, Fault> {
    match sent_by.map(text) {
        None => Ok(Sender::Provider),
        Some(Some(word)) if word == "provider" => Ok(Sender::Provider),
        Some(Some(word)) if word == "tenant" => Ok(Sender::Tenant),
        Some(_) => Err(Fault::of(
            Reason::InvalidSender,
            "sent_by is neither provider nor tenant",
        )),
    }
}

/// Whether an event can come in the place of another one.
pub(crate) fn accompanies(
    tenant: TenantId,
    original: DedupeKey,
    replacement: Option<&Usage<'_>>,
) -> Result<(), Fault> {
    let Some(replacement) = replacement else {
        return Ok(());
    };
    if replacement.tenant != tenant {
        return Err(Fault::of(
            Reason::OtherTenant,
            "replacement: subject is another tenant than the event's",
        ));
    }
    if replacement.entry.key == original {
        let detail = "replacement: source and id are the event's: what comes in its place needs an id of its own";
        return Err(Fault::of(Reason::SameIdentity, detail));
    }
    Ok(())
}
