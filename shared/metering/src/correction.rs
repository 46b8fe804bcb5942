//! Parsing a request for corrections into valid corrections and named refusals.

use crate::checkpoint::EVENT_KEYS_KEPT;
use crate::event::{BEFORE_FIRST_PERIOD, FIELD_BYTES_MAX, Fault, NOT_IN_USE, Rules, id_of};
use crate::event::{BODY_BYTES_MAX, BodyError, TIME_AHEAD_MAX, Usage};
use crate::event_key::Sender;
use crate::event_key::event_key;
use crate::grouping::Correction;
use crate::json::{Members, Wire, text};
use crate::lookup::{KEYED_CORRECTIONS_MAX, KeyedCorrection};
use crate::refusal::{Reason, Refusal};
use catalogue::Catalogue;
use dedupe::DedupeKey;
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId, parse_moment};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most corrections of one request. With their replacements they fit one segment of 1,000
/// events.
pub const CORRECTIONS_MAX: usize = 500;

/// A parsed request for corrections. Each correction is in exactly one of the three lists.
#[derive(Debug, Default)]
pub struct ParsedCorrections<'c> {
    /// The refused corrections, in the order of the request.
    pub refused: Vec<Refusal>,
    /// The corrections that repeat their event.
    pub valid: Vec<ValidCorrection<'c>>,
    /// The corrections that name their event by its key, and wait for its lookup.
    pub keyed: Vec<KeyedCorrection<'c>>,
}

/// A valid correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidCorrection<'c> {
    /// The position in the request, from 0.
    pub index: usize,
    /// The event to take back, and its replacement.
    pub correction: Correction<'c>,
    /// The sender in whose namespace the taken-back event is. The replacement is in the provider's.
    pub sent_by: Sender,
    /// The caller's reason.
    pub reason: ReasonCode,
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'b> {
    #[serde(borrow)]
    corrections: Vec<&'b RawValue>,
}

/// The error for a body or a correction without the expected members.
const WRONG_SHAPE: BodyError = BodyError::WrongShape {
    expected: "a list of corrections",
};

/// The members of a correction.
const MEMBERS: [&str; 5] = ["event", "key", "sent_by", "replacement", "reason"];

/// An unparsed correction.
struct Item<'b> {
    event: Option<Wire<'b>>,
    key: Option<Key<'b>>,
    sent_by: Option<&'b RawValue>,
    replacement: Option<Wire<'b>>,
    reason: &'b RawValue,
    /// The first member that appears twice.
    duplicate: Option<&'static str>,
}

/// The members of a key.
const KEY_MEMBERS: [&str; 5] = ["tenant", "source", "id", "sent_from", "sent_to"];

/// An unparsed key: an event without its content, and a range for the time when it was sent.
struct Key<'b> {
    tenant: Option<&'b RawValue>,
    source: Option<&'b RawValue>,
    id: Option<&'b RawValue>,
    sent_from: Option<&'b RawValue>,
    sent_to: Option<&'b RawValue>,
    /// The first member that appears twice.
    duplicate: Option<&'static str>,
}

/// Treats null as absent.
fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| raw.get() != "null")
}

impl<'b> Item<'b> {
    /// Splits a correction into its members, or returns nothing when it is not a correction. An
    /// unknown member is refused, since it may be a misspelled one: without the misspelled
    /// replacement, an event would be taken back that was to be replaced.
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

    /// The event's id, for a refusal.
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

    /// The id, if an event may have it.
    fn id_to_name(&self) -> Option<String> {
        let id = text(self.id?)?;
        (1..=FIELD_BYTES_MAX)
            .contains(&id.len())
            .then(|| id.into_owned())
    }
}

impl ParsedCorrections<'_> {
    /// The tenants whose events are corrected.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        let keyed = self.keyed.iter().map(|keyed| keyed.tenant);
        self.valid
            .iter()
            .map(|valid| valid.correction.original.tenant)
            .chain(keyed)
            .collect()
    }

    /// Refuses corrections of events that no invoice could hold, see
    /// [`crate::ParsedBatch::keep_billable`].
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
        // The event that a key names was accepted when it was stored, so only its replacement is
        // checked.
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

/// Parses a request for corrections.
///
/// # Errors
/// [`BodyError`] when the body as a whole cannot be parsed. Faults of single corrections are in the
/// result.
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
    // A derived deserializer would also take an array with the fields by position.
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
    let mut parsed = ParsedCorrections::default();
    for (index, item) in items.iter().enumerate() {
        let twice = item.duplicate.or_else(|| item.key.as_ref()?.duplicate);
        let read = match (twice, &item.event, &item.key) {
            (Some(name), ..) => Err(Fault::of(
                Reason::DuplicateField,
                format!("{name} appears twice"),
            )),
            (None, Some(event), None) => {
                correction(&rules, index, item, event).map(|valid| parsed.valid.push(valid))
            }
            (None, None, Some(key)) => {
                keyed(&rules, index, item, key, now).map(|keyed| parsed.keyed.push(keyed))
            }
            _ => Err(Fault::of(
                Reason::MissingField,
                "exactly one of event and key is required",
            )),
        };
        if let Err(Fault { reason, detail }) = read {
            parsed.refused.push(Refusal {
                index,
                id: item.id(),
                reason,
                detail,
            });
        }
    }
    Ok(parsed)
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
    check_replacement(original.tenant, original.entry.key, replacement.as_ref())?;
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
    // The index of events does not reach further back, so that a void of an older event could not
    // be matched with it.
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
    check_replacement(tenant, key, replacement.as_ref())?;
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

/// A required text of a key, under the rules for the same attribute of an event.
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

/// A time of a key, which narrows the search for its event.
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

/// The replacement of an event. It is always in the provider's namespace.
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
    let detail = "the meter keeps only totals, from which no event can be subtracted";
    Fault::of(Reason::NotReversible, detail)
}

/// The sender in whose namespace the corrected event is.
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

/// Checks that an event can replace another one.
pub(crate) fn check_replacement(
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
            "replacement: subject is not the tenant of the event",
        ));
    }
    if replacement.entry.key == original {
        let detail = "replacement: source and id are those of the event: a replacement needs an id of its own";
        return Err(Fault::of(Reason::SameEventKey, detail));
    }
    Ok(())
}
