//! What became of a request that was not done.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::CancellationReason;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request was not done. The crate's documentation has the table of DynamoDB's answers.
///
/// Holds nothing of the items themselves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Conditions did not hold, by the places of their writes. Nothing is written.
    #[error("a condition did not hold")]
    ConditionFailed(Vec<usize>),
    /// A transaction was on the same item. Nothing is written.
    #[error("another transaction was on the same items")]
    Conflict,
    /// The table takes no more at the moment. Of a batch, any part may be written; else nothing is.
    #[error("the table takes no more at the moment")]
    Throttled {
        /// Whether the request was repeated already, so that only a later one can help.
        is_repeated: bool,
    },
    /// Others were faster at every attempt.
    #[error("others were faster at each of {attempts} attempts")]
    Contended {
        /// How many attempts were made.
        attempts: usize,
    },
    /// The same request never succeeds. Nothing is written.
    #[error("DynamoDB refused the request")]
    Refused(#[source] Source),
    /// Nobody knows whether the request was done.
    #[error("the request ended without an answer")]
    Unknown(#[source] Source),
}

impl Error {
    /// Decodes the error of a request that is no transaction.
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

    /// Decodes why a transaction was cancelled.
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

    /// Whether it was lost to others or to a busy table, and nothing is written: what reads and
    /// decides again may do it.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::ConditionFailed(_) | Self::Conflict | Self::Throttled { is_repeated: false }
        )
    }

    /// Whether a later call may do what this one did not: the table is busy, or others were faster.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Throttled { .. } | Self::Contended { .. }
        )
    }

    /// Takes the failure of a single write's condition for an answer: whether it was written.
    ///
    /// # Errors
    /// All others.
    pub fn is_written(result: Result<(), Self>) -> Result<bool, Self> {
        match result {
            Ok(()) => Ok(true),
            Err(Self::ConditionFailed(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The code of a write that no reason speaks against.
const NO_REASON: &str = "None";

/// Not generic, so that it is compiled once for all operations.
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
