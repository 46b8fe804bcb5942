//! The operator's questions, and what an operator decides for a tenant.

use crate::adapters::Adapters;
use crate::answer::{FleetAnswer, TenantAnswer};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use central_store::UpdateError;
use fleet::{Publication, Refusal, SuspensionChange, Tenant, decide_suspension};
use kernel::{EventId, Suspension, TenantId, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::Deserialize;
use std::sync::Arc;

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
    /// Who wants it.
    reason: Suspension,
}

/// Every region as it is at this moment: health is judged now, not when the monitor last looked.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/fleet",
    tag = "Fleet",
    operation_id = "showFleet",
    summary = "Shows every region: its health, its tenants, its queues",
    description = "Every region as it is at this moment.",
    security(("machine" = ["meridian/operator.read"])),
    responses((status = 200, description = "The fleet.", body = FleetAnswer)),
))]
async fn show_fleet(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
) -> Result<Json<FleetAnswer>, Problem> {
    adapters.tokens.verify(&headers, READ, now).await?;
    let records = adapters
        .store
        .load_fleet()
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(FleetAnswer::of(records, now)))
}

/// Where a tenant is, and which policy it has.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/tenants/{id}",
    tag = "Tenants",
    operation_id = "showTenant",
    summary = "Shows where a tenant is, and which policy it has",
    description = "What its region states of it, and what home wants.",
    params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "The tenant.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: it is no lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published anything of it."),
    ),
))]
async fn show_tenant(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TenantAnswer>, Problem> {
    adapters.tokens.verify(&headers, READ, now).await?;
    load(&adapters, tenant_id(id)?).await
}

/// Wants a tenant to be suspended. It is when its region has applied that.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/tenants/{id}/suspension",
    tag = "Tenants",
    operation_id = "suspendTenant",
    summary = "Suspends a tenant",
    description = "It is suspended when its region has applied that: nobody signs in any more, and nothing is lost. \
                   A second reason is kept beside the first. Doing it again changes nothing.",
    params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    request_body = SuspensionRequest,
    security(("machine" = ["meridian/operator.write"])),
    responses(
        (status = 202, description = "The tenant as home wants it from now on.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: it is no lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published anything of it."),
        (status = 409, description = "`tenant-closed`: nothing of a closed tenant can be changed."),
    ),
))]
async fn suspend(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Body<SuspensionRequest>, Problem>,
) -> Result<(StatusCode, Json<TenantAnswer>), Problem> {
    adapters.tokens.verify(&headers, WRITE, now).await?;
    let Body(request) = body?;
    want(
        &adapters,
        tenant_id(id)?,
        SuspensionChange::Suspend(request.reason),
        now,
    )
    .await
}

/// Wants a tenant not to be suspended any more for one reason.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/tenants/{id}/suspension",
    tag = "Tenants",
    operation_id = "liftSuspension",
    summary = "Lifts the suspension of a tenant for one reason",
    description = "The tenant stays suspended as long as there is another reason. Otherwise the suspension is lifted \
                   when the tenant's region has applied that. Doing it again changes nothing.",
    params(
        ("id" = kernel::TenantId, Path, description = "The tenant."),
        ("reason" = Suspension, Query, description = "The reason that there is no longer."),
    ),
    security(("machine" = ["meridian/operator.write"])),
    responses(
        (status = 202, description = "The tenant as home wants it from now on.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: it is no lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published anything of it."),
        (status = 409, description = "`tenant-closed`: nothing of a closed tenant can be changed."),
        (status = 422, description = "`invalid-reason`: the query does not name exactly one reason."),
    ),
))]
async fn lift_suspension(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<SuspensionRequest>, QueryRejection>,
) -> Result<(StatusCode, Json<TenantAnswer>), Problem> {
    adapters.tokens.verify(&headers, WRITE, now).await?;
    let Query(request) = query.map_err(|_| invalid_reason())?;
    want(
        &adapters,
        tenant_id(id)?,
        SuspensionChange::Lift(request.reason),
        now,
    )
    .await
}

/// Doing it again changes nothing, and has the same answer.
async fn want(
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
    let is_changed = changed.map_err(|error| not_changed(&error))?;
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
        .ok_or_else(unknown_tenant)
}

fn tenant_id(id: Result<Path<String>, PathRejection>) -> Result<TenantId, Problem> {
    let id = id.map_err(|_| invalid_id())?;
    id.parse().map_err(|_| invalid_id())
}

fn not_changed(error: &UpdateError) -> Problem {
    match error {
        UpdateError::Refused(Refusal::UnknownTenant) => unknown_tenant(),
        UpdateError::Refused(Refusal::Closed) => Problem::new(
            StatusCode::CONFLICT,
            "tenant-closed",
            "The tenant is closed",
        )
        .detail("Nobody can sign in to a closed tenant, and nothing of it can be changed."),
        UpdateError::Refused(_) | UpdateError::Store(_) => Problem::internal(error),
    }
}

fn invalid_id() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-tenant-id",
        "This is not a tenant id",
    )
    .detail("A tenant id is a lower-case hyphenated UUID.")
}

fn invalid_reason() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-reason",
        "The query does not name one reason",
    )
    .detail(
        "A suspension is lifted for a reason: reason=operator or reason=dunning, and nothing else.",
    )
}

fn unknown_tenant() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-tenant",
        "The directory does not have this tenant",
    )
    .detail("A tenant is in the directory as soon as its region's first statement has arrived.")
}
