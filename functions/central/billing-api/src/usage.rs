//! `GET /usage`: a tenant's usage in the ledger, as it is billed.

use crate::adapters::Adapters;
use crate::handler::{failed, parse_period};
use crate::problems::ProblemKind;
#[cfg(test)]
use crate::tests::openapi::UsageQuery;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::LINK;
use axum::response::{IntoResponse as _, Response};
use billing::{MeterUsage, PeriodUsage, Seal, UnroundedAmount, total_usage};
use catalogue::{Catalogue, Meter};
use contract::{UsageWindow, WindowPart};
use kernel::{
    BillingAnchor, BillingPeriod, DimensionCode, Invalid, MeterCode, TenantId, Timestamp,
    UsageGroup, WindowSize, parse_moment,
};
use runtime::http::{Problem, csv_table, cut, next_link, wants_csv};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
#[cfg(test)]
use testkit::problems;

/// The number of windows in a response. All meters and groups of the last start are included, so
/// that there may be a few more.
const WINDOWS_MAX: usize = 1_000;

/// A tenant's usage of a period.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerUsage))]
pub(crate) struct UsageView {
    tenant: TenantId,
    period: BillingPeriod,
    /// The totals of the period by meter and group, as an invoice bills them.
    totals: Vec<TotalView>,
    /// The windows of the period: days, and for distinct values the period itself.
    windows: Vec<TotalView>,
    /// The `from` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    next_from: Option<Timestamp>,
}

/// The usage of a window, or of the period.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerTotal))]
pub(crate) struct TotalView {
    meter: MeterCode,
    /// The length of the window.
    window: WindowSize,
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    start: Timestamp,
    /// The values of the dimensions that divide the total; empty if none do.
    group: UsageGroup,
    value: UnroundedAmount,
    /// The number of events.
    events: u64,
    /// Whether the total may change.
    state: Finality,
}

/// Whether a total may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LedgerState))]
#[serde(rename_all = "lowercase")]
enum Finality {
    /// The total may change.
    Provisional,
    /// The region has sealed the total, and the ledger agrees.
    Sealed,
    /// The total is sealed, and includes adjustments for later usage.
    Adjusted,
}

/// Shows what the ledger has of a tenant's usage.
///
/// The numbers that are billed, by meter and day. The tenant's region has shorter windows.
#[cfg_attr(test, utoipa::path(get, path = "/usage", operation_id = "showLedgerUsage",
    tag = "Billing", params(UsageQuery), security(("machine" = ["meridian/operator.read"])),
    responses((status = 200,
            description = "The usage; its windows as CSV where `accept` asks for `text/csv`.",
            content((UsageView = "application/json"), (String = "text/csv")), headers((
                    "link" = String,
                    description = "With CSV: where the rest is, with rel=\"next\".")))),
    extensions(("x-problems" = json!(problems![InvalidTenant, InvalidPeriod, InvalidMeter,
        InvalidDimensions, InvalidRange])))))]
pub(crate) async fn show(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = query.map_or_else(|_| HashMap::new(), |Query(query)| query);
    let question = Question::parse(&adapters.catalogue, &query)?;
    let Question { tenant, period, .. } = question;
    // Seals are read before windows. A seal that the ledger agrees with then holds for the windows,
    // which can only be newer.
    let seals = adapters
        .store
        .load_seals(tenant, period)
        .await
        .map_err(failed)?;
    let windows = adapters
        .store
        .load_windows(tenant, period)
        .await
        .map_err(failed)?;
    let view = question.answer(&adapters.catalogue, windows, &seals)?;
    if wants_csv(&headers) {
        csv(&query, &view)
    } else {
        Ok(Json(view).into_response())
    }
}

/// A parsed query.
struct Question<'c> {
    tenant: TenantId,
    period: BillingPeriod,
    meter: Option<&'c Meter>,
    group_by: Vec<DimensionCode>,
    filter: UsageGroup,
    from: Timestamp,
    to: Timestamp,
}

impl<'c> Question<'c> {
    fn parse(catalogue: &'c Catalogue, query: &HashMap<String, String>) -> Result<Self, Problem> {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let tenant = text("tenant").parse();
        let tenant =
            tenant.map_err(|invalid| Problem::invalid(ProblemKind::InvalidTenant, invalid))?;
        let period = parse_period(text("period"))?;
        let meter = query
            .get("meter")
            .map(|code| parse_meter(catalogue, code))
            .transpose()?;
        let (group_by, filter) = parse_dimensions(meter, text("group_by"), text("filter"))?;
        let moment =
            |name: &str, default| query.get(name).map_or(Ok(default), |text| parse_end(text));
        let (from, to) = (
            moment("from", Timestamp::MIN)?,
            moment("to", Timestamp::MAX)?,
        );
        Ok(Self {
            tenant,
            period,
            meter,
            group_by,
            filter,
            from,
            to,
        })
    }

    fn selects(&self, window: &UsageWindow) -> bool {
        self.meter.is_none_or(|meter| meter.code == window.meter)
            && window.group.includes(&self.filter)
    }

