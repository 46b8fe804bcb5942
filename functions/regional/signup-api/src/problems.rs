//! The refusals of this API. None of them depends on other people's registrations.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use identity::IdentityError;
use kernel::{RegionCode, SignupId};
use runtime::http::Problem;
use tenancy::{Documents, FieldProblem, IdentityFailure, Refusal};
use tenant_store::TenantStoreError;

pub(crate) fn key_missing() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key-missing",
        "The Idempotency-Key header is missing",
    )
    .detail("Send a random UUID, and the same one when you repeat the request.")
}

pub(crate) fn key_malformed() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key-malformed",
        "The Idempotency-Key header is malformed",
    )
    .detail("It has 16 to 128 visible ASCII characters, such as a random UUID.")
}

pub(crate) fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The Idempotency-Key belongs to another request",
    )
    .detail("A request with this key asked for something else. Send a new key for a new sign-up.")
}

/// The documents that hold are told with every refusal: a form that was open for long does not know
/// them.
pub(crate) fn invalid_fields(fields: &[FieldProblem], documents: &Documents) -> Problem {
    refused_fields(fields).with("documents", documents)
}

fn refused_fields(fields: &[FieldProblem]) -> Problem {
    let problem = match fields {
        [
            FieldProblem {
                field: "password",
                reason,
            },
        ] => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "weak-password",
            "The password is too weak",
        )
        .detail(format!("The password must be {reason}.")),
        _ => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-fields",
            "Some fields are not as they must be",
        )
        .detail("Each field that must be something else is named, with what it must be."),
    };
    problem.with("fields", fields)
}

pub(crate) fn malformed_code() -> Problem {
    refused_fields(&[FieldProblem {
        field: "code",
        reason: "the digits that were mailed to you",
    }])
}

pub(crate) fn other_region(region: &RegionCode) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "other-region",
        "The sign-up is for another region",
    )
    .detail(format!(
        "This is the API of {region}. Send the sign-up to the region that it is for."
    ))
    .with("region", region)
}

pub(crate) fn region_closed(region: &RegionCode) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "region-closed",
        "The region takes no new tenants",
    )
    .detail(format!(
        "{region} is closed to new tenants. Choose another region."
    ))
    .with("region", region)
}

pub(crate) fn forbids_central_onboarding(region: &RegionCode) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "region-forbids-central-onboarding",
        "The region takes sign-ups from the person itself only",
    )
    .detail(format!(
        "The mode of {region} lets no other region see its sign-ups. Post the form to this address."
    ))
    .with("region", region)
}

pub(crate) fn malformed_onboarding() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "onboarding-malformed",
        "The meridian-onboarding header is malformed",
    )
    .detail("It is a lower-case hyphenated UUID.")
}

/// Too much was asked for, whoever or whatever the address is.
pub(crate) fn too_many(wait_s: i64) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
    )
    .detail(format!("Try again in {wait_s} seconds."))
    .header(RETRY_AFTER, HeaderValue::from(wait_s))
}

pub(crate) fn nothing_to_confirm() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "nothing-to-confirm",
        "The sign-up waits for no code",
    )
    .detail("Read the operation: it says what can be done.")
}

pub(crate) fn no_account(signup: SignupId) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no-account",
        "The account is not made yet",
    )
    .detail("Repeat the sign-up with the same Idempotency-Key: then a code is mailed.")
    .with("operation", format!("/signups/{signup}"))
}

/// One answer for every invitation that does not hold, so that it tells nothing of those that do.
pub(crate) fn no_invitation() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-invitation", "There is no such invitation")
        .detail("It was used, withdrawn, sent again with another code, or its time has run out. Ask who invited you.")
}

pub(crate) fn unknown_bearer() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "unknown-bearer",
        "The token's user is not a user of this region any more",
    )
}

pub(crate) fn unknown_signup() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-signup",
        "There is no such sign-up",
    )
}

