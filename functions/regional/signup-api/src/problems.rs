//! The problems of this API. None of them depends on other people's registrations.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use identity::IdentityError;
use kernel::{RegionCode, SignupId};
use runtime::http::Problem;
use tenancy::{Documents, FieldProblem, IdentityFailure, Refusal};
use tenant_store::TenantStoreError;

runtime::problem_kinds! {
    /// The problems of this API.
    pub(crate) enum ProblemKind {
        /// The header is missing.
        KeyMissing = BAD_REQUEST, "idempotency-key-missing",
            "The Idempotency-Key header is missing",
            "Send a random UUID, and the same one when you repeat the request.";
        /// The header is not 16 to 128 visible ASCII characters.
        KeyMalformed = BAD_REQUEST, "idempotency-key-malformed",
            "The Idempotency-Key header is malformed",
            "It has 16 to 128 visible ASCII characters, such as a random UUID.";
        /// An earlier request with the key differs from this one.
        KeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused",
            "The Idempotency-Key belongs to another request",
            "An earlier request with this key was different. Send a new key for a new sign-up.";
        /// The member `fields` names them, and `documents` has the versions to agree to.
        InvalidFields = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are invalid",
            "Each invalid field is named, with what it must be.";
        /// The code does not consist of digits.
        MalformedCode = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are invalid",
            "Each invalid field is named, with what it must be.";
        /// Only the password is invalid.
        WeakPassword = UNPROCESSABLE_ENTITY, "weak-password", "The password is too weak";
        /// The sign-up is for another region.
        OtherRegion = UNPROCESSABLE_ENTITY, "other-region", "The sign-up is for another region";
        RegionClosed = CONFLICT, "region-closed", "The region accepts no new tenants";
        /// The region accepts sign-ups from the person's own browser only.
        ForbidsCentralOnboarding = CONFLICT, "region-forbids-central-onboarding",
            "The region accepts sign-ups from the person itself only";
        /// The meridian-onboarding header is not a UUID.
        MalformedOnboarding = BAD_REQUEST, "onboarding-malformed",
            "The meridian-onboarding header is malformed",
            "It is a lower-case hyphenated UUID.";
        /// This source has sent too many requests.
        TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests";
        NothingToConfirm = CONFLICT, "nothing-to-confirm", "The sign-up does not need a code",
            "Read the operation: it shows what can be done.";
        /// The account does not exist yet: the sign-up has to be repeated first.
        NoAccount = CONFLICT, "no-account", "The account is not created yet",
            "Repeat the sign-up with the same Idempotency-Key: then a code is mailed.";
        /// The invitation was used, withdrawn or resent with another code, has expired, or never
        /// existed. All get the same response, which discloses nothing of valid ones.
        NoInvitation = NOT_FOUND, "no-invitation", "There is no such invitation",
            "It was used, withdrawn, resent with another code, or has expired. Ask the person \
             who invited you.";
        UnknownBearer = FORBIDDEN, "unknown-bearer",
            "The token's user is not a user of this region any more";
        /// There is no sign-up with this id.
        UnknownSignup = NOT_FOUND, "unknown-signup", "There is no such sign-up";
        /// The identity provider refused the account; the member `operation` has the sign-up's
        /// path.
        AccountRefused = UNPROCESSABLE_ENTITY, "account-refused", "The account was refused",
            "Repeat the request with the same Idempotency-Key, or ask the provider.";
        InvitedAccountRefused = CONFLICT, "account-refused", "The account was refused",
            "Repeat the request with the same code, or ask the provider.";
        /// Accounts cannot be created right now. The registration is stored, and the member
        /// `operation` has its path.
        AccountNotMade = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be created right now",
            "The registration is stored. Repeat the request with the same Idempotency-Key to \
             complete it.";
        /// Accounts cannot be created right now; the same request completes it later.
        InvitedAccountNotMade = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be created right now",
            "Repeat the request with the same code to complete it.";
        /// The code is not the one of the latest mail.
        WrongCode = UNPROCESSABLE_ENTITY, "wrong-code", "The code is wrong",
            "Send the code of the latest mail.";
        /// The code has expired; a new one has to be requested.
        ExpiredCode = UNPROCESSABLE_ENTITY, "expired-code", "The code has expired",
            "Request a new code: POST to the operation's path with /resend.";
        /// The identity provider has blocked further attempts for this account.
        TooManyAttempts = TOO_MANY_REQUESTS, "too-many-attempts", "Too many attempts",
            "Wait a while before you try again.";
        /// The identity provider does not accept a confirmation of the account.
        ConfirmationRefused = CONFLICT, "confirmation-refused", "The address cannot be confirmed",
            "The account does not accept a confirmation. Ask the provider.";
        ConfirmationUnavailable = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Addresses cannot be confirmed right now",
            "Send the same request again.";
        /// Nothing failed, or another attempt cannot succeed.
        NothingToRetry = CONFLICT, "nothing-to-retry", "There is nothing to try again",
            "Read the operation: it shows what can be done.";
        TenantNotOpen = CONFLICT, "tenant-not-open", "The tenant is not ready for this";
        TryAgain = SERVICE_UNAVAILABLE, "try-again", "There is too much to do right now",
            "Send the same request again.";
    }
}

