//! Calls of another region's public API, bounded in time and in size.

use crate::Error;
use crate::connect::connector;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::fmt;
use std::time::Duration;

/// The longest time of a call with its retries: less than the timeout of the caller's own gateway.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest accepted answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most attempts of a call. A pooled connection may have died while the function was frozen;
/// the next attempt opens a new one.
const ATTEMPTS_MAX: u32 = 3;

/// A client of other regions' public APIs.
#[derive(Debug, Clone)]
pub struct Forwarder {
    connector: SharedHttpConnector,
}

/// The answer of an API. Its `Debug` omits the body, which may be personal.
pub struct Forwarded {
    /// The HTTP status.
    pub status: u16,
    /// The header `retry-after`, in seconds.
    pub retry_after_s: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

/// A failure to get an answer. The request may still have arrived.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// A header or the address is malformed.
    #[error("the request cannot be sent")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No attempt reached the API.
    #[error("the API was not reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API did not answer in time.
    #[error("the API did not answer within {} s", CALL_TIMEOUT.as_secs())]
    TimedOut,
    /// The answer exceeds the limit.
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
}

impl Forwarder {
    /// A client with its own connections.
    ///
    /// # Errors
    /// When the trust store cannot be read.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            connector: connector(CALL_TIMEOUT)?,
        })
    }

    /// Posts a JSON document. Resends the request when the connection fails, so the request must
    /// be idempotent.
    ///
    /// # Errors
    /// When there is no answer within 15 s, or the answer exceeds 64 KiB.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Forwarded, ForwardError> {
        let answered = tokio::time::timeout(CALL_TIMEOUT, self.try_post(url, headers, body)).await;
        answered.unwrap_or(Err(ForwardError::TimedOut))
    }

    async fn try_post(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Forwarded, ForwardError> {
        let mut answered = self.connector.call(request(url, headers, body)?).await;
        for _ in 1..ATTEMPTS_MAX {
            if answered.is_err() {
                answered = self.connector.call(request(url, headers, body)?).await;
            }
        }
        read(answered.map_err(|error| ForwardError::Unreachable(error.into()))?).await
    }
}

fn request(
    url: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Result<HttpRequest, ForwardError> {
    let malformed = |error| ForwardError::Malformed(error);
    let mut request = HttpRequest::new(SdkBody::from(body));
    request
        .set_uri(url)
        .map_err(|error| malformed(error.into()))?;
    request
        .set_method("POST")
        .map_err(|error| malformed(error.into()))?;
    let fixed = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ];
    for (name, value) in fixed.iter().chain(headers) {
        let inserted = request.headers_mut().try_insert(*name, (*value).to_owned());
        inserted.map_err(|error| malformed(error.into()))?;
    }
    Ok(request)
}

async fn read(response: HttpResponse) -> Result<Forwarded, ForwardError> {
    let status = response.status().as_u16();
    let retry_after_s = response
        .headers()
        .get("retry-after")
        .and_then(|seconds| seconds.parse().ok());
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| ForwardError::Unreachable(error.into()))?;
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ForwardError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Forwarded {
        status,
        retry_after_s,
        body,
    })
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
