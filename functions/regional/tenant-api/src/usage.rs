//! What a tenant has used, by window: the same numbers as will be billed.
//!
//! It is asked for often, by machines too, and changes nothing: no audit trail tells of it.

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

/// How many totals are in an answer, and a few more where the last window has several groups.
const TOTALS_MAX: usize = 1_000;

/// The header of a table that says what became of the tenant's events.
const USAGE_EVENTS: HeaderName = HeaderName::from_static("usage-events");

/// What a tenant has used of a meter.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageReport))]
struct Report<'a> {
    tenant: TenantId,
    meter: &'a MeterCode,
    #[cfg_attr(test, schema(value_type = String, example = "sum"))]
    aggregation: Aggregation,
    /// What one unit is called.
    unit: &'a str,
    window: WindowSize,
    windows: Vec<Row>,
    /// What became of the tenant's events after they were accepted.
    events: Events,
    /// The `from` of what follows; absent when all is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    next_from: Option<Timestamp>,
}

/// What became of all events of a tenant, of whatever meter, since its first one came. What a
/// request was told of, such as what was refused, is not in it.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageEventCounts))]
struct Events {
    /// Counted once, or taken back before they came.
    accepted: u64,
    /// Seen before with the same content, or corrected before in the same way.
    duplicates: u64,
    /// Of the source and id of another one of the same sender that says something else: not
    /// counted.
    conflicts: u64,
    /// Taken back by a correction.
    taken_back: u64,
    /// Of corrections that found something else than they said, with what was to come in its place.
    unmatched: u64,
    /// Of corrections whose replacement has an id that is used already: nothing was changed.
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
    /// The same as a header: a dictionary of RFC 9651.
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
    /// How many events it is made of.
    events: i64,
    /// Whether it may change: `provisional`, `sealed`, or `adjusted` where something came after it
    /// was sealed.
    #[cfg_attr(test, schema(value_type = String, example = "provisional"))]
    state: Finality,
}

/// Shows what a tenant has used.
///
/// The totals of a meter, by window: the same numbers as are billed. By a user's token, or one of
/// the tenant's own client with the scope usage/read: of that tenant. By the provider's service
/// client with the scope usage/read: of the tenant that is asked for. Windows without usage are
/// left out.
///
/// The member `events` says what became of the tenant's events of all meters after they were
/// accepted: how many counted, came again, contradicted another one, or were taken back. It counts
/// since the tenant's first event.
#[cfg_attr(test, utoipa::path(get, path = "/usage", operation_id = "readUsage", tag = "Usage",
    params(UsageQuery), security(("person" = []), ("machine" = ["usage/read"])),
    responses((status = 200,
            description = "The totals, in order of time; as CSV where `accept` asks for \
                           `text/csv`.",
            content((Report<'static> = "application/json"), (String = "text/csv")), headers(
                ("link" = String, description = "With CSV: where the rest is, with rel=\"next\"."),
                ("usage-events" = String,
                    description = "With CSV: what the member `events` says, as a dictionary of RFC \
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
        // The last window that is there in full.
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

/// Whose usage a caller may see and asks for, and when its days begin.
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
    let asked = query.get("tenant").map(|text| {
        text.parse::<TenantId>()
            .map_err(|_| ProblemKind::UnknownTenant)
    });
    let asked = asked.transpose()?;
    let seen = match holder {
        Holder::Person(client, bearer) => {
            let caller = identify(adapters, &client, &bearer, now).await?;
            caller.ok_or(ProblemKind::UnknownBearer)?.tenant
        }
        Holder::Machine(client, scopes) => {
            scopes.require(MachineScope::UsageRead.as_str())?;
            seen_by(adapters, &client, MachineScope::UsageRead, asked, now).await?
        }
    };
    if asked.is_some_and(|asked| asked != seen.id) {
        return Err(ProblemKind::UnknownTenant.into());
    }
    Ok((seen.id, seen.billing_anchor))
}

/// Reads what is asked, or says what is wrong with it.
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
    let moment = |name: &str, otherwise| {
        query
            .get(name)
            .map_or(Some(otherwise), |text| parse_moment(text).ok())
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
