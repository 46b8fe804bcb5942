//! The levels of usage that are told: those of the tenant's plan, and the tenant's own besides.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use catalogue::Allowance;
use kernel::{MeterCode, PlanDecimal};
use regional_store::Reach;
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{OwnLevels, Tenant, decide_levels};

/// The levels that a tenant wants to be told besides those of its plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageLevelsWish))]
pub(crate) struct Wish {
    /// By meter; a meter that is not there has none.
    levels: Vec<MeterWish>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageLevelsOfMeterWish))]
struct MeterWish {
    /// A meter that the plan has an allowance of.
    #[cfg_attr(test, schema(value_type = MeterCode))]
    meter: String,
    /// In percent of the allowance.
    #[cfg_attr(test, schema(max_items = 10, minimum = 1, maximum = 1000, example = json!([25, 90])))]
    percents: Vec<u16>,
}

/// The levels of usage that are told, each once in a billing period.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageLevels))]
struct Levels<'a> {
    /// Of each meter that the plan has an allowance of.
    levels: Vec<MeterLevels<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageLevelsOfMeter))]
struct MeterLevels<'a> {
    meter: &'a MeterCode,
    /// What the plan allows in a billing period.
    #[cfg_attr(test, schema(value_type = String, example = "100000"))]
    allowance: &'a PlanDecimal,
    /// The plan's own levels, in percent of the allowance.
    plan_percents: &'a [u16],
    /// The tenant's own levels.
    percents: Vec<u16>,
}

/// Shows which levels of usage the application is told.
///
/// For every user. Each is told once in a billing period, when the tenant's usage reaches it.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/usage-levels",
    operation_id = "readUsageLevels", tag = "Usage", params(OfTenant), security(("person" = [])),
    responses((status = 200, description = "The levels.", body = Levels<'static>)),
    extensions(("x-problems" = json!(refusals![Use])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    shown(&adapters, &caller.tenant)
}

/// Sets the tenant's own levels of usage.
///
/// For administrators. In place of the tenant's own levels before; those of the plan are told all
/// the same. One that is passed already is told with the next usage of its meter.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/usage-levels",
    operation_id = "setUsageLevels", tag = "Usage", params(OfTenant), request_body = Wish,
    security(("person" = [])),
    responses((status = 200, description = "The levels.", body = Levels<'static>)),
    extensions(("x-problems" = json!(refusals![Change; InvalidFields, UnknownPlan])))))]
pub(crate) async fn set(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<Wish>, Problem>,
) -> Result<Response, Refused> {
    let Body(Wish { levels }) = body?;
    let plan = adapters
        .catalogue
        .plan(&caller.tenant.plan)
        .ok_or(ProblemKind::UnknownPlan)?;
    let wanted = levels
        .iter()
        .map(|of| (of.meter.as_str(), of.percents.as_slice()));
    let own =
        OwnLevels::of_plan(plan, wanted).map_err(|fault| problems::invalid_fields(&[fault]))?;
    let occasion = adapters.occasion(now);
    let changed = caller.desk.change(Reach::TENANT, |loaded| {
        Ok(decide_levels(
            &loaded.state,
            &own,
            caller.username,
            &occasion,
        ))
    });
    Ok(shown(&adapters, &changed.await.map_err(store)?.tenant))
}

impl<'a> MeterLevels<'a> {
    fn of(allowance: &'a Allowance, own: &OwnLevels) -> Self {
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
    let levels = allowances
        .iter()
        .map(|allowance| MeterLevels::of(allowance, &tenant.usage_levels))
        .collect();
    Json(Levels { levels }).into_response()
}