/// What the operation says of an account that was not made.
pub(crate) fn identity_failure(error: &IdentityError) -> IdentityFailure {
    match error {
        IdentityError::PasswordRefused => IdentityFailure::PasswordRefused,
        IdentityError::Refused { .. } => IdentityFailure::Refused,
        IdentityError::WrongCode
        | IdentityError::ExpiredCode
        | IdentityError::TooManyAttempts
        | IdentityError::Unavailable { .. } => IdentityFailure::Unavailable,
    }
}

/// The user is stored, but the account was not made.
pub(crate) fn account_of_invited(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not made");
    match identity_failure(error) {
        IdentityFailure::PasswordRefused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "weak-password",
            "The password is too weak",
        )
        .detail("Repeat the request with the same code and a stronger password."),
        IdentityFailure::Refused => Problem::new(
            StatusCode::CONFLICT,
            "account-refused",
            "The account was refused",
        )
        .detail("Repeat the request with the same code, or ask the provider."),
        IdentityFailure::Unavailable => {
            passing("identity-unavailable", "Accounts cannot be made right now")
                .detail("Repeat the request with the same code to complete it.")
        }
    }
}

/// The registration is stored, but the account was not made. The operation says how to go on.
pub(crate) fn account(error: &IdentityError, signup: SignupId) -> Problem {
    tracing::warn!(error = %error, "account not made");
    let problem = match identity_failure(error) {
        IdentityFailure::PasswordRefused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "weak-password", "The password is too weak")
                .detail("Repeat the request with the same Idempotency-Key and a stronger password.")
        }
        IdentityFailure::Refused => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "account-refused", "The account was refused")
                .detail("Repeat the request with the same Idempotency-Key, or ask the provider.")
        }
        IdentityFailure::Unavailable => passing("identity-unavailable", "Accounts cannot be made right now")
            .detail("The registration is stored. Repeat the request with the same Idempotency-Key to complete it."),
    };
    problem.with("operation", format!("/signups/{signup}"))
}

pub(crate) fn confirmation(error: &IdentityError) -> Problem {
    tracing::info!(error = %error, "not confirmed");
    match error {
        IdentityError::WrongCode => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "wrong-code",
            "The code is wrong",
        )
        .detail("Send the code of the latest mail."),
        IdentityError::ExpiredCode => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "expired-code",
            "The code has expired",
        )
        .detail("Ask for a new code: POST to the operation's path with /resend."),
        IdentityError::TooManyAttempts => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-attempts",
            "Too many attempts",
        )
        .detail("Wait a while before you try again."),
        IdentityError::Refused { .. } | IdentityError::PasswordRefused => Problem::new(
            StatusCode::CONFLICT,
            "confirmation-refused",
            "The address cannot be confirmed",
        )
        .detail("The account does not take a confirmation. Ask the provider."),
        IdentityError::Unavailable { .. } => passing(
            "identity-unavailable",
            "Addresses cannot be confirmed right now",
        )
        .detail("The same request may be sent again."),
    }
}

pub(crate) fn store(error: &TenantStoreError) -> Problem {
    match error {
        TenantStoreError::Busy { .. } | TenantStoreError::AliasTaken => {
            tracing::warn!(error = %error, "busy");
            passing("try-again", "There is too much to do right now")
                .detail("The same request may be sent again.")
        }
        TenantStoreError::Refused(Refusal::NothingToRetry) => Problem::new(
            StatusCode::CONFLICT,
            "nothing-to-retry",
            "There is nothing to try again",
        )
        .detail("Read the operation: it says what can be done."),
        TenantStoreError::Refused(Refusal::NoInvitation) => no_invitation(),
        TenantStoreError::Refused(_) => Problem::new(
            StatusCode::CONFLICT,
            "tenant-not-open",
            "The tenant does not take this now",
        ),
        error => Problem::internal(error),
    }
}

/// A problem that passes by itself.
fn passing(slug: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, slug, title)
        .header(RETRY_AFTER, HeaderValue::from_static("2"))
}
