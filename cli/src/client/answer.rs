//! Answers of an API: a value, or the problem document that says why not.

use anyhow::{Context, Result};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An API's refusal, with its problem document (RFC 9457).
#[derive(Debug, Clone)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// The problem document, or whatever the answer held.
    pub problem: Value,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |member: &str| self.problem.get(member).and_then(Value::as_str);
        write!(f, "{}: {}", self.status, text("title").unwrap_or("refused without a problem document"))?;
        if let Some(detail) = text("detail") {
            write!(f, ": {detail}")?;
        }
        if let Some(fields) = self.problem.get("errors") {
            write!(f, " {fields}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// The last part of the problem's type.
    pub fn slug(&self) -> &str {
        let kind = self.problem.get("type").and_then(Value::as_str).unwrap_or_default();
        kind.rsplit('/').next().unwrap_or_default()
    }
}

/// Sends a request and reads its JSON answer.
///
/// # Errors
/// When there is no answer, or the answer is a refusal: then the error is a [`Refused`].
pub(super) async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let bytes = send(request).await?;
    serde_json::from_slice(&bytes).context("the API's answer has another shape than expected")
}

/// Sends a request whose answer does not matter, once it is no refusal.
///
/// # Errors
/// When there is no answer, or the answer is a refusal: then the error is a [`Refused`].
pub(super) async fn ask_nothing(request: RequestBuilder) -> Result<()> {
    send(request).await.map(|_| ())
}

async fn send(request: RequestBuilder) -> Result<Vec<u8>> {
    let answer = request.send().await.context("the API does not answer")?;
    let status = answer.status();
    let bytes = answer.bytes().await.context("the API's answer broke off")?;
    if status.is_success() {
        return Ok(bytes.to_vec());
    }
    let problem =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Err(Refused { status, problem }.into())
}
