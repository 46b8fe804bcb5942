//! What can go wrong, in a few words.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};

/// Why the user pool did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The password breaks the pool's rules.
    #[error("the user pool refused the password")]
    PasswordRefused,
    /// The code is not the one that was mailed, or there is no such account: the pool does not say which.
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
        /// The exception's name.
        code: String,
    },
    /// The pool was not reached, or failed.
    #[error("the user pool is unavailable: {}", code.as_deref().unwrap_or("no answer"))]
    Unavailable {
        /// The exception's name, where there was an answer.
        code: Option<String>,
    },
}

/// Maps an exception by its name. The names are those of the `SignUp` and `ConfirmSignUp` references of the
/// Amazon Cognito API.
pub(crate) fn classify<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let Some(code) = error.as_service_error().and_then(ProvideErrorMetadata::code) else {
        return IdentityError::Unavailable { code: None };
    };
    match code {
        "InvalidPasswordException" => IdentityError::PasswordRefused,
        "CodeMismatchException" | "UserNotFoundException" => IdentityError::WrongCode,
        "ExpiredCodeException" => IdentityError::ExpiredCode,
        "LimitExceededException" | "TooManyFailedAttemptsException" => IdentityError::TooManyAttempts,
        "InvalidLambdaResponseException"
        | "InvalidParameterException"
        | "NotAuthorizedException"
        | "UnexpectedLambdaException"
        | "UserLambdaValidationException" => IdentityError::Refused { code: code.to_owned() },
        _ => unavailable(error),
    }
}

/// Whatever it was, it may pass.
pub(crate) fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    IdentityError::Unavailable { code: code.map(str::to_owned) }
}
