//! JSON bodies, bounded and with helpful refusals.

use super::Problem;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

const BODY_BYTES_MAX: usize = 64 * 1024;

/// A JSON body of at most 64 KiB.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
                .detail(format!("At most {BODY_BYTES_MAX} bytes are read."))
                .with("bytes_max", BODY_BYTES_MAX)
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| refuse(&error))
    }
}

/// The message of the parser goes to the caller, who sent the text that it quotes, and nowhere else.
fn refuse(error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-body",
            "The body does not have the expected members",
        ),
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::new(StatusCode::BAD_REQUEST, "malformed-json", "The body is not JSON")
        }
    }
    .detail(error.to_string())
}
