//! Operators' queries of the fleet, and their decisions on tenants.

use crate::answer::{FleetAnswer, TenantAnswer};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use central_store::{CentralStore, UpdateError};
use fleet::{Publication, Refusal, SuspensionChange, Tenant, decide_suspension};
use kernel::{EventId, Suspension, TenantId, Timestamp};
use outbox::Outbox;
use runtime::http::{Body, Now, Problem, Tokens};
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

/// The stores and token keys of the function.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
    pub(crate) tokens: Tokens,
}

/// The body of a suspension request, and the query of its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct SuspensionRequest {
    /// The reason for the suspension.
    reason: Suspension,
}

/// Shows every region. Health is evaluated for this request, not when the monitor last ran.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/fleet",
    tag = "Fleet",
    operation_id = "showFleet",
    summary = "Shows every region: its health, its tenants, its queues",
    description = "The present state of every region.",
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

/// Shows the region and the policy of a tenant.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/tenants/{id}",
    tag = "Tenants",
    operation_id = "showTenant",
    summary = "Shows the region and the policy of a tenant",
    description = "The directory entry that its region published, and the policy that home wants.",
    params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    security(("machine" = ["meridian/operator.read"])),
    responses(
        (status = 200, description = "The tenant.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: the id is not a lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published this tenant."),
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

/// Suspends a tenant for a reason. The suspension takes effect when the region has applied it.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/tenants/{id}/suspension",
    tag = "Tenants",
    operation_id = "suspendTenant",
    summary = "Suspends a tenant",
    description = "The suspension takes effect when the tenant's region has applied it. Nobody can sign in then, and no data is lost. \
                   A further reason is added to the first. Repeating the request changes nothing.",
    params(("id" = kernel::TenantId, Path, description = "The tenant.")),
    request_body = SuspensionRequest,
    security(("machine" = ["meridian/operator.write"])),
    responses(
        (status = 202, description = "The tenant with its new policy.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: the id is not a lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published this tenant."),
        (status = 409, description = "`tenant-closed`: a closed tenant cannot be changed."),
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
    change_suspension(
        &adapters,
        tenant_id(id)?,
        SuspensionChange::Suspend(request.reason),
        now,
    )
    .await
}

/// Lifts the suspension of a tenant for one reason.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/tenants/{id}/suspension",
    tag = "Tenants",
    operation_id = "liftSuspension",
    summary = "Lifts the suspension of a tenant for one reason",
    description = "The tenant stays suspended while there is another reason. Otherwise the suspension ends \
                   when the tenant's region has applied the change. Repeating the request changes nothing.",
    params(
        ("id" = kernel::TenantId, Path, description = "The tenant."),
        ("reason" = Suspension, Query, description = "The reason to lift."),
    ),
    security(("machine" = ["meridian/operator.write"])),
    responses(
        (status = 202, description = "The tenant with its new policy.", body = TenantAnswer),
        (status = 400, description = "`invalid-tenant-id`: the id is not a lower-case hyphenated UUID."),
        (status = 404, description = "`unknown-tenant`: no region has published this tenant."),
        (status = 409, description = "`tenant-closed`: a closed tenant cannot be changed."),
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
        .detail("Nobody can sign in to a closed tenant, and it cannot be changed."),
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
    .detail("A tenant is in the directory as soon as the first event of its region has arrived.")
}
