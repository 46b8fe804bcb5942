//! `/usage/corrections`: withdraws or replaces wrong events, and records who did it and why.
//!
//! Only the provider's own services may correct usage: a tenant that could withdraw usage could
//! withdraw what it owes.

use crate::adapters::Adapters;
use crate::body::bytes;
use crate::problems::{ProblemKind, refuse, usage_failed};
#[cfg(test)]
use crate::tests::openapi::{self, CorrectionRequest, RefusedEvent};
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use dedupe::DedupeKey;
use kernel::{MachineScope, SegmentId, TenantId, Timestamp};
use metering::{
    BodyError, CORRECTIONS_MAX, KEYED_CORRECTIONS_MAX, KeyedCorrection, ParsedCorrections, Refusal,
    Sender, ValidCorrection, group_corrections, read_corrections,
};
use runtime::http::{Client, Now, Problem};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
#[cfg(test)]
use testkit::problems;
use usage_store::{CorrectionNote, CorrectionRecord, SEARCH_BYTES_MAX, SearchBudget};

/// The most records of an answer.
const RECORDS_MAX: u16 = 50;

/// The result of a request for corrections.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CorrectionsTaken))]
pub(crate) struct Accepted {
    /// The number of stored corrections. They take effect within seconds.
    accepted: usize,
    /// The rejected corrections, each with its reason.
    #[cfg_attr(test, schema(value_type = Vec<RefusedEvent>))]
    rejected: Vec<Refusal>,
    /// The ids of the records in the list of corrections, which will have the results.
    records: Vec<SegmentId>,
}

/// A page of a tenant's corrections.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Corrections))]
pub(crate) struct Records {
    /// The newest first.
    #[cfg_attr(test, schema(value_type = Vec<openapi::CorrectionRecord>))]
    corrections: Vec<CorrectionRecord>,
    /// The `before` of the next page; absent when this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<SegmentId>,
}

/// Withdraws or replaces usage events.
///
/// The answer is 202 once every valid correction is stored, and names each rejected one; 422 when
/// no correction is valid. The same corrections may be sent again: each applies once.
///
/// A request has at most 500 corrections. Each names an event by its full content (`event`), or,
/// for at most 20 of a request, by its key (`key`), which is looked up in the stored events of the
/// last 40 days. `sent_by` names the event's sender: the provider, or a client of the tenant, which
/// have separate ids. Nothing changes where the stored event differs from `event`, or where the id
/// of the replacement is already used; the record of the correction has the result. An event is
/// withdrawn once; its replacement can be corrected in turn. Events of meters that keep a minimum,
/// a maximum, the latest value or a number of distinct values cannot be withdrawn. Only the
/// provider's services may correct usage.
#[cfg_attr(test, utoipa::path(post, path = "/usage/corrections", operation_id = "correctUsage",
    tag = "Metering", request_body(content = CorrectionRequest, content_type = "application/json"),
    security(("machine" = ["usage/write"])),
    responses((status = 202, description = "The result of the corrections.", body = Accepted)),
    extensions(("x-problems" = json!(problems![MalformedJson, UnexpectedForm, BodyTooLarge,
        TooManyCorrections, TooManyKeyedCorrections, CorrectionsRefused, Throttled,
        UsageUnavailable])))))]
pub(crate) async fn correct(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let claims = adapters
        .tokens
        .verify(&headers, MachineScope::UsageWrite.as_str(), now)
        .await?;
    let body = bytes(&headers, body).await?;
    let mut parsed =
        read_corrections(&body, &adapters.catalogue, now).map_err(refuse_corrections)?;
    let known = adapters
        .reportable(&parsed.tenants(), &Client::Named, now)
        .await?;
    parsed.keep_billable(|tenant| known.first_moment(tenant));
    adapters.find_keyed(&mut parsed, now).await?;
    let ParsedCorrections { refused, valid, .. } = parsed;
    adapters.count(Sender::Provider, &refused).await;
    if valid.is_empty() && !refused.is_empty() {
        return Err(Problem::new(ProblemKind::CorrectionsRefused).with("rejected", refused));
    }
    let accepted = valid.len();
    let mut notes: HashMap<TenantId, VecDeque<CorrectionNote>> = HashMap::new();
    for ValidCorrection {
        correction,
        sent_by,
        reason,
        ..
    } in &valid
    {
        let note = CorrectionNote {
            sent_by: *sent_by,
            reason: reason.clone(),
        };
        notes
            .entry(correction.original.tenant)
            .or_default()
            .push_back(note);
    }
    let next_id = || SegmentId::from_uuid(runtime::new_uuid());
    let corrections = valid.into_iter().map(|valid| valid.correction);
    let segments = group_corrections(corrections, |tenant| known.anchor(tenant), next_id);
    let stored = adapters
        .segment_writer
        .store_corrections(&segments, notes, &claims.sub, now)
        .await;
    let records = match stored {
        Ok(records) => records.into_iter().map(|record| record.id).collect(),
        Err(error) => {
            adapters.count_not_stored(accepted).await;
            return Err(usage_failed(&error));
        }
    };
    Ok((
        StatusCode::ACCEPTED,
        Json(Accepted {
            accepted,
            rejected: refused,
            records,
        }),
    ))
}

