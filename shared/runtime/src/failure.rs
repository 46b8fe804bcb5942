//! Failures of invocations, in the form that Lambda reports.

use lambda_runtime::Diagnostic;
use std::error::Error;
use std::fmt::Write as _;

/// A failed invocation: a stable type for alarms and callers. The details are in the log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    /// Logs the error with all its sources, once, and retains only its type.
    #[must_use]
    pub fn of(kind: &'static str, error: &dyn Error) -> Self {
        tracing::error!(kind, error = chain(error), "invocation failed");
        Self {
            kind,
            message: format!("{kind}: see the function's log"),
        }
    }

    /// A refusal whose message is a stable code that the caller may see.
    #[must_use]
    pub fn refusal(kind: &'static str, code: impl Into<String>) -> Self {
        Self {
            kind,
            message: code.into(),
        }
    }

    /// The stable type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The message that the caller sees.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.kind.to_owned(),
            error_message: failure.message,
        }
    }
}

/// An error's text and that of each of its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
