//! A tenant's usage by window: the same numbers as are billed.
//!
//! Machines request it often, and nothing changes, so the audit trail does not record it.

use crate::access::identify;
use crate::adapters::Adapters;
use crate::entitlements::seen_by;
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{UsageQuery, refusals};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use catalogue::{Aggregation, Catalogue};
use kernel::{
    BillingAnchor, MachineScope, MeterCode, Quantity, TenantId, Timestamp, UsageGroup, WindowSize,
    parse_moment,
};
use metering::{Counted, Finality, Question, Total, Unanswerable};
use runtime::http::{Holder, Now, Problem, csv_table, cut, next_link, wants_csv};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tenancy::{Bearer, FieldProblem};
use usage_store::UsageStoreError;

/// The most totals of a response; a few more where the last window has several groups, since no
/// window is cut.
const TOTALS_MAX: usize = 1_000;

/// The header of a CSV response with the counts of [`Events`].
const USAGE_EVENTS: HeaderName = HeaderName::from_static("usage-events");

/// A tenant's usage of a meter.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageReport))]
struct Report<'a> {
    tenant: TenantId,
    meter: &'a MeterCode,
    #[cfg_attr(test, schema(value_type = String, example = "sum"))]
    aggregation: Aggregation,
    /// The name of one unit.
    unit: &'a str,
    window: WindowSize,
    windows: Vec<Row>,
    /// The counts of the tenant's events after they were accepted.
    events: Events,
    /// The `from` of the next request; absent when this response is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    next_from: Option<Timestamp>,
}

/// The counts of a tenant's accepted events, of all meters, since its first one. Events that the
/// request itself reported as refused are not included.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageEventCounts))]
struct Events {
    /// Counted once, or withdrawn by a correction that came first.
    accepted: u64,
    /// Already received with the same content, or already corrected in the same way.
    duplicates: u64,
    /// Not counted: another event of the same sender has the same source and id, but other content.
    conflicts: u64,
    /// Withdrawn by a correction.
    taken_back: u64,
    /// Corrections whose event has other content than they state, together with their replacements.
    unmatched: u64,
    /// Corrections whose replacement has an id that is used already: nothing was changed.
    replacement_used: u64,
}

impl From<Counted> for Events {
    fn from(counted: Counted) -> Self {
        Self {
            accepted: counted.accepted,
            duplicates: counted.duplicates,
            conflicts: counted.conflicts,
            taken_back: counted.voided,
            unmatched: counted.unmatched,
            replacement_used: counted.replacement_used,
        }
    }
}

