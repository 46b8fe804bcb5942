//! The errors of the user pool. This is the one place that knows which errors of Cognito are
//! refusals and which are temporary.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};

/// The reason why the user pool did not do what was requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The password breaks the pool's rules.
    #[error("the user pool refused the password")]
    PasswordRefused,
    /// The code is wrong, or there is no such account: the pool does not distinguish them.
    #[error("the code is wrong")]
    WrongCode,
    /// The code was correct, but has expired.
    #[error("the code has expired")]
    ExpiredCode,
    /// Too many attempts for now.
    #[error("too many attempts")]
    TooManyAttempts,
    /// The pool or one of its triggers refused.
    #[error("the user pool refused: {code}")]
    Refused {
        /// The exception's name, or the refusing trigger's word.
        code: String,
    },
    /// The pool was not reached or failed, or one of its triggers failed.
    #[error("the user pool is unavailable: {}", code.as_deref().unwrap_or("no answer"))]
    Unavailable {
        /// The exception's name, if there was a response.
        code: Option<String>,
    },
}

/// The word with which the custom-message trigger reports that it withheld a mail on request.
pub const MAIL_WITHHELD: &str = "mail-withheld";

/// The words with which our triggers refuse. Cognito reports every failure of a trigger as
/// `UserLambdaValidationException`, including a timeout or crash of the function, so only these
/// words are refusals.
pub const TRIGGER_REFUSALS: [&str; 13] = [
    "address-is-fixed",
    "address-not-verified",
    "client-ended",
    MAIL_WITHHELD,
    "not-registered",
    "other-tenant",
    "provider-address-missing",
    "provider-address-unverified",
    "removed",
    "tenant-closed",
    "tenant-full",
    "tenant-not-ready",
    "tenant-suspended",
];

/// Maps an exception by its name, and that of a trigger by the trigger's word. The names are from
/// the Amazon Cognito API reference of the operations called here. An error that is not certainly a
/// refusal counts as temporary.
pub(crate) fn classify<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let Some(exception) = error.as_service_error() else {
        return IdentityError::Unavailable { code: None };
    };
    let refused = |code: &str| IdentityError::Refused {
        code: code.to_owned(),
    };
    match exception.code() {
        Some("InvalidPasswordException" | "PasswordHistoryPolicyViolationException") => {
            IdentityError::PasswordRefused
        }
        Some("CodeMismatchException" | "UserNotFoundException") => IdentityError::WrongCode,
        Some("ExpiredCodeException") => IdentityError::ExpiredCode,
        Some("LimitExceededException" | "TooManyFailedAttemptsException") => {
            IdentityError::TooManyAttempts
        }
        Some(
            code @ ("AliasExistsException"
            | "InvalidParameterException"
            | "NotAuthorizedException"
            | "UnsupportedUserStateException"
            | "UsernameExistsException"),
        ) => refused(code),
        Some("UserLambdaValidationException") => {
            match exception.message().and_then(trigger_refusal) {
                Some(word) => refused(word),
                None => unavailable(error),
            }
        }
        _ => unavailable(error),
    }
}

/// The word with which a trigger refused: the whole quotation in `<trigger> failed with error
/// <word>.`, so that a failure's own text is never taken for a refusal.
fn trigger_refusal(message: &str) -> Option<&'static str> {
    let (_, quoted) = message.split_once(" failed with error ")?;
    let quotation = quoted.trim().trim_end_matches('.');
    TRIGGER_REFUSALS.into_iter().find(|word| *word == quotation)
}

/// Every error of these operations counts as temporary.
pub(crate) fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    IdentityError::Unavailable {
        code: code.map(str::to_owned),
    }
}
