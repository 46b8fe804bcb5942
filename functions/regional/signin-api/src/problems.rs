//! The problems of this API. None of them discloses a tenant or a person.

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use kernel::Invalid;
use runtime::http::Problem;
use tenancy::FieldProblem;

runtime::problem_kinds! {
    /// The problems of this API.
    pub(crate) enum ProblemKind {
        /// The address is unknown, not in use yet, or not in use any more. The response is the same
        /// in each case.
        UnknownAddress = MISDIRECTED_REQUEST, "unknown-address",
            "No tenant can be signed in to at this address",
            "Check the address. A lost address can be requested by mail: POST /workspaces.";
        /// This source has sent too many requests, or requested too many unknown addresses.
        TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests";
        /// The member `fields` names them.
        InvalidFields = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are invalid",
            "Each invalid field is named, with what it must be.";
    }
}

/// The problem of addresses that are malformed, unknown, closed, or not in use yet.
pub(crate) fn unknown_address() -> Problem {
    uncached(ProblemKind::UnknownAddress.into())
}

pub(crate) fn too_many(wait_s: i64) -> Problem {
    let problem = Problem::new(ProblemKind::TooManyRequests)
        .detail(format!("Try again in {wait_s} seconds."))
        .header(RETRY_AFTER, HeaderValue::from(wait_s));
    uncached(problem)
}

pub(crate) fn invalid_email(invalid: Invalid) -> Problem {
    let fields = [FieldProblem {
        field: "email",
        reason: invalid.rule,
    }];
    Problem::new(ProblemKind::InvalidFields).with("fields", fields)
}

fn uncached(problem: Problem) -> Problem {
    problem.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
