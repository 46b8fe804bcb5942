//! `GET /usage`: what the ledger has of a tenant's usage, as it is billed.

use crate::handler::{Adapters, failed, parse_period};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use billing::{Exact, MeterUsage, PeriodUsage, Seal, total_usage};
use contract::{UsageWindow, WindowPart};
use kernel::{BillingAnchor, BillingPeriod, MeterCode, TenantId, Timestamp, WindowSize};
use runtime::http::{Problem, csv_table, wants_csv};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A tenant's usage of a period.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerUsage))]
pub(crate) struct UsageView {
    tenant: TenantId,
    period: BillingPeriod,
    /// What the period comes to, by meter: what an invoice bills.
    totals: Vec<TotalView>,
    /// The windows that it is made of: days, and of different values the period itself.
    windows: Vec<TotalView>,
}

/// The usage of a window, or of the period.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerTotal))]
pub(crate) struct TotalView {
    meter: MeterCode,
    /// How long the window is.
    window: WindowSize,
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    start: Timestamp,
    /// All values of its dimensions together.
    value: Exact,
    /// How many events it is made of.
    events: u64,
    /// Whether it may change.
    state: Finality,
}

/// Whether a total may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerState))]
#[serde(rename_all = "lowercase")]
enum Finality {
    /// It may.
    Provisional,
    /// The region has sealed it, and the ledger holds what was sealed.
    Sealed,
    /// It is sealed, and what came after that is added.
    Adjusted,
}

/// `GET /usage`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/usage",
    tag = "Billing",
    operation_id = "showLedgerUsage",
    summary = "Shows what the ledger has of a tenant's usage",
    description = "The numbers that are billed, by meter and day. The tenant's region has shorter windows and \
                   dimensions.",
    params(
        ("tenant" = TenantId, Query, description = "The tenant."),
        ("period" = BillingPeriod, Query, description = "The period."),
    ),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "The usage; its windows as CSV where `accept` asks for `text/csv`.", content(
            (UsageView = "application/json"),
            (String = "text/csv"),
        )),
        (status = 400, description = "`invalid-tenant`: the tenant is missing or no tenant id. `invalid-period`: the \
                                      period is missing or none."),
    ),
))]
pub(crate) async fn show(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = query.map_or_else(|_| HashMap::new(), |Query(query)| query);
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let tenant = text("tenant").parse();
    let tenant = tenant.map_err(|invalid| Problem::invalid("invalid-tenant", "The tenant is not valid", invalid))?;
    let period = parse_period(text("period"))?;
    // The seals first: one whose totals the ledger holds says so of the windows that are read after it.
    let seals = adapters.store.load_seals(tenant, period).await.map_err(failed)?;
    let windows = adapters.store.load_windows(tenant, period).await.map_err(failed)?;
    let view = adapters.view(tenant, period, &windows, &seals)?;
    if wants_csv(&headers) { csv(&view) } else { Ok(Json(view).into_response()) }
}

impl Adapters {
    fn view(
        &self,
        tenant: TenantId,
        period: BillingPeriod,
        windows: &[UsageWindow],
        seals: &[Seal],
    ) -> Result<UsageView, Problem> {
        let total = |windows: &[UsageWindow]| -> Result<PeriodUsage, Problem> {
            total_usage(&self.catalogue, windows).map_err(|refusal| Problem::internal(&refusal))
        };
        let mut by_window: BTreeMap<(Timestamp, WindowSize), Vec<UsageWindow>> = BTreeMap::new();
        for window in windows {
            by_window.entry((window.start, window.size)).or_default().push(window.clone());
        }
        let mut rows = Vec::new();
        for ((start, size), windows) in &by_window {
            rows.extend(rows_of(total(windows)?, *size, *start, windows, seals));
        }
        let first = windows.iter().map(|window| window.start).min();
        let start = first.map_or(period.start(), |day| WindowSize::Month.start(day, BillingAnchor::of_day(day)));
        let totals = rows_of(total(windows)?, WindowSize::Month, start, windows, seals).collect();
        Ok(UsageView { tenant, period, totals, windows: rows })
    }
}

fn rows_of(
    usage: PeriodUsage,
    window: WindowSize,
    start: Timestamp,
    windows: &[UsageWindow],
    seals: &[Seal],
) -> impl Iterator<Item = TotalView> {
    let end = window.end(start);
    let is_sealed = seals.iter().any(|seal| WindowSize::Day.end(seal.day) == end && seal.watch.is_none());
    let adjusted = |meter: &MeterCode| {
        windows.iter().any(|window| window.meter == *meter && window.part == WindowPart::Adjustment)
    };
    usage.into_iter().map(move |(meter, MeterUsage { quantity, events })| {
        let state = match is_sealed {
            true if adjusted(&meter) => Finality::Adjusted,
            true => Finality::Sealed,
            false => Finality::Provisional,
        };
        TotalView { meter, window, start, value: quantity, events, state }
    })
}

fn csv(view: &UsageView) -> Result<Response, Problem> {
    let rows = view.windows.iter().map(|total| {
        let TotalView { meter, window, start, value, events, state } = total;
        (meter, window, start, value, events, state)
    });
    csv_table(&["meter", "window", "start", "value", "events", "state"], rows)
}
