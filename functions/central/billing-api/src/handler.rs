//! The routes of the API. Each but the description needs an operator's token.

use crate::adapters::Adapters;
use crate::problems::ProblemKind;
#[cfg(test)]
use crate::tests::openapi::InvoiceQuery;
use crate::usage;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use billing::{Incident, Invoice, InvoiceNumber, InvoiceSummary, Run, Tally};
use billing_store::StoreError;
use kernel::{BillingPeriod, Currency, Timestamp};
use runtime::http::{Document, Now, Problem};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
#[cfg(test)]
use testkit::openapi::ApiDocument;
#[cfg(test)]
use testkit::problems;

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

/// Lists the invoices of a period.
#[cfg_attr(test, utoipa::path(get, path = "/invoices", operation_id = "listInvoices",
    tag = "Billing", params(InvoiceQuery), security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "A page of invoices.", body = InvoiceList)),
    extensions(("x-problems" = json!(problems![InvalidPeriod, InvalidLimit, InvalidCursor])))))]
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

/// Shows an invoice with all that its amounts come from.
#[cfg_attr(test, utoipa::path(get, path = "/invoices/{id}", operation_id = "showInvoice",
    tag = "Billing", params(("id" = kernel::InvoiceId, Path, description = "The invoice.")),
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The invoice.", body = Invoice)),
    extensions(("x-problems" = json!(problems![InvalidInvoiceId, UnknownInvoice])))))]
async fn show_invoice(
    State(adapters): State<Arc<Adapters>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Invoice>, Problem> {
    let id = text_of(id);
    let id = id
        .parse()
        .map_err(|invalid| Problem::invalid(ProblemKind::InvalidInvoiceId, invalid))?;
    let invoice = adapters
        .store
        .load_invoice_by_id(id)
        .await
        .map_err(failed)?;
    invoice
        .map(Json)
        .ok_or_else(|| ProblemKind::UnknownInvoice.into())
}

/// Shows how far the billing of a period is.
#[cfg_attr(test, utoipa::path(get, path = "/billing-runs/{period}", operation_id = "showBillingRun",
    tag = "Billing", params(("period" = BillingPeriod, Path, description = "The period.")),
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The run.", body = RunView)),
    extensions(("x-problems" = json!(problems![InvalidPeriod, UnknownBillingRun])))))]
async fn show_run(
    State(adapters): State<Arc<Adapters>>,
    period: Result<Path<String>, PathRejection>,
) -> Result<Json<RunView>, Problem> {
    let period = parse_period(&text_of(period))?;
    let held = adapters.store.load_run(period).await.map_err(failed)?;
    let run = held.ok_or(ProblemKind::UnknownBillingRun)?.run;
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

/// Lists what is wrong with the usage in the ledger.
///
/// A sealed day whose totals the ledger does not have, or has differently, a day that was sealed
/// twice, reports that never arrived: each after the region was asked for it in vain, as long as it
/// is wrong.
#[cfg_attr(test, utoipa::path(get, path = "/usage-incidents", operation_id = "listUsageIncidents",
    tag = "Billing", security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The incidents.", body = IncidentList))))]
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

/// Describes this API.
///
/// This document. Public.
#[cfg_attr(
    test,
    utoipa::path(
        get,
        path = "/openapi.json",
        operation_id = "describeApi",
        tag = "Description",
        responses(ApiDocument),
    )
)]
async fn describe() -> Document {
    Document(include_str!("../../../../docs/openapi/operator.json"))
}

/// A part of the path, or the empty text, which is neither an id nor a period, when it is not text.
fn text_of(part: Result<Path<String>, PathRejection>) -> String {
    part.map_or_else(|_| String::new(), |Path(text)| text)
}

pub(crate) fn parse_period(text: &str) -> Result<BillingPeriod, Problem> {
    text.parse()
        .map_err(|invalid: kernel::Invalid| Problem::invalid(ProblemKind::InvalidPeriod, invalid))
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
    limit.ok_or_else(|| Problem::invalid(ProblemKind::InvalidLimit, rule))
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
    canonical.ok_or_else(|| Problem::invalid(ProblemKind::InvalidCursor, rule))
}

fn write_cursor(number: &InvoiceNumber) -> String {
    format!("{}.{}", number.legal_entity, number.number)
}

pub(crate) fn failed(error: StoreError) -> Problem {
    Problem::internal(&error)
}
