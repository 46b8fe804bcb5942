//! The routes of the API. Each but the description needs an operator's token.

use crate::usage;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use billing::{Incident, Invoice, InvoiceNumber, InvoiceSummary, Run, Tally};
use billing_store::{BillingStore, StoreError};
use catalogue::Catalogue;
use kernel::{BillingPeriod, Currency, Timestamp};
use runtime::http::{Document, Now, Problem, Tokens};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The scope that an operator's token must have.
const SCOPE: &str = "meridian/operator.read";
const PAGE_DEFAULT: u16 = 50;
/// The most invoices of a page. The OpenAPI description has both numbers, too.
const PAGE_MAX: u16 = 100;
/// The most incidents of a response. `total` counts the others.
const INCIDENTS_MAX: usize = 100;

/// Makes the router: a period's invoices, one invoice, a period's billing run, a tenant's usage,
/// the incidents of the ledger, and the public description.
pub(crate) fn router(adapters: Adapters) -> Router {
    let adapters = Arc::new(adapters);
    Router::new()
        .route("/invoices", get(list_invoices))
        .route("/invoices/{id}", get(show_invoice))
        .route("/billing-runs/{period}", get(show_run))
        .route("/usage", get(usage::show))
        .route("/usage-incidents", get(list_incidents))
        .route_layer(from_fn_with_state(Arc::clone(&adapters), authorize))
        .route("/openapi.json", get(describe))
        .with_state(adapters)
}

/// The adapters of the function.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The verifier of operators' tokens.
    pub(crate) tokens: Tokens,
    /// The catalogue, for the aggregation of each meter.
    pub(crate) catalogue: Catalogue,
}

/// A page of a period's invoices.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct InvoiceList {
    /// The invoices, in the order of their numbers.
    invoices: Vec<InvoiceSummary>,
    /// The cursor of the next page, unless this is the last.
    next_cursor: Option<String>,
}

/// A billing run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = BillingRun))]
struct RunView {
    /// The period.
    period: BillingPeriod,
    /// The time of the schedule that first started the run.
    started_at: Timestamp,
    /// The number of tenants that have or will have an invoice.
    expected: u64,
    /// The number of issued invoices.
    done: u64,
    /// Whether all invoices are issued.
    complete: bool,
    /// The sums of the invoices, by currency.
    totals: BTreeMap<Currency, Tally>,
}

/// The incidents of the ledger's usage.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageIncidents))]
struct IncidentList {
    /// The number of all incidents.
    total: usize,
    /// The first 100 incidents, the oldest first.
    incidents: Vec<Incident>,
}

async fn authorize(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    adapters
        .tokens
        .verify(request.headers(), SCOPE, now)
        .await?;
    Ok(next.run(request).await)
}

/// `GET /invoices`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/invoices",
    tag = "Billing",
    operation_id = "listInvoices",
    summary = "Lists the invoices of a period",
    params(
        ("period" = BillingPeriod, Query, description = "The period."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 100, description = "The most invoices of the page; 50 if absent."),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier response."),
    ),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "A page of invoices.", body = InvoiceList),
        (status = 400, description = "`invalid-period`: the period is missing or not valid. `invalid-limit`: it is not 1 to \
                                      100. `invalid-cursor`: no response contained it."),
    ),
))]
async fn list_invoices(
    State(adapters): State<Arc<Adapters>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<InvoiceList>, Problem> {
    // A malformed query has no period, and is refused for that.
    let query = query.map_or_else(|_| HashMap::new(), |Query(query)| query);
    let period = parse_period(query.get("period").map_or("", String::as_str))?;
    let limit = query
        .get("limit")
        .map_or(Ok(PAGE_DEFAULT), |limit| parse_limit(limit))?;
    let after = query
        .get("cursor")
        .map(|cursor| parse_cursor(cursor))
        .transpose()?;
    let page = adapters
        .store
        .load_invoices(period, after.as_ref(), limit)
        .await
        .map_err(failed)?;
    let next_cursor = page.next.map(|next| write_cursor(&next));
    Ok(Json(InvoiceList {
        invoices: page.invoices,
        next_cursor,
    }))
}

/// `GET /invoices/{id}`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/invoices/{id}",
    tag = "Billing",
    operation_id = "showInvoice",
    summary = "Shows an invoice with the steps of its amounts",
    params(("id" = kernel::InvoiceId, Path, description = "The invoice.")),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "The invoice.", body = Invoice),
        (status = 400, description = "`invalid-invoice-id`: it is not a lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-invoice`: there is no invoice with this id."),
    ),
))]
async fn show_invoice(
    State(adapters): State<Arc<Adapters>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Invoice>, Problem> {
    let id = text_of(id);
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-invoice",
            "There is no invoice with this id",
        )
    };
    let id = id.parse().map_err(|invalid| {
        Problem::invalid("invalid-invoice-id", "The invoice id is not valid", invalid)
    })?;
    let invoice = adapters
        .store
        .load_invoice_by_id(id)
        .await
        .map_err(failed)?;
    invoice.map(Json).ok_or_else(unknown)
}

