//! From a request for corrections to events that are taken back or replaced, and named refusals.

use crate::event::{Fault, NOT_IN_USE, Rules, id_of};
use crate::json::{Members, Wire, text};
use crate::{BODY_BYTES_MAX, BodyError, Correction, Reason, Refusal, Usage};
use contract::catalogue::Catalogue;
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The most corrections of one request: with their replacements, they fit one segment.
pub const CORRECTIONS_MAX: usize = 500;

/// A request for corrections that was read: each is in one of two places.
#[derive(Debug, Default)]
pub struct CorrectionReading<'c> {
    /// What was refused, in the order of the request.
    pub refused: Vec<Refusal>,
    /// What is to be corrected.
    pub valid: Vec<ValidCorrection<'c>>,
}

/// A correction that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidCorrection<'c> {
    /// Where in the request it was, from 0.
    pub index: usize,
    /// What is taken back, and what comes in its place.
    pub correction: Correction<'c>,
    /// Why, as the caller says.
    pub reason: ReasonCode,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'b> {
    #[serde(borrow)]
    corrections: Vec<&'b RawValue>,
}

/// What a body is that has not the shape of a request, nor its parts that of corrections.
const WRONG_SHAPE: BodyError = BodyError::WrongShape { expected: "a list of corrections" };

/// The members of a correction.
const MEMBERS: [&str; 3] = ["event", "replacement", "reason"];

/// A correction as it was sent.
struct Item<'b> {
    event: Wire<'b>,
    replacement: Option<Wire<'b>>,
    reason: &'b RawValue,
    /// The first member that is there twice.
    duplicate: Option<&'static str>,
}

impl<'b> Item<'b> {
    /// Nothing when it has not the shape of one. A member that is not known is not passed over: it could be one that is,
    /// with a slip of the pen, and then an event would be taken back that was to be replaced.
    fn of(raw: &'b RawValue) -> Option<Self> {
        let Members { found, duplicate, has_others } = Members::of(raw, &MEMBERS)?;
        let [event, replacement, reason] = found;
        if has_others {
            return None;
        }
        Some(Self {
            event: Wire::of_json(event?),
            replacement: replacement.filter(|raw| raw.get() != "null").map(Wire::of_json),
            reason: reason.filter(|raw| raw.get().starts_with('"'))?,
            duplicate: duplicate.map(|at| MEMBERS[at]),
        })
    }
}

impl CorrectionReading<'_> {
    /// The tenants whose events are to be corrected.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        self.valid.iter().map(|valid| valid.correction.original.tenant).collect()
    }

    /// Refuses the corrections of every tenant that is not known.
    pub fn keep_tenants(&mut self, is_known: impl Fn(TenantId) -> bool) {
        let is_unknown = |valid: &mut ValidCorrection<'_>| !is_known(valid.correction.original.tenant);
        for ValidCorrection { index, id, .. } in self.valid.extract_if(.., is_unknown) {
            let detail = NOT_IN_USE.to_owned();
            self.refused.push(Refusal { index, id: Some(id), reason: Reason::UnknownTenant, detail });
        }
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
    let document: &RawValue = serde_json::from_slice(body)
        .map_err(|error| BodyError::Malformed { line: error.line(), column: error.column() })?;
    let Request { corrections } = object(document)?;
    if corrections.len() > CORRECTIONS_MAX {
        return Err(BodyError::TooMany { events: corrections.len() });
    }
    let rules = Rules::of(catalogue, now);
    let mut reading = CorrectionReading::default();
    for (index, raw) in corrections.into_iter().enumerate() {
        let item = Item::of(raw).ok_or(WRONG_SHAPE)?;
        match correction(&rules, index, &item) {
            Ok(valid) => reading.valid.push(valid),
            Err(Fault { reason, detail }) => {
                reading.refused.push(Refusal { index, id: id_of(&item.event), reason, detail });
            }
        }
    }
    Ok(reading)
}

/// Reads an object. What serde derives for a struct would take a list of its fields by position, too.
fn object<'b, T: Deserialize<'b>>(raw: &'b RawValue) -> Result<T, BodyError> {
    let object = if raw.get().starts_with('{') { serde_json::from_str(raw.get()).ok() } else { None };
    object.ok_or(WRONG_SHAPE)
}

fn correction<'c>(rules: &Rules<'c>, index: usize, item: &Item<'_>) -> Result<ValidCorrection<'c>, Fault> {
    if let Some(name) = item.duplicate {
        return Err(Fault::of(Reason::DuplicateField, format!("{name} is there twice")));
    }
    let reason = text(item.reason).unwrap_or_default().parse().map_err(|invalid: kernel::Invalid| {
        Fault::of(Reason::InvalidReason, format!("reason is not {}", invalid.rule))
    })?;
    let (id, original) = rules.read(&item.event)?;
    if !original.meter.aggregation.is_reversible() {
        let detail = "the meter keeps no more of an event than what it made of the total: nothing can be taken back";
        return Err(Fault::of(Reason::NotReversible, detail));
    }
    let replacement = item.replacement.as_ref().map(|replacement| rules.read(replacement)).transpose();
    let replacement =
        replacement.map_err(|Fault { reason, detail }| Fault { reason, detail: format!("replacement: {detail}") })?;
    let replacement = replacement.map(|(_, replacement)| replacement);
    if let Some(replacement) = &replacement {
        accompanies(&original, replacement)?;
    }
    Ok(ValidCorrection { index, correction: Correction { original, replacement }, reason, id: id.into_owned() })
}

fn accompanies(original: &Usage<'_>, replacement: &Usage<'_>) -> Result<(), Fault> {
    if replacement.tenant != original.tenant {
        return Err(Fault::of(Reason::OtherTenant, "replacement: subject is another tenant than the event's"));
    }
    if replacement.entry.identity == original.entry.identity {
        let detail = "replacement: source and id are the event's: what comes in its place has an identity of its own";
        return Err(Fault::of(Reason::SameIdentity, detail));
    }
    Ok(())
}