/// Lists a tenant's corrections.
///
/// Each record has the client that sent the correction, its reason and its result. The newest comes
/// first. Records are never changed.
#[cfg_attr(test, utoipa::path(get, path = "/usage/corrections", operation_id = "listCorrections",
    tag = "Metering",
    params(("tenant" = TenantId, Query, description = "The tenant."),
        ("before" = Option<SegmentId>, Query,
            description = "The `next_before` of an earlier answer.")),
    security(("machine" = ["usage/write"])),
    responses((status = 200, description = "A page of corrections.", body = Records)),
    extensions(("x-problems" = json!(problems![InvalidTenant, InvalidCursor, UnknownTenant,
        UsageUnavailable])))))]
pub(crate) async fn list(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    query: Query<HashMap<String, String>>,
) -> Result<Json<Records>, Problem> {
    adapters
        .tokens
        .verify(&headers, MachineScope::UsageWrite.as_str(), now)
        .await?;
    let tenant = query.get("tenant").map_or("", String::as_str).parse();
    let tenant: TenantId =
        tenant.map_err(|invalid| Problem::invalid(ProblemKind::InvalidTenant, invalid))?;
    let before = query.get("before").map(|id| id.parse()).transpose();
    let before: Option<SegmentId> =
        before.map_err(|invalid| Problem::invalid(ProblemKind::InvalidCursor, invalid))?;
    if !adapters
        .reportable(&BTreeSet::from([tenant]), &Client::Named, now)
        .await?
        .contains(tenant)
    {
        return Err(ProblemKind::UnknownTenant.into());
    }
    let corrections = adapters
        .usage
        .corrections(tenant, before, RECORDS_MAX)
        .await;
    let corrections = corrections.map_err(|error| usage_failed(&error))?;
    let is_full = corrections.len() == usize::from(RECORDS_MAX);
    let next_before = corrections
        .last()
        .filter(|_| is_full)
        .map(|record| record.id);
    Ok(Json(Records {
        corrections,
        next_before,
    }))
}

impl Adapters {
    /// Looks up the events that corrections name by key. Each of these corrections becomes valid or
    /// rejected.
    async fn find_keyed<'a>(
        &'a self,
        parsed: &mut ParsedCorrections<'a>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        // One search finds all keys of a tenant with the same time range.
        let mut searches: BTreeMap<(TenantId, (Timestamp, Timestamp)), Vec<KeyedCorrection<'a>>> =
            BTreeMap::new();
        for keyed in parsed.keyed.drain(..) {
            searches
                .entry((keyed.tenant, keyed.sent))
                .or_default()
                .push(keyed);
        }
        let budget = SearchBudget::start(SEARCH_BYTES_MAX);
        for ((tenant, sent), keyed) in searches {
            let sought: BTreeSet<DedupeKey> = keyed.iter().map(|keyed| keyed.key).collect();
            let seen = self.usage.find_events(tenant, &sought, sent, &budget).await;
            let seen = seen.map_err(|error| usage_failed(&error))?;
            for correction in keyed {
                match correction.resolve(&seen, &self.catalogue, now) {
                    Ok(valid) => parsed.valid.push(valid),
                    Err(refusal) => parsed.refused.push(refusal),
                }
            }
        }
        // Back to the order of the request: an earlier correction of an event applies first.
        parsed.valid.sort_by_key(|valid| valid.index);
        parsed.refused.sort_by_key(|refusal| refusal.index);
        Ok(())
    }
}

fn refuse_corrections(error: BodyError) -> Problem {
    match error {
        BodyError::TooManyKeys { .. } => refuse(error).with("keys_max", KEYED_CORRECTIONS_MAX),
        BodyError::TooMany { .. } => {
            Problem::new(ProblemKind::TooManyCorrections).with("corrections_max", CORRECTIONS_MAX)
        }
        error => refuse(error),
    }
}
