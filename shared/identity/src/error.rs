//! What can go wrong, in a few words: the one place that knows which errors of Cognito are
//! refusals, and which pass.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};

/// Why the user pool did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The password breaks the pool's rules.
    #[error("the user pool refused the password")]
    PasswordRefused,
    /// The code is not the one that was mailed, or there is no such account: the pool does not say
    /// which.
    #[error("the code is wrong")]
    WrongCode,
    /// The code was right once.
    #[error("the code has expired")]
    ExpiredCode,
    /// Too many tries for now.
    #[error("too many attempts")]
    TooManyAttempts,
    /// The pool, or a trigger of it, refused.
    #[error("the user pool refused: {code}")]
    Refused {
        /// The exception's name, or the word of the trigger that refused.
        code: String,
    },
    /// The pool was not reached, or failed, or a trigger of it did.
    #[error("the user pool is unavailable: {}", code.as_deref().unwrap_or("no answer"))]
    Unavailable {
        /// The exception's name, where there was an answer.
        code: Option<String>,
    },
}

/// The word by which the custom-message trigger says that it kept a mail back, as it was asked to.
pub const MAIL_WITHHELD: &str = "mail-withheld";

/// The words by which our triggers refuse. Cognito reports everything that goes wrong in a trigger
/// as `UserLambdaValidationException`, a time-out of the function and a crash of it included, so
/// that nothing but one of these words is a refusal.
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

/// Maps an exception by its name, and one of a trigger by the trigger's own word. The names are
/// those of the Amazon Cognito API's references of the operations that are called here. What is not
/// a refusal for certain may pass.
pub(crate) fn classify<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let Some(said) = error.as_service_error() else {
        return IdentityError::Unavailable { code: None };
    };
    let refused = |code: &str| IdentityError::Refused {
        code: code.to_owned(),
    };
    match said.code() {
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
        Some("UserLambdaValidationException") => match said.message().and_then(trigger_refusal) {
            Some(word) => refused(word),
            None => unavailable(error),
        },
        _ => unavailable(error),
    }
}

/// The word by which a trigger refused: the whole of what `<trigger> failed with error <word>.`
/// quotes, so that what a failure says of itself is never taken for one.
fn trigger_refusal(message: &str) -> Option<&'static str> {
    let (_, quoted) = message.split_once(" failed with error ")?;
    let said = quoted.trim().trim_end_matches('.');
    TRIGGER_REFUSALS.into_iter().find(|word| *word == said)
}

/// Whatever it was, it may pass.
pub(crate) fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    IdentityError::Unavailable {
        code: code.map(str::to_owned),
    }
}
