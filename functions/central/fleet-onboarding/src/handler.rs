//! One handler per route. Personal data only passes through memory. The stored record of an
//! onboarding has its region and what that region published about it.

use crate::adapters::Adapters;
use crate::answer::{OnboardingAnswer, RegionsAnswer};
use crate::home;
use crate::problems::{self, ProblemKind};
use crate::region::{Handover, Taken, hand_over};
use crate::request::OnboardingRequest;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use central_store::RegionRecord;
use contract::RegionDescribed;
use dynamo::{Attempts, CONTENTION};
use fleet::{
    Candidate, Condition, Onboarding, OnboardingKey, Outlook, Placement, decide_placement,
    find_conditions,
};
use kernel::{Mode, OnboardingId, Timestamp};
#[cfg(test)]
use runtime::http;
use runtime::http::{Body, Document, Now, Problem};
use std::sync::Arc;
#[cfg(test)]
use testkit::openapi::{self, ApiDocument, IdempotencyHeader};
#[cfg(test)]
use testkit::problems;

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

/// Lists the regions.
///
/// What each region says of itself: whose law applies, its mode, its own address. Public.
#[cfg_attr(test, utoipa::path(get, path = "/regions", operation_id = "listRegions", tag = "Regions",
    responses((status = 200, description = "The regions.", body = RegionsAnswer<'static>,
            headers(("cache-control" = String, description = "It may be kept for a minute.")))),
    extensions(("x-problems" = json!(openapi::problems(&[http::ProblemKind::Internal]))))))]
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

/// Signs a company up in a region that is named or chosen.
///
/// For operators and for the provider's website. The region is fixed by the first request with an
/// Idempotency-Key; the same request once more goes on where the first was cut off, and makes no
/// second tenant. A key is known for six days. Only regions in mode shared can be chosen.
#[cfg_attr(test, utoipa::path(post, path = "/onboardings", operation_id = "createOnboarding",
    tag = "Onboardings", params(IdempotencyHeader), request_body = OnboardingRequest,
    security(("machine" = ["meridian/onboarding.write"])),
    responses(
        (status = 202, description = "The region has the sign-up.",
            body = OnboardingAnswer<'static>, headers(
                ("location" = String, description = "Where the onboarding is shown."),
                ("cache-control" = String, description = "It is not to be kept."))),
        (status = "4XX", description = "What the region refuses of the sign-up, in the words of \
                                        its own `POST /signups`.")),
    extensions(("x-problems" = json!(problems![KeyMissing, KeyMalformed, ForbidsCentralOnboarding,
        RegionClosed, NoRegion, InvalidPlacement, UnknownRegion, InvalidSignup, KeyReused,
        RegionUnavailable, TryAgain])))))]
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

/// Shows how far an onboarding is.
///
/// As its region last published it. To know the id is the permission; the sign-up itself is shown by
/// the region.
#[cfg_attr(test, utoipa::path(get, path = "/onboardings/{id}", operation_id = "showOnboarding",
    tag = "Onboardings", params(("id" = OnboardingId, Path, description = "The onboarding.")),
    responses((status = 200, description = "The onboarding.", body = OnboardingAnswer<'static>,
            headers(("cache-control" = String, description = "It is not to be kept.")))),
    extensions(("x-problems" = json!(problems![UnknownOnboarding])))))]
async fn show(
    State(adapters): State<Arc<Adapters>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id: OnboardingId = id
        .ok()
        .and_then(|id| id.parse().ok())
        .ok_or(ProblemKind::UnknownOnboarding)?;
    let onboarding = adapters
        .store
        .load_onboarding(id)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let onboarding = onboarding.ok_or(ProblemKind::UnknownOnboarding)?;
    let outlook = look_up(&adapters, &onboarding).await?;
    let answer = Json(OnboardingAnswer::of(&onboarding, outlook, None));
    Ok(([(CACHE_CONTROL, "no-store")], answer).into_response())
}

/// Describes this API.
///
/// This document. Public.
#[cfg_attr(
    test,
    utoipa::path(
        get,
        path = "/openapi.json",
        operation_id = "describeApi",
        tag = "Description",
        responses(ApiDocument),
    )
)]
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
                Err(ProblemKind::KeyReused.into())
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
            return Err(ProblemKind::TryAgain.into());
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
        .ok_or(ProblemKind::KeyMissing)?;
    header
        .to_str()
        .ok()
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| ProblemKind::KeyMalformed.into())
}
