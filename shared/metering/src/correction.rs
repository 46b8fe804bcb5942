//! From a request for corrections to events that are taken back or replaced, and named refusals.

use crate::event::{BEFORE_FIRST_PERIOD, FIELD_BYTES_MAX, Fault, NOT_IN_USE, Rules, id_of, is_rfc3339};
use crate::json::Wire;
use crate::{
    BODY_BYTES_MAX, BodyError, Correction, IDENTITY_KEPT, Identity, KEYED_CORRECTIONS_MAX, KeyedCorrection, Reason,
    Refusal, Sender, TIME_AHEAD_MAX, Usage,
};
use contract::catalogue::Catalogue;
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The most corrections of one request: with their replacements, they fit one segment.
pub const CORRECTIONS_MAX: usize = 500;

/// A request for corrections that was read: each is in one of three places.
#[derive(Debug, Default)]
pub struct CorrectionReading<'c> {
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
    /// In whose namespace the event that is taken back is. What comes in its place is in the provider's.
    pub sent_by: Sender,
    /// Why, as the caller says.
    pub reason: ReasonCode,
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'b> {
    #[serde(borrow)]
    corrections: Vec<Item<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'b> {
    #[serde(borrow, default)]
    event: Option<Wire<'b>>,
    #[serde(borrow, default)]
    key: Option<Key<'b>>,
    #[serde(default)]
    sent_by: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    replacement: Option<Wire<'b>>,
    #[serde(borrow)]
    reason: Cow<'b, str>,
}

/// Which event, without what it said, and when it was sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key<'b> {
    #[serde(borrow)]
    tenant: Cow<'b, str>,
    #[serde(borrow)]
    source: Cow<'b, str>,
    #[serde(borrow)]
    id: Cow<'b, str>,
    #[serde(default)]
    sent_from: Option<Cow<'b, str>>,
    #[serde(default)]
    sent_to: Option<Cow<'b, str>>,
}

impl CorrectionReading<'_> {
    /// The tenants whose events are to be corrected.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        let keyed = self.keyed.iter().map(|keyed| keyed.tenant);
        self.valid.iter().map(|valid| valid.correction.original.tenant).chain(keyed).collect()
    }

    /// Refuses the corrections that could not be billed: see [`crate::Reading::keep_billable`].
    pub fn keep_billable(&mut self, first_moment: impl Fn(TenantId) -> Option<Timestamp>) {
        let mut keep = |index, id: &str, tenant, original: Option<&Usage<'_>>, replacement: Option<&Usage<'_>>| {
            let is_before = |event: Option<&Usage<'_>>, first| event.is_some_and(|event| event.at < first);
            let (reason, detail) = match first_moment(tenant) {
                None => (Reason::UnknownTenant, NOT_IN_USE.to_owned()),
                Some(first) if is_before(original, first) => {
                    (Reason::BeforeFirstPeriod, BEFORE_FIRST_PERIOD.to_owned())
                }
                Some(first) if is_before(replacement, first) => {
                    (Reason::BeforeFirstPeriod, format!("replacement: {BEFORE_FIRST_PERIOD}"))
                }
                Some(_) => return true,
            };
            self.refused.push(Refusal { index, id: Some(id.to_owned()), reason, detail });
            false
        };
        self.valid.retain(|valid| {
            let Correction { original, replacement } = &valid.correction;
            keep(valid.index, &valid.id, original.tenant, Some(original), replacement.as_ref())
        });
        // What is stored of the event that a key names was accepted.
        self.keyed.retain(|keyed| keep(keyed.index, &keyed.id, keyed.tenant, None, keyed.replacement.as_ref()));
        self.refused.sort_by_key(|refusal| refusal.index);
    }
}

