//! The operator's questions.

use crate::answer::{FleetAnswer, TenantAnswer};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use central_store::CentralStore;
use kernel::TenantId;
use runtime::http::{Now, Problem, Tokens};
use std::sync::Arc;

const SCOPE: &str = "meridian/operator.read";

/// `GET /fleet`, `GET /tenants/{id}`.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/fleet", get(show_fleet))
        .route("/tenants/{id}", get(show_tenant))
        .with_state(Arc::new(adapters))
}

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) tokens: Tokens,
}

/// Every region as it is at this moment: health is judged now, not when the monitor last looked.
async fn show_fleet(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
) -> Result<Json<FleetAnswer>, Problem> {
    adapters.tokens.verify(&headers, SCOPE, now).await?;
    let records = adapters.store.load_fleet().await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(FleetAnswer::of(records, now)))
}

/// Where a tenant is, and which policy it has.
async fn show_tenant(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TenantAnswer>, Problem> {
    adapters.tokens.verify(&headers, SCOPE, now).await?;
    let id = id.map_err(|_| invalid_id())?;
    let id: TenantId = id.parse().map_err(|_| invalid_id())?;
    let tenant = adapters.store.load_tenant(id).await.map_err(|error| Problem::internal(&error))?;
    tenant.map(|tenant| Json(TenantAnswer::of(tenant))).ok_or_else(unknown_tenant)
}

fn invalid_id() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid-tenant-id", "This is not a tenant id")
        .detail("A tenant id is a lower-case hyphenated UUID.")
}

fn unknown_tenant() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-tenant", "The directory does not have this tenant")
        .detail("A tenant is in the directory as soon as its region's first statement has arrived.")
}
