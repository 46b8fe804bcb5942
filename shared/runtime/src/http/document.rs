//! The OpenAPI document that an API serves.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// An OpenAPI document as committed under `docs/openapi`. It is served without a token.
#[derive(Debug, Clone, Copy)]
pub struct Document(pub &'static str);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
        ];
        (headers, self.0).into_response()
    }
}
