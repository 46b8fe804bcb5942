//! One handler per route. Each step is idempotent, so that a request which was cut off anywhere is
//! completed by the same request again.

use crate::problems;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use contract::catalogue::Catalogue;
use identity::Identity;
use kernel::{Alias, EventId, Mode, RegionCode, SignupId, TenantId, TenantStatus, Timestamp};
use regional_store::{Registered, TenantStore};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    IdempotencyKey, Identifiers, Occasion, Operation, Registration, SignUpRequest, Signup, Tenant, decide_sign_up,
};

/// The routes.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/signups", post(create))
        .route("/signups/{id}", get(read))
        .route("/signups/{id}/confirmation", post(confirm))
        .with_state(Arc::new(adapters))
}

/// What the handlers work with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) mode: Mode,
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: TenantStore,
    pub(crate) identity: Identity,
}

/// The body of a confirmation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    code: String,
}

/// A sign-up as its caller sees it, and where the data stays.
#[derive(Serialize)]
struct Answer<'a> {
    region: &'a RegionCode,
    mode: Mode,
    #[serde(flatten)]
    operation: Operation,
}

/// `POST /signups`: stores the registration, then makes the administrator's account.
async fn create(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    Now(now): Now,
    Body(request): Body<SignUpRequest>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let registration = request.validate(&adapters.catalogue).map_err(|fields| problems::invalid_fields(&fields))?;
    if registration.region.as_ref().is_some_and(|region| *region != adapters.region) {
        return Err(problems::other_region(&adapters.region));
    }
    let (mut signup, tenant) = register(&adapters, &key, &registration, now).await?;
    if signup.identity_at.is_none() {
        make_account(&adapters, &signup, &registration, now).await?;
        signup.identity_at = Some(now);
    }
    tracing::info!(tenant = %tenant.id, "sign-up accepted");
    let location = [(LOCATION, format!("/signups/{}", signup.id))];
    Ok((StatusCode::ACCEPTED, location, answer(&adapters, &signup, &tenant)).into_response())
}

/// `GET /signups/{id}`: how far the sign-up is.
async fn read(State(adapters): State<Arc<Adapters>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (signup, tenant) = find(&adapters, &id).await?;
    tracing::info!(tenant = %tenant.id, "sign-up read");
    Ok(answer(&adapters, &signup, &tenant).into_response())
}

/// `POST /signups/{id}/confirmation`: confirms the address, and sees to it that the tenant becomes active
/// even where the pool's trigger did not.
async fn confirm(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
    Now(now): Now,
    Body(Confirmation { code }): Body<Confirmation>,
) -> Result<Response, Problem> {
    let well_formed = (4..=12).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
    if !well_formed {
        return Err(problems::malformed_code());
    }
    let (signup, tenant) = find(&adapters, &id).await?;
    if tenant.status != TenantStatus::Pending {
        return Ok(answer(&adapters, &signup, &tenant).into_response());
    }
    adapters.identity.confirm(signup.username, &code).await.map_err(|error| problems::confirmation(&error))?;
    let confirmed = adapters.tenants.confirm(tenant.id, signup.id, &occasion(&adapters, now)).await;
    confirmed.map_err(|error| problems::store(&error))?;
    tracing::info!(tenant = %tenant.id, "sign-up confirmed");
    let (signup, tenant) = find(&adapters, &id).await?;
    Ok(answer(&adapters, &signup, &tenant).into_response())
}

/// Stores the registration, or finds the one that an earlier request with the same key stored.
async fn register(
    adapters: &Adapters,
    key: &IdempotencyKey,
    registration: &Registration,
    now: Timestamp,
) -> Result<(Signup, Tenant), Problem> {
    let fingerprint = key.fingerprint(registration);
    let made = decide_sign_up(registration, &adapters.catalogue, identifiers()?, &occasion(adapters, now));
    let stored = adapters.tenants.register(&made, &key.digest(), &fingerprint).await;
    match stored.map_err(|error| problems::store(&error))? {
        Registered::Stored => Ok((made.signup, made.tenant)),
        Registered::Repeated(first) if first.fingerprint == fingerprint => load(adapters, first.signup).await,
        Registered::Repeated(_) => Err(problems::key_reused()),
    }
}

/// Makes the administrator's account, and notes that it is made or why it is not.
async fn make_account(
    adapters: &Adapters,
    signup: &Signup,
    registration: &Registration,
    now: Timestamp,
) -> Result<(), Problem> {
    let made = adapters.identity.sign_up(signup.username, &registration.email, &registration.password).await;
    let outcome = made.as_ref().map(|_| ()).map_err(problems::identity_failure);
    let noted = adapters.tenants.record_identity(signup.id, outcome, now).await;
    made.map_err(|error| problems::account(&error, signup.id))?;
    noted.map_err(|error| problems::store(&error))
}

async fn find(adapters: &Adapters, id: &str) -> Result<(Signup, Tenant), Problem> {
    let id: SignupId = id.parse().map_err(|_| problems::unknown_signup())?;
    load(adapters, id).await
}

async fn load(adapters: &Adapters, id: SignupId) -> Result<(Signup, Tenant), Problem> {
    let reader = adapters.tenants.reader();
    let signup = reader.load_signup(id).await.map_err(|error| problems::store(&error))?;
    let signup = signup.ok_or_else(problems::unknown_signup)?;
    let tenant = reader.load_tenant(signup.tenant).await.map_err(|error| problems::store(&error))?;
    Ok((signup, tenant.ok_or_else(problems::unknown_signup)?))
}

fn answer<'a>(adapters: &'a Adapters, signup: &Signup, tenant: &Tenant) -> Json<Answer<'a>> {
    Json(Answer { region: &adapters.region, mode: adapters.mode, operation: Operation::of(signup, tenant) })
}

fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let header = headers.get("idempotency-key").ok_or_else(problems::key_missing)?;
    header.to_str().ok().and_then(|key| key.parse().ok()).ok_or_else(problems::key_malformed)
}

/// New ids. The sign-up's is random in all its bits, since to know it is to have access.
fn identifiers() -> Result<Identifiers, Problem> {
    let random = || runtime::random_bytes().map_err(|error| Problem::internal(&*error));
    Ok(Identifiers {
        signup: SignupId::from_uuid(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        tenant: TenantId::from_uuid(runtime::new_uuid()),
        alias: Alias::from_random(random()?),
    })
}

fn occasion(adapters: &Adapters, now: Timestamp) -> Occasion {
    Occasion { region: adapters.region.clone(), event: EventId::from_uuid(runtime::new_uuid()), now }
}
