//! JSON bodies of bounded size.

use super::{Problem, ProblemKind, object};
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

const BODY_BYTES_MAX: usize = 64 * 1024;

/// A JSON body of at most 64 KiB, in which a struct is parsed only from an object. Functions read
/// JSON bodies only by this type.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX)
            .await
            .map_err(|_| {
                Problem::new(ProblemKind::BodyTooLarge)
                    .detail(format!("At most {BODY_BYTES_MAX} bytes are read."))
                    .with("bytes_max", BODY_BYTES_MAX)
            })?;
        object::from_slice(&bytes).map(Self)
    }
}
