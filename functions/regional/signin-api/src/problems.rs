//! The refusals of this API. None of them tells of a tenant or of a person.

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use kernel::Invalid;
use runtime::http::Problem;
use tenancy::FieldProblem;

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// Nobody has this address, or nobody has it any more or yet. The answer is the same in
        /// each case.
        UnknownAddress = MISDIRECTED_REQUEST, "unknown-address",
            "There is nobody to sign in to at this address",
            "Check the address. Who has lost it can have it mailed: POST /workspaces.";
        /// This source asked too often, or for too many addresses that nobody has.
        TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests";
        /// The member `fields` says which.
        InvalidFields = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are not as they must be",
            "Each field that must be something else is named, with what it must be.";
    }
}

/// One answer for addresses that are malformed, unknown, closed, or not in use yet.
pub(crate) fn unknown_address() -> Problem {
    unkept(ProblemKind::UnknownAddress.into())
}

pub(crate) fn too_many(wait_s: i64) -> Problem {
    let problem = Problem::new(ProblemKind::TooManyRequests)
        .detail(format!("Try again in {wait_s} seconds."))
        .header(RETRY_AFTER, HeaderValue::from(wait_s));
    unkept(problem)
}

pub(crate) fn invalid_email(invalid: Invalid) -> Problem {
    let fields = [FieldProblem {
        field: "email",
        reason: invalid.rule,
    }];
    Problem::new(ProblemKind::InvalidFields).with("fields", fields)
}

fn unkept(problem: Problem) -> Problem {
    problem.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
