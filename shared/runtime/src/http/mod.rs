//! HTTP: an axum router behind an API Gateway HTTP API, refusals as problem documents.

mod body;
mod document;
mod page;
mod problem;
mod table;
mod token;

pub use body::Body;
pub use document::Document;
pub use page::{FileKind, PageFile, PagePolicy};
pub use problem::Problem;
pub use table::{csv_table, cut, next_link, wants_csv};
pub use token::{Claims, Client, Holder, Scopes, Tokens, bearer_token, invalid_token};

use crate::{Error, now};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use lambda_http::request::RequestContext;
use std::convert::Infallible;

/// Serves a router for as long as the function lives. Unknown paths and methods are problems.
///
/// # Errors
/// When the Lambda runtime fails.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(with_fallbacks(router)).await
}

/// Adds the problems of an unknown path, of a known path with another method, and of a path that is no text.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not take this method")
        })
        .layer(map_response(without_plain_refusals))
}

/// The router refuses a part of a path that is no text by itself, and in plain words.
async fn without_plain_refusals(response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_plain = kind.is_some_and(|kind| kind.starts_with("text/plain"));
    if response.status() == StatusCode::BAD_REQUEST && is_plain {
        return Problem::new(StatusCode::BAD_REQUEST, "malformed-path", "The path is malformed")
            .detail("Its parts are texts in UTF-8, percent-encoded where they have to be.")
            .into_response();
    }
    response
}

/// When the gateway took the request; the runtime's clock where the gateway does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now(pub Timestamp);

impl<S: Sync> FromRequestParts<S> for Now {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let gateway_ms = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => Some(context.time_epoch),
            _ => None,
        };
        let time = gateway_ms.filter(|ms| *ms > 0).and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(Self(time.unwrap_or_else(now)))
    }
}

/// Where a request comes from, by the gateway: an IP address, which is personal. Empty where the gateway does
/// not say. Has no `Debug`, so that it cannot get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(pub String);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let source = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        Ok(Self(source.unwrap_or_default()))
    }
}
