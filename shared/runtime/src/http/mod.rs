//! HTTP: an axum router behind an API Gateway HTTP API, with problem documents for errors.

mod body;
mod document;
mod event;
mod keys;
mod object;
mod page;
mod problem;
mod source;
mod table;
mod token;

/// The status of an answer, for [`problem_kinds!`](crate::problem_kinds).
pub use axum::http::StatusCode;
pub use body::Body;
pub use document::Document;
pub use event::{Answer, answer, request, respond};
pub use object::Verbatim;
pub use page::{FileKind, PageFile, PagePolicy};
pub use problem::{Problem, ProblemKind, ProblemType};
pub use source::Source;
pub use table::{csv_table, cut, next_link, wants_csv};
pub use token::{Claims, Client, Holder, Scopes, Tokens, bearer_token, invalid_token};

use crate::{Error, now};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use event::{Gateway, Incoming};
use kernel::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use std::convert::Infallible;

/// Serves a router for as long as the function lives. Unknown paths and methods are answered with
/// problems.
///
/// # Errors
/// When the Lambda runtime fails.
pub async fn serve(router: Router) -> Result<(), Error> {
    let router = with_fallbacks(router);
    // The event is parsed here, because an event that the Lambda runtime cannot parse would be a
    // failed invocation.
    let invoke = |event: LambdaEvent<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Error>(event.payload.answer(router).await) }
    };
    lambda_runtime::run(service_fn(invoke)).await
}

/// Adds the problems of an unknown path, of a known path with another method, and of a path that is
/// not UTF-8.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(async || Problem::new(ProblemKind::NotFound))
        .method_not_allowed_fallback(async || Problem::new(ProblemKind::MethodNotAllowed))
        .layer(map_response(without_plain_refusals))
}

/// Replaces the router's own refusal of a path that is not UTF-8, a plain text, by a problem.
async fn without_plain_refusals(response: Response) -> Response {
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let is_plain = kind.is_some_and(|kind| kind.starts_with("text/plain"));
    if response.status() == StatusCode::BAD_REQUEST && is_plain {
        return Problem::new(ProblemKind::MalformedPath).into_response();
    }
    response
}

/// The year 2200. No gateway reports a later time, and adding a duration to an earlier one does not
/// overflow.
const TIME_MS_MAX: i64 = 7_258_118_400_000;

/// The time at which the gateway received the request. The runtime's clock where the gateway
/// reports none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now(pub Timestamp);

impl<S: Sync> FromRequestParts<S> for Now {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let gateway_ms = parts
            .extensions
            .get::<Gateway>()
            .and_then(|gateway| gateway.time_epoch_ms);
        let time = gateway_ms
            .filter(|ms| (1..TIME_MS_MAX).contains(ms))
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(Self(time.unwrap_or_else(now)))
    }
}
