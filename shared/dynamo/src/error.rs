//! Errors of requests.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::CancellationReason;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The error of a request. The crate's documentation maps DynamoDB's responses to it.
///
/// It holds no content of items, so that it can be logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Conditions failed, by the indexes of their writes. Nothing is written.
    #[error("a condition failed")]
    ConditionFailed(Vec<usize>),
    /// Another transaction uses the same item. Nothing is written.
    #[error("another transaction uses the same items")]
    Conflict,
    /// The table is throttled. Any part of a batch may be written; otherwise nothing is.
    #[error("the table is throttled")]
    Throttled {
        /// Whether the request was already retried, so that only a later one can succeed.
        is_repeated: bool,
    },
    /// Other writers were faster at every attempt.
    #[error("other writers were faster at each of {attempts} attempts")]
    Contended {
        /// The number of attempts.
        attempts: usize,
    },
    /// The request is invalid and never succeeds. Nothing is written.
    #[error("DynamoDB refused the request")]
    Refused(#[source] Source),
    /// It is unknown whether the request was executed.
    #[error("the request ended without an answer")]
    Unknown(#[source] Source),
}

impl Error {
    /// Decodes the error of a request that is not a transaction.
    pub(crate) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error
            .raw_response()
            .map(|response: &HttpResponse| response.status());
        let is_answered = matches!(error, SdkError::ServiceError(_))
            && !status.is_some_and(|s| s.is_server_error());
        let is_sent = !matches!(error, SdkError::ConstructionFailure(_));
        let code = error.code().map(str::to_owned);
        decode(code.as_deref(), is_answered, is_sent, Box::new(error))
    }

    /// Decodes the reasons of a cancelled transaction.
    pub(crate) fn cancelled(reasons: &[CancellationReason], source: Source) -> Self {
        let codes: Vec<&str> = reasons
            .iter()
            .map(|reason| reason.code().unwrap_or(NO_REASON))
            .collect();
        let places: Vec<usize> = (0..codes.len())
            .filter(|place| codes[*place] == "ConditionalCheckFailed")
            .collect();
        if !places.is_empty() {
            return Self::ConditionFailed(places);
        }
        let any = |is: fn(&str) -> bool| codes.iter().any(|code| is(code));
        let is_throttled =
            |code: &str| matches!(code, "ThrottlingError" | "ProvisionedThroughputExceeded");
        let is_conflict = |code: &str| code == "TransactionConflict";
        let is_passing =
            |code: &&str| *code == NO_REASON || is_throttled(code) || is_conflict(code);
        match (
            codes.iter().all(is_passing),
            any(is_throttled),
            any(is_conflict),
        ) {
            (true, true, _) => Self::Throttled { is_repeated: false },
            (true, false, true) => Self::Conflict,
            _ => Self::Refused(source),
        }
    }

    /// Whether nothing is written because of other writers or throttling, so that loading and
    /// deciding again may succeed.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::ConditionFailed(_) | Self::Conflict | Self::Throttled { is_repeated: false }
        )
    }

    /// Whether a later call may succeed: the table is throttled, or other writers were faster.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Throttled { .. } | Self::Contended { .. }
        )
    }

    /// Returns whether a single write was executed: false if its condition failed.
    ///
    /// # Errors
    /// Any other error.
    pub fn is_written(result: Result<(), Self>) -> Result<bool, Self> {
        match result {
            Ok(()) => Ok(true),
            Err(Self::ConditionFailed(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The code of a write that did not cause the cancellation.
const NO_REASON: &str = "None";

/// Maps an error code. It is not generic, so that it is compiled once for all operations.
fn decode(code: Option<&str>, is_answered: bool, is_sent: bool, source: Source) -> Error {
    match code.unwrap_or_default() {
        "ConditionalCheckFailedException" => Error::ConditionFailed(vec![0]),
        "TransactionConflictException" => Error::Conflict,
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded" => Error::Throttled { is_repeated: true },
        "TransactionInProgressException" => Error::Unknown(source),
        _ if is_answered || !is_sent => Error::Refused(source),
        _ => Error::Unknown(source),
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::Refused(error.into())
    }
}
