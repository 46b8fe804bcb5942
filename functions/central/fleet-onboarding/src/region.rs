//! A client of the region's own sign-up API.

use crate::adapters::Adapters;
use crate::answer::SignupAnswer;
use crate::problems;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::RegionDescribed;
use fleet::{Onboarding, OnboardingKey};
use kernel::{Alias, SignupId, TenantId};
use runtime::Forwarded;
use runtime::handover::SEAL_HEADER;
use runtime::http::{Problem, Verbatim};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The members of a region's problem document that are passed on.
const MEMBERS: [&str; 4] = ["type", "title", "detail", "fields"];

/// The result of handing over a sign-up.
pub(crate) enum Handover {
    /// The region accepted it.
    Taken(Taken),
    /// The region refused it. The response is for the caller.
    Refused(Response),
}

/// A sign-up that the region accepted.
pub(crate) struct Taken {
    pub(crate) tenant: TenantId,
    pub(crate) alias: Alias,
    pub(crate) signup: SignupAnswer,
}

/// The part of the region's operation that home reads.
#[derive(Deserialize)]
struct Operation {
    id: SignupId,
    tenant: TenantId,
    alias: Alias,
}

/// Posts the sign-up to the region. The idempotency key for the region is derived from the
/// onboarding and the caller's key, so that a repetition is one for the region too. The seal proves
/// that the request comes from home.
pub(crate) async fn hand_over(
    adapters: &Adapters,
    described: &RegionDescribed,
    onboarding: &Onboarding,
    key: &OnboardingKey,
    signup: &Verbatim,
) -> Result<Handover, Problem> {
    let url = format!("{}/signups", described.signup_url);
    let (key, id) = (key.for_region(onboarding.id), onboarding.id.to_string());
    let seal = adapters.seal.of(&onboarding.id);
    let mut headers = vec![
        ("idempotency-key", key.as_str()),
        ("meridian-onboarding", id.as_str()),
    ];
    headers.extend(seal.as_deref().map(|seal| (SEAL_HEADER, seal)));
    let region = &onboarding.region;
    let answered = adapters
        .forwarder
        .post_json(&url, &headers, signup.get().as_bytes())
        .await;
    let answered = answered.map_err(|error| {
        tracing::warn!(%region, error = %error, "the region did not answer to an onboarding");
        problems::region_unavailable(region)
    })?;
    tracing::info!(%region, status = answered.status, "onboarding handed over");
    let handover = match answered.status {
        202 => taken(&answered, described).map(Handover::Taken),
        400..=499 => refused(&answered).map(Handover::Refused),
        // Other responses do not show whether the region has the sign-up, so the caller has to
        // repeat the request.
        _ => None,
    };
    handover.ok_or_else(|| problems::region_unavailable(region))
}

fn taken(answered: &Forwarded, described: &RegionDescribed) -> Option<Taken> {
    let Operation { id, tenant, alias } = serde_json::from_slice(&answered.body).ok()?;
    let operation = serde_json::from_slice(&answered.body).ok()?;
    let url = format!("{}/signups/{id}", described.signup_url);
    Some(Taken {
        tenant,
        alias,
        signup: SignupAnswer { url, operation },
    })
}

/// The region's problem document, reduced to the members that every problem has. `None` if the body
/// is not one.
fn refused(answered: &Forwarded) -> Option<Response> {
    let status = StatusCode::from_u16(answered.status).ok()?;
    let document: Map<String, Value> = serde_json::from_slice(&answered.body).ok()?;
    document.get("type").filter(|kind| kind.is_string())?;
    let is_passed = |(member, _): &(String, Value)| MEMBERS.contains(&member.as_str());
    let mut passed: Map<String, Value> = document.into_iter().filter(is_passed).collect();
    passed.insert("status".to_owned(), answered.status.into());
    let kind = [(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    )];
    let mut response = (status, kind, Value::Object(passed).to_string()).into_response();
    if let Some(seconds) = answered.retry_after_s {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(response)
}
