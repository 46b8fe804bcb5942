//! Alert thresholds of usage: those of the tenant's plan, and the tenant's own.

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

/// The tenant's own alert thresholds, besides those of its plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct AlertThresholdsRequest {
    /// By meter; a meter that is missing has none.
    thresholds: Vec<MeterThresholdsRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct MeterThresholdsRequest {
    /// A meter for which the plan has an allowance.
    #[cfg_attr(test, schema(value_type = MeterCode))]
    meter: String,
    /// In percent of the allowance.
    #[cfg_attr(test, schema(max_items = 10, minimum = 1, maximum = 1000, example = json!([25, 90])))]
    percents: Vec<u16>,
}

/// The alert thresholds of a tenant, each of which is reported once in a billing period.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageAlerts))]
struct Thresholds<'a> {
    /// Each meter for which the plan has an allowance.
    thresholds: Vec<MeterThresholds<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MeterThresholds))]
struct MeterThresholds<'a> {
    meter: &'a MeterCode,
    /// The allowance of the plan in a billing period.
    #[cfg_attr(test, schema(value_type = String, example = "100000"))]
    allowance: &'a PlanDecimal,
    /// The plan's own thresholds, in percent of the allowance.
    plan_percents: &'a [u16],
    /// The tenant's own thresholds.
    percents: Vec<u16>,
}

/// Shows the alert thresholds of usage.
///
/// For every user. The application is notified of each threshold once in a billing period, when the
/// tenant's usage reaches it.
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

/// Sets the tenant's own alert thresholds.
///
/// For administrators. Replaces the tenant's own thresholds; those of the plan stay. A threshold
/// that is passed already is reported with the next usage of its meter.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/alert-thresholds",
    operation_id = "setAlertThresholds", tag = "Usage", params(OfTenant), 
    request_body = AlertThresholdsRequest,
    security(("person" = [])),
    responses((status = 200, description = "The thresholds.", body = Thresholds<'static>)),
    extensions(("x-problems" = json!(refusals![Change; InvalidFields, UnknownPlan])))))]
pub(crate) async fn set(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<AlertThresholdsRequest>, Problem>,
) -> Result<Response, Refused> {
    let Body(AlertThresholdsRequest { thresholds }) = body?;
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
