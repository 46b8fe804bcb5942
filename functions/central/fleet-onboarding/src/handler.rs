//! One handler per route. Personal data only passes through memory. The stored record of an
//! onboarding has its region and what that region published about it.

use crate::answer::{OnboardingAnswer, RegionsAnswer};
use crate::home;
use crate::listing::Listing;
use crate::problems;
use crate::region::{Handover, Taken, hand_over};
use crate::request::OnboardingRequest;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use central_store::{CentralStore, RegionRecord};
use contract::RegionDescribed;
use dynamo::{Attempts, CONTENTION};
use fleet::{
    Candidate, Condition, Onboarding, OnboardingKey, Outlook, Placement, decide_placement,
    find_conditions,
};
use kernel::{Mode, OnboardingId, Timestamp};
use runtime::Forwarder;
use runtime::handover::Seal;
use runtime::http::{Body, Document, Now, Problem, Tokens};
use std::sync::Arc;

const SCOPE: &str = "meridian/onboarding.write";

/// The routes.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/home.js", get(home::script))
        .route("/home.css", get(home::style))
        .route("/regions", get(list_regions))
        .route("/onboardings", post(create))
        .route("/onboardings/{id}", get(show))
        .route("/openapi.json", get(describe))
        .with_state(Arc::new(adapters))
}

/// The stores, clients and keys of the function.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) tokens: Tokens,
    pub(crate) forwarder: Forwarder,
    pub(crate) seal: Seal,
    pub(crate) listing: Listing,
}

/// `GET /regions`: the regions' descriptions.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/regions",
    tag = "Regions",
    operation_id = "listRegions",
    summary = "Lists the regions",
    description = "The description of each region: its jurisdiction, mode and address. Public.",
    responses(
        (status = 200, description = "The regions.", body = RegionsAnswer<'static>, headers(
            ("cache-control" = String, description = "The response may be cached for a minute."),
        )),
        (status = 500, description = "`internal`: something failed on our side."),
    ),
))]
async fn list_regions(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
) -> Result<Response, Problem> {
    let described = adapters
        .listing
        .load(&adapters.store, now)
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok((
        [(CACHE_CONTROL, "public, max-age=60")],
        Json(RegionsAnswer::of(&described)),
    )
        .into_response())
}

/// `POST /onboardings`: chooses the region, then hands the sign-up over to it. A repeated request
/// continues where the earlier one was cut off.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/onboardings",
    tag = "Onboardings",
    operation_id = "createOnboarding",
    summary = "Signs a company up in a region that is named or chosen",
    description = "For operators and for the provider's website. The region is fixed by the first request with an \
                   Idempotency-Key. A repeated request continues where the first was cut off, and makes no \
                   second tenant. A key is valid for six days. Only regions in mode shared can be chosen.",
    params(
        ("Idempotency-Key" = String, Header, min_length = 16, max_length = 128, pattern = "^[!-~]+$",
            description = "A random UUID; the same one when the request is repeated."),
    ),
    request_body = OnboardingRequest,
    security(("machine" = ["meridian/onboarding.write"])),
    responses(
        (status = 202, description = "The region accepted the sign-up.", body = OnboardingAnswer<'static>, headers(
            ("location" = String, description = "The path of the onboarding."),
            ("cache-control" = String, description = "The response must not be cached."),
        )),
        (status = 400, description = "`idempotency-key-missing`: the header is missing. `idempotency-key-malformed`: \
                                      it is not 16 to 128 visible ASCII characters."),
        (status = 409, description = "`region-forbids-central-onboarding`: the region accepts sign-ups only at its \
                                      own address, in the member `signup_url`. `region-closed`: it accepts no new \
                                      tenants. `no-region`: no suitable region does."),
        (status = 422, description = "`invalid-placement`: not exactly one of region, jurisdiction and nearest_to, or \
                                      a location out of range. `unknown-region`: there is no such region. \
                                      `invalid-signup`: the sign-up is not an object. `idempotency-key-reused`: the key \
                                      belongs to another placement, or to another sign-up."),
        (status = "4XX", description = "A refusal of the sign-up by the region, as documented for its own `POST \
                                        /signups`."),
        (status = 503, description = "`region-unavailable`: the region does not answer. `try-again`: too many concurrent \
                                      requests with this key."),
    ),
))]
async fn create(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    Now(now): Now,
    body: Result<Body<OnboardingRequest>, Problem>,
) -> Result<Response, Problem> {
    adapters.tokens.verify(&headers, SCOPE, now).await?;
    let key = idempotency_key(&headers)?;
    let Body(request) = body?;
    let (placement, signup) = request.validate()?;
    let onboarding = find_or_place(&adapters, &key, &placement, now).await?;
    let described = allowed_region(&adapters, &onboarding).await?;
    match hand_over(&adapters, &described, &onboarding, &key, &signup).await? {
        Handover::Taken(taken) => accept(&adapters, onboarding, taken).await,
        Handover::Refused(refusal) => Ok(refusal),
    }
}

/// `GET /onboardings/{id}`: the progress of an onboarding. Knowing the id is the permission.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/onboardings/{id}",
    tag = "Onboardings",
    operation_id = "showOnboarding",
    summary = "Shows the progress of an onboarding",
    description = "The progress as its region last published it. Knowing the id is the permission. The sign-up itself is shown by the \
                   region.",
    params(("id" = OnboardingId, Path, description = "The onboarding.")),
    responses(
        (status = 200, description = "The onboarding.", body = OnboardingAnswer<'static>, headers(
            ("cache-control" = String, description = "The response must not be cached."),
        )),
        (status = 404, description = "`unknown-onboarding`: no onboarding has this id."),
    ),
))]
async fn show(
    State(adapters): State<Arc<Adapters>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id: OnboardingId = id
        .ok()
        .and_then(|id| id.parse().ok())
        .ok_or_else(problems::unknown_onboarding)?;
    let onboarding = adapters
        .store
        .load_onboarding(id)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let onboarding = onboarding.ok_or_else(problems::unknown_onboarding)?;
    let outlook = look_up(&adapters, &onboarding).await?;
    let answer = Json(OnboardingAnswer::of(&onboarding, outlook, None));
    Ok(([(CACHE_CONTROL, "no-store")], answer).into_response())
}

