//! The problems of this API. None of them contains data of a sign-up.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use fleet::PlacementRefusal;
use kernel::{Mode, PublicUrl, RegionCode};
use runtime::http::Problem;

pub(crate) fn key_missing() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key-missing",
        "The Idempotency-Key header is missing",
    )
    .detail("Send a random UUID, and the same one when you repeat the request.")
}

pub(crate) fn key_malformed() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key-malformed",
        "The Idempotency-Key header is malformed",
    )
    .detail("It has 16 to 128 visible ASCII characters, such as a random UUID.")
}

pub(crate) fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The Idempotency-Key belongs to another request",
    )
    .detail("A request with this key named another placement. Send a new key for a new onboarding.")
}

pub(crate) fn invalid_placement(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-placement",
        "The placement is invalid",
    )
    .detail(detail)
}

pub(crate) fn signup_no_object() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-signup",
        "The sign-up is invalid",
    )
    .detail("The member signup is the object that the region's own POST /signups takes.")
}

pub(crate) fn unknown_onboarding() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-onboarding",
        "There is no such onboarding",
    )
}

pub(crate) fn placement(refusal: &PlacementRefusal) -> Problem {
    match refusal {
        PlacementRefusal::UnknownRegion { region } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-region", "There is no such region")
                .detail("GET /regions lists the regions.")
                .with("region", region)
        }
        PlacementRefusal::ForbidsCentralOnboarding { region, mode, signup_url } => forbidden(region, *mode, signup_url),
        PlacementRefusal::Closed { region } => {
            Problem::new(StatusCode::CONFLICT, "region-closed", "The region accepts no new tenants")
                .detail("Choose another region, or let one be chosen by jurisdiction or location.")
                .with("region", region)
        }
        PlacementRefusal::NoRegion => {
            Problem::new(StatusCode::CONFLICT, "no-region", "No suitable region accepts new tenants at the moment")
                .detail("A region is chosen among those in mode shared that accept tenants, have room and report.")
        }
    }
}

pub(crate) fn forbidden(region: &RegionCode, mode: Mode, signup_url: &PublicUrl) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "region-forbids-central-onboarding",
        "The region accepts sign-ups only at its own address",
    )
    .detail("Nothing was handed over. Post the sign-up to the region's own address.")
    .with("region", region)
    .with("mode", mode)
    .with("signup_url", signup_url)
}

/// The region may or may not have accepted the sign-up. Repeating the request finds out.
pub(crate) fn region_unavailable(region: &RegionCode) -> Problem {
    passing("region-unavailable", "The region does not answer at the moment")
        .detail("The same request may be sent again. It continues where this one stopped, and makes no second tenant.")
        .with("region", region)
}

pub(crate) fn busy() -> Problem {
    passing(
        "try-again",
        "There are too many requests with this key right now",
    )
    .detail("The same request may be sent again.")
}

/// A temporary problem.
fn passing(slug: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, slug, title)
        .header(RETRY_AFTER, HeaderValue::from_static("2"))
}