/// Reads a request for corrections.
///
/// # Errors
/// When the body as a whole cannot be read. What is wrong with single corrections is in the reading.
pub fn read_corrections<'c>(
    body: &[u8],
    catalogue: &'c Catalogue,
    now: Timestamp,
) -> Result<CorrectionReading<'c>, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => BodyError::WrongShape { expected: "a list of corrections" },
        _ => BodyError::Malformed { line: error.line(), column: error.column() },
    })?;
    let corrections = request.corrections;
    if corrections.len() > CORRECTIONS_MAX {
        return Err(BodyError::TooMany { events: corrections.len() });
    }
    let keys = corrections.iter().filter(|item| item.key.is_some()).count();
    if keys > KEYED_CORRECTIONS_MAX {
        return Err(BodyError::TooManyKeys { keys });
    }
    let rules = Rules::of(catalogue, now);
    let mut reading = CorrectionReading::default();
    for (index, item) in corrections.iter().enumerate() {
        let read = match (&item.event, &item.key) {
            (Some(event), None) => correction(&rules, index, item, event).map(|valid| reading.valid.push(valid)),
            (None, Some(key)) => keyed(&rules, index, item, key, now).map(|keyed| reading.keyed.push(keyed)),
            _ => Err(Fault::of(Reason::MissingField, "one of event and key says what is taken back, and not both")),
        };
        if let Err(Fault { reason, detail }) = read {
            let id = item.event.as_ref().and_then(id_of).or_else(|| item.key.as_ref().and_then(id_of_key));
            reading.refused.push(Refusal { index, id, reason, detail });
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
    let sent_by = sender(item.sent_by.as_deref())?;
    let (id, original) = rules.read(event, sent_by)?;
    if !original.meter.aggregation.is_reversible() {
        return Err(not_reversible());
    }
    let replacement = replacement(rules, item)?;
    accompanies(original.tenant, original.entry.identity, replacement.as_ref())?;
    let correction = Correction { original, replacement };
    Ok(ValidCorrection { index, correction, sent_by, reason, id: id.into_owned() })
}

fn keyed<'c>(
    rules: &Rules<'c>,
    index: usize,
    item: &Item<'_>,
    key: &Key<'_>,
    now: Timestamp,
) -> Result<KeyedCorrection<'c>, Fault> {
    let reason = reason(item)?;
    let sent_by = sender(item.sent_by.as_deref())?;
    let tenant: TenantId = key.tenant.parse().map_err(|_| {
        Fault::of(Reason::InvalidTenant, "key: tenant is not a tenant id: a lower-case hyphenated UUID")
    })?;
    for (name, text) in [("source", &key.source), ("id", &key.id)] {
        if text.is_empty() {
            return Err(Fault::of(Reason::MissingField, format!("key: {name} is empty")));
        }
        if text.len() > FIELD_BYTES_MAX {
            return Err(Fault::of(Reason::TooLong, format!("key: {name} has more than {FIELD_BYTES_MAX} bytes")));
        }
    }
    // What was sent before that is not known to have been sent, so that taking it back would say nothing.
    let first = now - IDENTITY_KEPT;
    let from = moment("sent_from", key.sent_from.as_deref())?.map_or(first, |from| from.max(first));
    let to = moment("sent_to", key.sent_to.as_deref())?.unwrap_or(now + TIME_AHEAD_MAX);
    if to < from {
        return Err(Fault::of(Reason::InvalidTime, "key: sent_to is before sent_from, or more than 40 days ago"));
    }
    let identity = Identity::of(sent_by, &key.source, &key.id);
    let replacement = replacement(rules, item)?;
    accompanies(tenant, identity, replacement.as_ref())?;
    let id = key.id.clone().into_owned();
    Ok(KeyedCorrection { index, tenant, identity, sent: (from, to), id, sent_by, replacement, reason })
}

/// A moment of a key, which narrows where its event is looked for.
fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Fault> {
    let read = |text: &str| is_rfc3339(text).then(|| text.parse().ok()).flatten();
    let invalid = || Fault::of(Reason::InvalidTime, format!("key: {name} is not a date and time as in RFC 3339"));
    text.map(|text| read(text).ok_or_else(invalid)).transpose()
}

fn reason(item: &Item<'_>) -> Result<ReasonCode, Fault> {
    item.reason
        .parse()
        .map_err(|invalid: kernel::Invalid| Fault::of(Reason::InvalidReason, format!("reason is not {}", invalid.rule)))
}

/// What comes in an event's place: always the provider's.
fn replacement<'c>(rules: &Rules<'c>, item: &Item<'_>) -> Result<Option<Usage<'c>>, Fault> {
    let read = item.replacement.as_ref().map(|replacement| rules.read(replacement, Sender::Provider)).transpose();
    let read = read.map_err(|Fault { reason, detail }| Fault { reason, detail: format!("replacement: {detail}") })?;
    Ok(read.map(|(_, replacement)| replacement))
}

pub(crate) fn not_reversible() -> Fault {
    let detail = "the meter keeps no more of an event than what it made of the total: nothing can be taken back";
    Fault::of(Reason::NotReversible, detail)
}

/// The id of a key to name in a refusal: only what an event may have.
fn id_of_key(key: &Key<'_>) -> Option<String> {
    (1..=FIELD_BYTES_MAX).contains(&key.id.len()).then(|| key.id.clone().into_owned())
}

/// In whose namespace the event is that a correction means.
fn sender(sent_by: Option<&str>) -> Result<Sender, Fault> {
    match sent_by {
        None | Some("provider") => Ok(Sender::Provider),
        Some("tenant") => Ok(Sender::Tenant),
        Some(_) => Err(Fault::of(Reason::InvalidSender, "sent_by is neither provider nor tenant")),
    }
}

/// Whether an event can come in the place of another one.
pub(crate) fn accompanies(tenant: TenantId, original: Identity, replacement: Option<&Usage<'_>>) -> Result<(), Fault> {
    let Some(replacement) = replacement else { return Ok(()) };
    if replacement.tenant != tenant {
        return Err(Fault::of(Reason::OtherTenant, "replacement: subject is another tenant than the event's"));
    }
    if replacement.entry.identity == original {
        let detail = "replacement: source and id are the event's: what comes in its place has an identity of its own";
        return Err(Fault::of(Reason::SameIdentity, detail));
    }
    Ok(())
}