/// `GET /billing-runs/{period}`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/billing-runs/{period}",
    tag = "Billing",
    operation_id = "showBillingRun",
    summary = "Shows the billing run of a period",
    params(("period" = BillingPeriod, Path, description = "The period.")),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "The run.", body = RunView),
        (status = 400, description = "`invalid-period`: it is not valid."),
        (status = 404, description = "`unknown-billing-run`: the period has no run."),
    ),
))]
async fn show_run(
    State(adapters): State<Arc<Adapters>>,
    period: Result<Path<String>, PathRejection>,
) -> Result<Json<RunView>, Problem> {
    let period = parse_period(&text_of(period))?;
    let held = adapters.store.load_run(period).await.map_err(failed)?;
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-billing-run",
            "This period has no billing run",
        )
    };
    let run = held.ok_or_else(unknown)?.run;
    let complete = run.is_complete();
    let Run {
        period,
        started_at,
        expected,
        done,
        tallies,
        ..
    } = run;
    Ok(Json(RunView {
        period,
        started_at,
        expected,
        done,
        complete,
        totals: tallies,
    }))
}

/// `GET /usage-incidents`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/usage-incidents",
    tag = "Billing",
    operation_id = "listUsageIncidents",
    summary = "Lists the incidents of the ledger's usage",
    description = "A sealed day whose totals are missing in the ledger or differ, a day that was sealed twice with different \
                   totals, or missing reports. Each is listed after requests to the region were in vain, until it is resolved.",
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The incidents.", body = IncidentList)),
))]
async fn list_incidents(
    State(adapters): State<Arc<Adapters>>,
) -> Result<Json<IncidentList>, Problem> {
    let unreconciled = adapters.store.load_unreconciled().await.map_err(failed)?;
    let mut incidents: Vec<Incident> = unreconciled
        .into_iter()
        .filter_map(|unreconciled| unreconciled.incident)
        .collect();
    let total = incidents.len();
    incidents.sort_by_key(|incident| (incident.since, incident.subject()));
    incidents.truncate(INCIDENTS_MAX);
    Ok(Json(IncidentList { total, incidents }))
}

/// `GET /openapi.json`: this API.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Description",
    operation_id = "describeApi",
    summary = "Describes this API",
    description = "This document. Public.",
    responses(
        (status = 200, description = "An OpenAPI 3.1 document.", body = Object, headers(
            ("cache-control" = String, description = "It may be cached for five minutes."),
        )),
    ),
))]
async fn describe() -> Document {
    Document(include_str!("../../../../docs/openapi/operator.json"))
}

/// A part of the path, or the empty text, which is neither an id nor a period, when it is not text.
fn text_of(part: Result<Path<String>, PathRejection>) -> String {
    part.map_or_else(|_| String::new(), |Path(text)| text)
}

pub(crate) fn parse_period(text: &str) -> Result<BillingPeriod, Problem> {
    text.parse().map_err(|invalid: kernel::Invalid| {
        Problem::invalid("invalid-period", "The period is not valid", invalid)
    })
}

fn parse_limit(text: &str) -> Result<u16, Problem> {
    let rule = kernel::Invalid {
        kind: "limit",
        rule: "a whole number from 1 to 100",
    };
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::invalid("invalid-limit", "The limit is not valid", rule))
}

/// Parses a cursor: the last number of a page as `<legal entity>.<number>`. The code of a legal
/// entity has no dot.
fn parse_cursor(text: &str) -> Result<InvoiceNumber, Problem> {
    let rule = kernel::Invalid {
        kind: "cursor",
        rule: "the next_cursor of an earlier response",
    };
    let number = text.split_once('.').and_then(|(legal_entity, number)| {
        let legal_entity = legal_entity.parse().ok()?;
        Some(InvoiceNumber {
            legal_entity,
            number: number.parse().ok()?,
        })
    });
    // Other spellings, such as leading zeros, are refused: no response contains them.
    let canonical = number.filter(|number| write_cursor(number) == text);
    canonical.ok_or_else(|| Problem::invalid("invalid-cursor", "The cursor is not valid", rule))
}

fn write_cursor(number: &InvoiceNumber) -> String {
    format!("{}.{}", number.legal_entity, number.number)
}

pub(crate) fn failed(error: StoreError) -> Problem {
    Problem::internal(&error)
}
