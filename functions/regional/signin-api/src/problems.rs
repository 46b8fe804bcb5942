//! The refusals of this API. None of them tells of a tenant or of a person.

use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use kernel::Invalid;
use runtime::http::Problem;
use tenancy::FieldProblem;

/// One answer for addresses that are malformed, unknown, closed, or not in use yet.
pub(crate) fn unknown_address() -> Problem {
    let problem = Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-address",
        "There is nobody to sign in to at this address",
    );
    unkept(
        problem.detail("Check the address. Who has lost it can have it mailed: POST /workspaces."),
    )
}

pub(crate) fn too_many(wait_s: i64) -> Problem {
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
    )
    .detail(format!("Try again in {wait_s} seconds."))
    .header(RETRY_AFTER, HeaderValue::from(wait_s));
    unkept(problem)
}

pub(crate) fn invalid_email(invalid: Invalid) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-fields",
        "Some fields are not as they must be",
    )
    .detail("Each field that must be something else is named, with what it must be.")
    .with(
        "fields",
        [FieldProblem {
            field: "email",
            reason: invalid.rule,
        }],
    )
}

fn unkept(problem: Problem) -> Problem {
    problem.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
