//! The thresholds of usage that are told: those of the tenant's plan, and the tenant's own besides.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use catalogue::{AlertThresholds, Allowance};
use kernel::{MeterCode, PlanDecimal};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{Tenant, decide_alert_thresholds, thresholds_of_plan};
use tenant_store::LoadOptions;

/// The thresholds that a tenant wants to be told besides those of its plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AlertThresholdsRequest))]
pub(crate) struct Wish {
    /// By meter; a meter that is not there has none.
    thresholds: Vec<MeterWish>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MeterThresholdsRequest))]
struct MeterWish {
    /// A meter that the plan has an allowance of.
    #[cfg_attr(test, schema(value_type = MeterCode))]
    meter: String,
    /// In percent of the allowance.
    #[cfg_attr(test, schema(max_items = 10, minimum = 1, maximum = 1000, example = json!([25, 90])))]
    percents: Vec<u16>,
}

/// The thresholds of usage that are told, each once in a billing period.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageAlerts))]
struct Thresholds<'a> {
    /// Of each meter that the plan has an allowance of.
    thresholds: Vec<MeterThresholds<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MeterThresholds))]
struct MeterThresholds<'a> {
    meter: &'a MeterCode,
    /// What the plan allows in a billing period.
    #[cfg_attr(test, schema(value_type = String, example = "100000"))]
    allowance: &'a PlanDecimal,
    /// The plan's own thresholds, in percent of the allowance.
    plan_percents: &'a [u16],
    /// The tenant's own thresholds.
    percents: Vec<u16>,
}

/// Shows which thresholds of usage the application is told.
///
/// For every user. Each is told once in a billing period, when the tenant's usage reaches it.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/alert-thresholds",
    operation_id = "readAlertThresholds", tag = "Usage", params(OfTenant), security(("person" = [])),
    responses((status = 200, description = "The thresholds.", body = Thresholds<'static>)),
    extensions(("x-problems" = json!(refusals![Use])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    shown(&adapters, &caller.tenant)
}

/// Sets the tenant's own thresholds of usage.
///
/// For administrators. In place of the tenant's own thresholds before; those of the plan are told all
/// the same. One that is passed already is told with the next usage of its meter.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/alert-thresholds",
    operation_id = "setAlertThresholds", tag = "Usage", params(OfTenant), request_body = Wish,
    security(("person" = [])),
    responses((status = 200, description = "The thresholds.", body = Thresholds<'static>)),
    extensions(("x-problems" = json!(refusals![Change; InvalidFields, UnknownPlan])))))]
pub(crate) async fn set(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<Wish>, Problem>,
) -> Result<Response, Refused> {
    let Body(Wish { thresholds }) = body?;
    let plan = adapters
        .catalogue
        .plan(&caller.tenant.plan)
        .ok_or(ProblemKind::UnknownPlan)?;
    let wanted = thresholds
        .iter()
        .map(|of| (of.meter.as_str(), of.percents.as_slice()));
    let own =
        thresholds_of_plan(plan, wanted).map_err(|fault| problems::invalid_fields(&[fault]))?;
    let context = adapters.context(now);
    let changed = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(decide_alert_thresholds(
            &loaded.state,
            &own,
            caller.username,
            &context,
        ))
    });
    Ok(shown(&adapters, &changed.await.map_err(store)?.tenant))
}

impl<'a> MeterThresholds<'a> {
    fn of(allowance: &'a Allowance, own: &AlertThresholds) -> Self {
        let Allowance {
            meter,
            quantity,
            alert_percents,
        } = allowance;
        Self {
            meter,
            allowance: quantity,
            plan_percents: alert_percents,
            percents: own.of(meter).collect(),
        }
    }
}

fn shown(adapters: &Adapters, tenant: &Tenant) -> Response {
    let allowances = adapters
        .catalogue
        .plan(&tenant.plan)
        .map(|plan| plan.allowances.as_slice())
        .unwrap_or_default();
    let thresholds = allowances
        .iter()
        .map(|allowance| MeterThresholds::of(allowance, &tenant.alert_thresholds))
        .collect();
    Json(Thresholds { thresholds }).into_response()
}