    /// Totals the selected windows by period, and by each window.
    fn answer(
        self,
        catalogue: &Catalogue,
        windows: Vec<UsageWindow>,
        seals: &[Seal],
    ) -> Result<UsageView, Problem> {
        let first = windows.iter().map(|window| window.start).min();
        let month = first.map_or(self.period.start(), |day| {
            WindowSize::Month.start(day, BillingAnchor::of_day(day))
        });
        let mut groups: BTreeMap<UsageGroup, Vec<UsageWindow>> = BTreeMap::new();
        let mut by_window: BTreeMap<(Timestamp, WindowSize, UsageGroup), Vec<UsageWindow>> =
            BTreeMap::new();
        for window in windows.into_iter().filter(|window| self.selects(window)) {
            let group = window.group.narrowed(&self.group_by);
            if (self.from..self.to).contains(&window.start) {
                by_window
                    .entry((window.start, window.size, group.clone()))
                    .or_default()
                    .push(window.clone());
            }
            groups.entry(group).or_default().push(window);
        }
        let rows = |size,
                    start,
                    group: &UsageGroup,
                    windows: &[UsageWindow]|
         -> Result<Vec<TotalView>, Problem> {
            let usage =
                total_usage(catalogue, windows).map_err(|refusal| Problem::internal(&refusal))?;
            Ok(rows_of(usage, size, start, group, windows, seals).collect())
        };
        let (mut totals, mut shown) = (Vec::new(), Vec::new());
        for (group, windows) in &groups {
            totals.extend(rows(WindowSize::Month, month, group, windows)?);
        }
        for ((start, size, group), windows) in &by_window {
            shown.extend(rows(*size, *start, group, windows)?);
        }
        let next_from = cut(&mut shown, WINDOWS_MAX, |total| total.start);
        Ok(UsageView {
            tenant: self.tenant,
            period: self.period,
            totals,
            windows: shown,
            next_from,
        })
    }
}

fn parse_meter<'c>(catalogue: &'c Catalogue, code: &str) -> Result<&'c Meter, Problem> {
    let rule = Invalid {
        kind: "meter",
        rule: "the code of a meter",
    };
    let found = code.parse().ok().and_then(|code| catalogue.meter(&code));
    found.ok_or_else(|| Problem::invalid(ProblemKind::InvalidMeter, rule))
}

/// Parses the dimensions that divide the totals, and the required values of dimensions. Both need a
/// meter.
fn parse_dimensions(
    meter: Option<&Meter>,
    group_by: &str,
    filter: &str,
) -> Result<(Vec<DimensionCode>, UsageGroup), Problem> {
    let rule = Invalid {
        kind: "group_by and filter",
        rule: "of dimensions that the named meter has, and of their values",
    };
    let parse = || {
        let filter: UsageGroup = filter.parse().ok()?;
        let Some(meter) = meter else {
            return (group_by.is_empty() && filter.as_str().is_empty())
                .then_some((Vec::new(), filter));
        };
        Some((meter.dimensions_named(group_by)?, filter))
            .filter(|(_, filter)| meter.has_values(filter))
    };
    parse().ok_or_else(|| Problem::invalid(ProblemKind::InvalidDimensions, rule))
}

fn parse_end(text: &str) -> Result<Timestamp, Problem> {
    let named = |invalid| Invalid {
        kind: "from and to",
        ..invalid
    };
    parse_moment(text)
        .map_err(|invalid| Problem::invalid(ProblemKind::InvalidRange, named(invalid)))
}

fn rows_of(
    usage: PeriodUsage,
    window: WindowSize,
    start: Timestamp,
    group: &UsageGroup,
    windows: &[UsageWindow],
    seals: &[Seal],
) -> impl Iterator<Item = TotalView> {
    let end = window.end(start);
    let is_sealed = seals
        .iter()
        .any(|seal| WindowSize::Day.end(seal.day) == end && seal.retry.is_none());
    let adjusted = |meter: &MeterCode| {
        windows
            .iter()
            .any(|window| window.meter == *meter && window.part == WindowPart::Adjustment)
    };
    usage
        .into_iter()
        .map(move |(meter, MeterUsage { quantity, events })| {
            let state = match is_sealed {
                true if adjusted(&meter) => Finality::Adjusted,
                true => Finality::Sealed,
                false => Finality::Provisional,
            };
            TotalView {
                meter,
                window,
                start,
                group: group.clone(),
                value: quantity,
                events,
                state,
            }
        })
}

fn csv(query: &HashMap<String, String>, view: &UsageView) -> Result<Response, Problem> {
    let rows = view.windows.iter().map(|total| {
        let TotalView {
            meter,
            window,
            start,
            group,
            value,
            events,
            state,
        } = total;
        (meter, window, start, group, value, events, state)
    });
    let mut response = csv_table(
        &[
            "meter", "window", "start", "group", "value", "events", "state",
        ],
        rows,
    )?;
    if let Some(from) = view.next_from {
        response
            .headers_mut()
            .insert(LINK, next_link("/usage", query, from)?);
    }
    Ok(response)
}