/// `GET /openapi.json`: the description of this API.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Description",
    operation_id = "describeApi",
    summary = "Describes this API",
    description = "This document. Public.",
    responses(
        (status = 200, description = "An OpenAPI 3.1 document.", body = Object, headers(
            ("cache-control" = String, description = "The response may be cached for five minutes."),
        )),
    ),
))]
async fn describe() -> Document {
    Document(include_str!("../../../../docs/openapi/home.json"))
}

/// Loads the onboarding of the key, or stores a new one in a region chosen now. It is stored before
/// anything is sent, so that a repetition goes to the same region. A key of another placement is
/// refused.
async fn find_or_place(
    adapters: &Adapters,
    key: &OnboardingKey,
    placement: &Placement,
    now: Timestamp,
) -> Result<Onboarding, Problem> {
    let (digest, fingerprint) = (key.digest(), key.fingerprint(placement));
    // Concurrent requests with the same key may win the conditional write.
    let mut attempts = Attempts::of(CONTENTION);
    loop {
        let found = adapters.store.load_onboarding_by_key(&digest, now).await;
        if let Some(onboarding) = found.map_err(|error| Problem::internal(&error))? {
            let is_same = onboarding.placement == fingerprint;
            return if is_same {
                Ok(onboarding)
            } else {
                Err(problems::key_reused())
            };
        }
        let placed = place(adapters, placement, now).await?;
        let onboarding = Onboarding {
            placement: fingerprint.clone(),
            ..placed
        };
        let is_stored = adapters.store.record_onboarding(&digest, &onboarding).await;
        if is_stored.map_err(|error| Problem::internal(&error))? {
            return Ok(onboarding);
        }
        if !attempts.wait().await {
            return Err(problems::busy());
        }
    }
}

async fn place(
    adapters: &Adapters,
    placement: &Placement,
    now: Timestamp,
) -> Result<Onboarding, Problem> {
    let records = adapters
        .store
        .load_fleet()
        .await
        .map_err(|error| Problem::internal(&error))?;
    let candidates: Vec<Candidate> = records
        .into_iter()
        .filter_map(|record| candidate(record, now))
        .collect();
    let chosen = decide_placement(placement, &candidates)
        .map_err(|refusal| problems::placement(&refusal))?;
    let random = runtime::random_bytes().map_err(|error| Problem::internal(&*error))?;
    let id = OnboardingId::from_uuid(uuid::Builder::from_random_bytes(random).into_uuid());
    Ok(Onboarding::new(id, chosen.region.clone(), now))
}

/// A region as a candidate; `None` until it has described itself.
fn candidate(record: RegionRecord, now: Timestamp) -> Option<Candidate> {
    let found = find_conditions(record.heartbeat.as_ref(), record.counts.stuck, now);
    let tenants = record.counts.pending + record.counts.active + record.counts.other;
    Some(Candidate {
        region: record.region,
        described: record.description?.described,
        tenants: u64::try_from(tenants).unwrap_or_default(),
        is_reporting: !found.contains(&Condition::Silent),
    })
}

/// Loads the region's present description, for its address. Refuses if the region no longer permits
/// central onboarding.
async fn allowed_region(
    adapters: &Adapters,
    onboarding: &Onboarding,
) -> Result<RegionDescribed, Problem> {
    let region = &onboarding.region;
    let published = adapters
        .store
        .load_description(region)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let described = published
        .ok_or_else(|| problems::region_unavailable(region))?
        .described;
    if described.mode == Mode::Shared {
        Ok(described)
    } else {
        Err(problems::forbidden(
            region,
            described.mode,
            &described.signup_url,
        ))
    }
}

/// Records the tenant and responds. A failed write is only logged, since the region's first event
/// records the tenant too.
async fn accept(
    adapters: &Adapters,
    mut onboarding: Onboarding,
    taken: Taken,
) -> Result<Response, Problem> {
    let Taken {
        tenant,
        alias,
        signup,
    } = taken;
    if let Err(error) = adapters
        .store
        .record_handover(onboarding.id, tenant, &alias)
        .await
    {
        tracing::warn!(%tenant, error = %error, "the tenant of an onboarding was not recorded");
    }
    onboarding.tenant.get_or_insert(tenant);
    let outlook = look_up(adapters, &onboarding).await?;
    let headers = [
        (LOCATION, format!("/onboardings/{}", onboarding.id)),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    let answer = Json(OnboardingAnswer::of(&onboarding, outlook, Some(&signup)));
    Ok((StatusCode::ACCEPTED, headers, answer).into_response())
}

async fn look_up(adapters: &Adapters, onboarding: &Onboarding) -> Result<Outlook, Problem> {
    let tenant = match onboarding.tenant {
        Some(tenant) => adapters
            .store
            .load_tenant(tenant)
            .await
            .map_err(|error| Problem::internal(&error))?,
        None => None,
    };
    Ok(onboarding.outlook(tenant.as_ref().map(|tenant| &tenant.entry)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<OnboardingKey, Problem> {
    let header = headers
        .get("idempotency-key")
        .ok_or_else(problems::key_missing)?;
    header
        .to_str()
        .ok()
        .and_then(|key| key.parse().ok())
        .ok_or_else(problems::key_malformed)
}
