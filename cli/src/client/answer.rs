//! Answers of an API: a value, or the problem document of a refusal.

use anyhow::{Context, Result};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// An API's refusal, with its problem document (RFC 9457).
#[derive(Debug, Clone)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// The problem document, or the body as a text where it is not JSON.
    pub problem: Value,
}

/// Members of a problem document that its first line holds already, or that tell a person nothing.
const FIRST_LINE_MEMBERS: [&str; 4] = ["type", "title", "status", "detail"];

impl fmt::Display for Refused {
    /// Writes the problem in one line, and each further member on lines of its own: each invalid
    /// field with its rule, each refused event with its reason, any other member with its value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |member: &str| self.problem.get(member).and_then(Value::as_str);
        let title = text("title").unwrap_or("refused without a problem document");
        write!(f, "{}: {}", self.status, Printable(title))?;
        if let Some(detail) = text("detail") {
            write!(f, ": {}", Printable(detail))?;
        }
        let members = self.problem.as_object().into_iter().flatten();
        for (name, value) in
            members.filter(|(name, _)| !FIRST_LINE_MEMBERS.contains(&name.as_str()))
        {
            match (name.as_str(), value.as_array()) {
                ("fields", Some(fields)) => fields
                    .iter()
                    .try_for_each(|field| write!(f, "\n  {}", field_line(field)))?,
                ("rejected", Some(rejected)) => {
                    rejected
                        .iter()
                        .try_for_each(|refusal| write!(f, "\n  {}", refusal_line(refusal)))?;
                }
                (name, _) => write!(f, "\n  {}: {}", Printable(name), shown(value))?,
            }
        }
        Ok(())
    }
}

/// An invalid field and the rule that it broke.
fn field_line(field: &Value) -> String {
    format!(
        "{}: must be {}",
        shown(&field["field"]),
        shown(&field["reason"])
    )
}

/// A refused event or correction: its index, its id and the reason.
fn refusal_line(refusal: &Value) -> String {
    let id = refusal
        .get("id")
        .map(|id| format!(" ({})", shown(id)))
        .unwrap_or_default();
    format!(
        "{}{id}: {}: {}",
        shown(&refusal["index"]),
        shown(&refusal["reason"]),
        shown(&refusal["detail"])
    )
}

/// Formats a text as it is, and any other value as JSON.
fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    Printable(&text).to_string()
}

/// A text of unknown origin; its control characters are escaped, because a terminal would obey
/// them.
pub(super) struct Printable<'t>(pub &'t str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            control if control.is_control() => write!(f, "{}", control.escape_default()),
            other => write!(f, "{other}"),
        })
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// The last segment of the problem's type.
    pub fn slug(&self) -> &str {
        let kind = self
            .problem
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        kind.rsplit('/').next().unwrap_or_default()
    }
}

/// Sends a request and reads its JSON answer.
///
/// # Errors
/// When there is no answer. When the answer is a refusal, the error is a [`Refused`].
pub(super) async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let bytes = send(request).await?;
    serde_json::from_slice(&bytes).context("the API's answer has an unexpected shape")
}

/// Sends a request and ignores the body of a successful answer.
///
/// # Errors
/// When there is no answer. When the answer is a refusal, the error is a [`Refused`].
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
    let problem = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Err(Refused { status, problem }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The text of a problem document names each field and each refused event with its reason.
    #[test]
    fn a_refusal_names_each_field_and_its_reason() {
        let rows = [
            (
                json!({ "type": "/problems/invalid-fields", "title": "Some fields are not valid", "status": 422,
                    "fields": [{ "field": "email", "reason": "an e-mail address" }, { "field": "plan", "reason": "a plan" }] }),
                "422 Unprocessable Entity: Some fields are not valid\n  email: must be an e-mail address\n  plan: must be a plan",
            ),
            (
                json!({ "title": "Every correction is refused", "detail": "See below", "rejected": [
                    { "index": 0, "id": "a\u{1b}[2J", "reason": "not-reversible", "detail": "it keeps a maximum" },
                    { "index": 1, "reason": "missing-field", "detail": "id is missing" }] }),
                "422 Unprocessable Entity: Every correction is refused: See below\n  0 (a\\u{1b}[2J): not-reversible: it keeps a \
                 maximum\n  1: missing-field: id is missing",
            ),
            (
                json!({ "title": "The token lacks a scope", "scope": "usage/write", "bytes_max": 7 }),
                "422 Unprocessable Entity: The token lacks a scope\n  bytes_max: 7\n  scope: usage/write",
            ),
            (
                json!({ "message": "Too Many Requests" }),
                "422 Unprocessable Entity: refused without a problem document\n  message: Too Many Requests",
            ),
            (
                json!("<html>"),
                "422 Unprocessable Entity: refused without a problem document",
            ),
        ];
        for (problem, expected) in rows {
            assert_eq!(
                Refused {
                    status: StatusCode::UNPROCESSABLE_ENTITY,
                    problem
                }
                .to_string(),
                expected
            );
        }
    }
}