/// Every refusal has the current documents: a form that was open for long may show older versions.
pub(crate) fn invalid_fields(fields: &[FieldProblem], documents: &Documents) -> Problem {
    let problem = match fields {
        [
            FieldProblem {
                field: "password",
                reason,
            },
        ] => Problem::new(ProblemKind::WeakPassword)
            .detail(format!("The password must be {reason}.")),
        _ => ProblemKind::InvalidFields.into(),
    };
    problem.with("fields", fields).with("documents", documents)
}

pub(crate) fn malformed_code() -> Problem {
    let reason = "the digits that were mailed to you";
    let fields = [FieldProblem {
        field: "code",
        reason,
    }];
    Problem::new(ProblemKind::MalformedCode).with("fields", fields)
}

pub(crate) fn other_region(region: &RegionCode) -> Problem {
    Problem::new(ProblemKind::OtherRegion)
        .detail(format!(
            "This is the API of {region}. Send the sign-up to the region that it is for."
        ))
        .with("region", region)
}

pub(crate) fn region_closed(region: &RegionCode) -> Problem {
    Problem::new(ProblemKind::RegionClosed)
        .detail(format!(
            "{region} is closed to new tenants. Choose another region."
        ))
        .with("region", region)
}

pub(crate) fn forbids_central_onboarding(region: &RegionCode) -> Problem {
    Problem::new(ProblemKind::ForbidsCentralOnboarding)
        .detail(format!(
            "The mode of {region} lets no other region see its sign-ups. Post the form to this address."
        ))
        .with("region", region)
}

/// The problem of a source that has sent too many requests; it does not depend on the email
/// address.
pub(crate) fn too_many(wait_s: i64) -> Problem {
    Problem::new(ProblemKind::TooManyRequests)
        .detail(format!("Try again in {wait_s} seconds."))
        .header(RETRY_AFTER, HeaderValue::from(wait_s))
}

pub(crate) fn no_account(signup: SignupId) -> Problem {
    Problem::new(ProblemKind::NoAccount).with("operation", format!("/signups/{signup}"))
}

/// The failure that the operation shows for an account that was not created.
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

/// Maps the pool's error after the user was stored and before the account was created.
pub(crate) fn account_of_invited(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not created");
    match identity_failure(error) {
        IdentityFailure::PasswordRefused => Problem::new(ProblemKind::WeakPassword)
            .detail("Repeat the request with the same code and a stronger password."),
        IdentityFailure::Refused => ProblemKind::InvitedAccountRefused.into(),
        IdentityFailure::Unavailable => ProblemKind::InvitedAccountNotMade.into(),
    }
}

/// Maps the pool's error after the registration was stored. The operation shows how to continue.
pub(crate) fn account(error: &IdentityError, signup: SignupId) -> Problem {
    tracing::warn!(error = %error, "account not created");
    let problem = match identity_failure(error) {
        IdentityFailure::PasswordRefused => Problem::new(ProblemKind::WeakPassword)
            .detail("Repeat the request with the same Idempotency-Key and a stronger password."),
        IdentityFailure::Refused => ProblemKind::AccountRefused.into(),
        IdentityFailure::Unavailable => ProblemKind::AccountNotMade.into(),
    };
    problem.with("operation", format!("/signups/{signup}"))
}

pub(crate) fn confirmation(error: &IdentityError) -> Problem {
    tracing::info!(error = %error, "not confirmed");
    let kind = match error {
        IdentityError::WrongCode => ProblemKind::WrongCode,
        IdentityError::ExpiredCode => ProblemKind::ExpiredCode,
        IdentityError::TooManyAttempts => ProblemKind::TooManyAttempts,
        IdentityError::Refused { .. } | IdentityError::PasswordRefused => {
            ProblemKind::ConfirmationRefused
        }
        IdentityError::Unavailable { .. } => ProblemKind::ConfirmationUnavailable,
    };
    kind.into()
}

pub(crate) fn store(error: &TenantStoreError) -> Problem {
    let kind = match error {
        TenantStoreError::Busy { .. } | TenantStoreError::AliasTaken => {
            tracing::warn!(error = %error, "busy");
            ProblemKind::TryAgain
        }
        TenantStoreError::Refused(Refusal::NothingToRetry) => ProblemKind::NothingToRetry,
        TenantStoreError::Refused(Refusal::NoInvitation) => ProblemKind::NoInvitation,
        TenantStoreError::Refused(_) => ProblemKind::TenantNotOpen,
        error => return Problem::internal(error),
    };
    kind.into()
}
