//! Operators' queries of the fleet, and their decisions on tenants.

use crate::adapters::Adapters;
use crate::answer::{FleetAnswer, TenantAnswer};
use crate::problems::{self, ProblemKind};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use fleet::{Publication, SuspensionChange, Tenant, decide_suspension};
use kernel::{EventId, Suspension, TenantId, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::Deserialize;
use std::sync::Arc;
#[cfg(test)]
use testkit::problems;

const READ: &str = "meridian/operator.read";
const WRITE: &str = "meridian/operator.write";

/// The routes.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/fleet", get(show_fleet))
        .route("/tenants/{id}", get(show_tenant))
        .route(
            "/tenants/{id}/suspension",
            put(suspend).delete(lift_suspension),
        )
        .with_state(Arc::new(adapters))
}

/// The body of a suspension, and the query of its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct SuspensionRequest {
    /// The reason for the suspension.
    reason: Suspension,
}

/// Shows every region: its health, its tenants, its queues.
///
/// Every region as it is at this moment.
#[cfg_attr(test, utoipa::path(get, path = "/fleet", operation_id = "showFleet", tag = "Fleet",
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The fleet.", body = FleetAnswer))))]
async fn show_fleet(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
) -> Result<Json<FleetAnswer>, Problem> {
    // Health is judged now, not when the monitor last looked.
    adapters.tokens.verify(&headers, READ, now).await?;
    let records = adapters
        .store
        .load_fleet()
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(FleetAnswer::of(records, now)))
}

/// Shows where a tenant is, and which policy it has.
///
/// What its region states of it, and what home wants.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{id}", operation_id = "showTenant",
    tag = "Tenants", params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The tenant.", body = TenantAnswer)),
    extensions(("x-problems" = json!(problems![InvalidTenantId, UnknownTenant])))))]
async fn show_tenant(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TenantAnswer>, Problem> {
    adapters.tokens.verify(&headers, READ, now).await?;
    load(&adapters, tenant_id(id)?).await
}

/// Suspends a tenant.
///
/// It is suspended when its region has applied that: nobody signs in any more, and nothing is lost.
/// A second reason is kept beside the first. Doing it again changes nothing.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{id}/suspension",
    operation_id = "suspendTenant", tag = "Tenants",
    params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    request_body = SuspensionRequest, security(("machine" = ["meridian/operator.write"])),
    responses((status = 202, description = "What home wants of it.", body = TenantAnswer)),
    extensions(("x-problems" = json!(problems![InvalidTenantId, UnknownTenant, TenantClosed])))))]
async fn suspend(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Body<SuspensionRequest>, Problem>,
) -> Result<(StatusCode, Json<TenantAnswer>), Problem> {
    adapters.tokens.verify(&headers, WRITE, now).await?;
    let Body(request) = body?;
    change_suspension(
        &adapters,
        tenant_id(id)?,
        SuspensionChange::Suspend(request.reason),
        now,
    )
    .await
}

/// Lifts the suspension of a tenant for one reason.
///
/// The tenant stays suspended as long as there is another reason. Otherwise the suspension is
/// lifted when the tenant's region has applied that. Doing it again changes nothing.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{id}/suspension",
    operation_id = "liftSuspension", tag = "Tenants", params(
        ("id" = kernel::TenantId, Path, description = "The tenant."),
        ("reason" = Suspension, Query, description = "The reason that there is no longer.")),
    security(("machine" = ["meridian/operator.write"])),
    responses((status = 202, description = "What home wants of it.", body = TenantAnswer)),
    extensions(("x-problems" = json!(problems![InvalidTenantId, UnknownTenant, TenantClosed,
        InvalidReason])))))]
async fn lift_suspension(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<SuspensionRequest>, QueryRejection>,
) -> Result<(StatusCode, Json<TenantAnswer>), Problem> {
    adapters.tokens.verify(&headers, WRITE, now).await?;
    let Query(request) = query.map_err(|_| ProblemKind::InvalidReason)?;
    change_suspension(
        &adapters,
        tenant_id(id)?,
        SuspensionChange::Lift(request.reason),
        now,
    )
    .await
}

/// Changes a suspension. A repeated request changes nothing and has the same response.
async fn change_suspension(
    adapters: &Adapters,
    id: TenantId,
    change: SuspensionChange,
    now: Timestamp,
) -> Result<(StatusCode, Json<TenantAnswer>), Problem> {
    let publication = Publication {
        event: EventId::from_uuid(runtime::new_uuid()),
        now,
    };
    let decide = |current: Option<&Tenant>| decide_suspension(current, change, publication);
    let changed = adapters
        .store
        .update_tenant(&adapters.outbox, id, decide)
        .await;
    let is_changed = changed.map_err(|error| problems::not_changed(&error))?;
    tracing::info!(tenant = %id, ?change, is_changed, "suspension decided");
    Ok((StatusCode::ACCEPTED, load(adapters, id).await?))
}

async fn load(adapters: &Adapters, id: TenantId) -> Result<Json<TenantAnswer>, Problem> {
    let tenant = adapters
        .store
        .load_tenant(id)
        .await
        .map_err(|error| Problem::internal(&error))?;
    tenant
        .map(|tenant| Json(TenantAnswer::of(tenant)))
        .ok_or_else(|| ProblemKind::UnknownTenant.into())
}

fn tenant_id(id: Result<Path<String>, PathRejection>) -> Result<TenantId, Problem> {
    let id = id.map_err(|_| ProblemKind::InvalidTenantId)?;
    id.parse().map_err(|_| ProblemKind::InvalidTenantId.into())
}