impl Events {
    /// The counts as a header: a dictionary of RFC 9651.
    fn header(&self) -> HeaderValue {
        let Self {
            accepted,
            duplicates,
            conflicts,
            taken_back,
            unmatched,
            replacement_used,
        } = self;
        let text = format!(
            "accepted={accepted}, duplicates={duplicates}, conflicts={conflicts}, taken_back={taken_back}, \
             unmatched={unmatched}, replacement_used={replacement_used}"
        );
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// The usage of one window.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageTotal))]
struct Row {
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    start: Timestamp,
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    end: Timestamp,
    /// The values of the dimensions; empty where all are totalled together.
    group: UsageGroup,
    #[cfg_attr(test, schema(value_type = String, example = "12.5"))]
    value: Quantity,
    /// The number of events in it.
    events: i64,
    /// Whether it may change: `provisional`, `sealed`, or `adjusted` where events came after the
    /// sealing.
    #[cfg_attr(test, schema(value_type = String, example = "provisional"))]
    state: Finality,
}

/// Shows a tenant's usage.
///
/// The totals of a meter by window: the same numbers as are billed. With a user's token, or one of
/// the tenant's own client with the scope usage/read: those of that tenant. With the provider's
/// service client and the scope usage/read: those of the requested tenant. Windows without usage
/// are left out.
///
/// The member `events` counts what became of the tenant's events of all meters after they were
/// accepted: how many were counted, repeated, in conflict with another one, or withdrawn. The
/// counts begin with the tenant's first event.
#[cfg_attr(test, utoipa::path(get, path = "/usage", operation_id = "readUsage", tag = "Usage",
    params(UsageQuery), security(("person" = []), ("machine" = ["usage/read"])),
    responses((status = 200,
            description = "The totals, in order of time; as CSV if `accept` names \
                           `text/csv`.",
            content((Report<'static> = "application/json"), (String = "text/csv")), headers(
                ("link" = String, description = "With CSV: where the rest is, with rel=\"next\"."),
                ("usage-events" = String,
                    description = "With CSV: the counts of the member `events`, as a dictionary of RFC \
                                   9651.")))),
    extensions(("x-problems" = json!(refusals![Always; InvalidFields, NotAnswerable])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    query: Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let (tenant, anchor) = tenant(&adapters, &headers, &query, now).await?;
    let mut question = question(&adapters.catalogue, &query, anchor, now)
        .map_err(|faults| problems::invalid_fields(&faults))?;
    let source = question.source().map_err(not_answerable)?;
    let reader = adapters.usage_of(tenant, now).await?;
    let stored = reader
        .totals(tenant, &question, source)
        .await
        .map_err(|error| busy(&error))?;
    if let Some(until) = stored.read_until {
        // The last window that was read in full.
        question.to = question.size.start(until, question.anchor);
    }
    let mut totals = question
        .answer(&stored.pages, stored.sealed_until)
        .map_err(not_answerable)?;
    let next_from = cut(&mut totals, TOTALS_MAX, |total| total.start)
        .or(stored.read_until.map(|_| question.to));
    let events = Events::from(stored.counted);
    if wants_csv(&headers) {
        let mut response = csv(&question, &query, &totals, next_from)?;
        response.headers_mut().insert(USAGE_EVENTS, events.header());
        return Ok(response);
    }
    let Question { meter, size, .. } = question;
    let report = Report {
        tenant,
        meter: &meter.code,
        aggregation: meter.aggregation,
        unit: &meter.unit,
        window: size,
        windows: totals.into_iter().map(Row::from).collect(),
        events,
        next_from,
    };
    Ok(Json(report).into_response())
}

impl From<Total> for Row {
    fn from(total: Total) -> Self {
        let Total {
            start,
            end,
            group,
            value,
            events,
            finality,
        } = total;
        Self {
            start,
            end,
            group,
            value,
            events,
            state: finality,
        }
    }
}

/// The tenant whose usage the caller may see and requests, and its billing anchor.
async fn tenant(
    adapters: &Adapters,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
    now: Timestamp,
) -> Result<(TenantId, BillingAnchor), Problem> {
    let holder = adapters
        .tokens
        .verify_holder::<Bearer>(headers, now)
        .await?;
    let requested = query.get("tenant").map(|text| {
        text.parse::<TenantId>()
            .map_err(|_| ProblemKind::UnknownTenant)
    });
    let requested = requested.transpose()?;
    let seen = match holder {
        Holder::Person(client, bearer) => {
            let caller = identify(adapters, &client, &bearer, now).await?;
            caller.ok_or(ProblemKind::UnknownBearer)?.tenant
        }
        Holder::Machine(client, scopes) => {
            scopes.require(MachineScope::UsageRead.as_str())?;
            seen_by(adapters, &client, MachineScope::UsageRead, requested, now).await?
        }
    };
    if requested.is_some_and(|requested| requested != seen.id) {
        return Err(ProblemKind::UnknownTenant.into());
    }
    Ok((seen.id, seen.billing_anchor))
}

/// Parses a query, or returns everything that is wrong with it.
fn question<'c>(
    catalogue: &'c Catalogue,
    query: &HashMap<String, String>,
    anchor: BillingAnchor,
    now: Timestamp,
) -> Result<Question<'c>, Vec<FieldProblem>> {
    let mut faults = Vec::new();
    let mut fault = |field, reason| faults.push(FieldProblem { field, reason });
    let meter = query
        .get("meter")
        .and_then(|code| code.parse().ok())
        .and_then(|code| catalogue.meter(&code));
    if meter.is_none() {
        fault("meter", "the code of a meter");
    }
    let size = query
        .get("window")
        .map_or(Ok(WindowSize::Day), |text| text.parse());
    if size.is_err() {
        fault("window", "minute, hour, day or month");
    }
    let moment = |name: &str, default| {
        query
            .get(name)
            .map_or(Some(default), |text| parse_moment(text).ok())
    };
    let from = moment("from", WindowSize::Month.start(now, anchor));
    let to = moment("to", now);
    match (from, to) {
        (None, _) => fault("from", "a date and time with an offset, as in RFC 3339"),
        (_, None) => fault("to", "a date and time with an offset, as in RFC 3339"),
        (Some(from), Some(to)) if to < from => fault("to", "not before from"),
        _ => {}
    }
    let filter = query
        .get("filter")
        .map_or(Ok(UsageGroup::default()), |text| text.parse());
    let filter = filter
        .ok()
        .filter(|filter| meter.is_none_or(|meter| meter.has_values(filter)));
    if filter.is_none() {
        fault(
            "filter",
            "values of the meter's dimensions, such as model=large",
        );
    }
    let group_by = meter.and_then(|meter| match query.get("group_by") {
        Some(names) => meter.dimensions_named(names),
        None => Some(
            meter
                .dimensions
                .iter()
                .map(|dimension| dimension.code.clone())
                .collect(),
        ),
    });
    if meter.is_some() && group_by.is_none() {
        fault("group_by", "dimensions of the meter, divided by commas");
    }
    match (meter, size, from, to, filter, group_by) {
        (Some(meter), Ok(size), Some(from), Some(to), Some(filter), Some(group_by))
            if faults.is_empty() =>
        {
            Ok(Question {
                meter,
                size,
                from,
                to,
                anchor,
                group_by,
                filter,
            })
        }
        _ => Err(faults),
    }
}

/// The totals as CSV (RFC 4180).
fn csv(
    question: &Question<'_>,
    query: &HashMap<String, String>,
    totals: &[Total],
    next_from: Option<Timestamp>,
) -> Result<Response, Problem> {
    let columns = [
        "meter", "window", "start", "end", "group", "value", "events", "state",
    ];
    let rows = totals.iter().map(|total| {
        let Total {
            start,
            end,
            group,
            value,
            events,
            finality,
        } = total;
        (
            &question.meter.code,
            question.size,
            start,
            end,
            group,
            value,
            events,
            finality,
        )
    });
    let mut response = csv_table(&columns, rows)?;
    if let Some(from) = next_from {
        response
            .headers_mut()
            .insert(LINK, next_link("/usage", query, from)?);
    }
    Ok(response)
}

fn not_answerable(error: Unanswerable) -> Problem {
    Problem::new(ProblemKind::NotAnswerable).detail(error.to_string())
}

fn busy(error: &UsageStoreError) -> Problem {
    match error {
        UsageStoreError::Throttled { .. } => ProblemKind::TryAgain.into(),
        _ => Problem::internal(error),
    }
}
