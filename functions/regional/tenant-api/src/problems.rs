//! The refusals of this API. None of them says more of another tenant than of one that does not
//! exist.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use identity::IdentityError;
use kernel::{Invalid, InvitationId, TenantStatus};
use mail::MailError;
use runtime::http::Problem;
use std::str::FromStr;
use tenancy::{CLIENTS_MAX, FieldProblem, INVITATIONS_MAX, Refusal, SENDINGS_MAX, USERS_MAX};
use tenant_store::TenantStoreError;

pub(crate) fn no_token_and_no_code() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "A valid access token or the code is needed",
    )
    .detail(
        "Send an access token as a bearer token, or else the undo_code that came with the closure.",
    )
    .header(
        axum::http::header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer"),
    )
}

pub(crate) fn unknown_bearer() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "unknown-bearer",
        "The token's user is not a user of this region any more",
    )
}

pub(crate) fn unknown_tenant() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-tenant",
        "There is no such tenant",
    )
    .detail("A token is for one tenant, which it names in its claim tenant_id.")
}

pub(crate) fn unknown_user() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-user",
        "The tenant has no such user",
    )
}

pub(crate) fn unknown_invitation() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-invitation",
        "The tenant has no such open invitation",
    )
}

pub(crate) fn unknown_client() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-client",
        "The tenant has no such client",
    )
}

pub(crate) fn no_identity_provider() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-identity-provider",
        "The tenant has no identity provider of its own",
    )
}

pub(crate) fn no_address() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no-address",
        "Tenants have no addresses of their own here",
    )
    .detail("The tenant's identity provider would have nowhere to lead back to. Ask the provider.")
}

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
    let title = "The Idempotency-Key belongs to another request";
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        title,
    )
    .detail("A request with this key asked for something else. Send a new key for a new client.")
}

pub(crate) fn client_not_made(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "client not made");
    passing("identity-unavailable", "Clients cannot be made right now")
        .detail("The same request with the same Idempotency-Key completes it.")
}

pub(crate) fn client_not_deleted(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "client not deleted");
    passing("identity-unavailable", "The client cannot be deleted right now")
        .detail("It is refused everywhere already. The same request completes the revocation, and so does time.")
}

pub(crate) fn provider_not_set(error: &IdentityError) -> Problem {
    if matches!(error, IdentityError::Refused { .. }) {
        tracing::info!(error = %error, "identity provider refused");
        return Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "provider-refused",
            "The identity provider is refused",
        )
        .detail("The user pool found no OpenID provider at the issuer's address.");
    }
    tracing::warn!(error = %error, "identity provider not changed");
    passing(
        "identity-unavailable",
        "The identity provider cannot be changed right now",
    )
    .detail("The same request completes it.")
}

pub(crate) fn admins_only() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "admins-only",
        "Only an administrator of the tenant may do this",
    )
}

pub(crate) fn suspended() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "tenant-suspended",
        "The tenant is suspended",
    )
    .detail("Nothing is lost. Ask the provider how the suspension ends.")
}

pub(crate) fn relocating() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "tenant-relocating",
        "The tenant is moving to another region",
    )
    .detail("Try again when the move is over.")
}

/// A tenant that is neither active nor about to be so elsewhere.
pub(crate) fn not_in_use(status: TenantStatus) -> Problem {
    match status {
        TenantStatus::Suspended => suspended(),
        TenantStatus::Relocating => relocating(),
        TenantStatus::Closing | TenantStatus::Closed => Problem::new(
            StatusCode::CONFLICT,
            "tenant-closing",
            "The tenant is closing or closed",
        )
        .detail("A closure can be undone until its grace period is over."),
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Active => Problem::new(
            StatusCode::CONFLICT,
            "tenant-not-ready",
            "The tenant does not take this now",
        ),
    }
}

/// A field of a request as a value, or the problem that says what it must be.
pub(crate) fn parse<T: FromStr<Err = Invalid>>(
    field: &'static str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|Invalid { rule, .. }| {
        invalid_fields(&[FieldProblem {
            field,
            reason: rule,
        }])
    })
}

pub(crate) fn invalid_fields(fields: &[FieldProblem]) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-fields",
        "Some fields are not as they must be",
    )
    .detail("Each field that must be something else is named, with what it must be.")
    .with("fields", fields)
}

pub(crate) fn unknown_plan() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "unknown-plan",
        "The catalogue has no such plan",
    )
}

pub(crate) fn wrong_code() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-code", "The code is wrong")
        .detail("Send the undo_code that came with the closure. It holds until the closure is undone or over.")
}

/// The closure cannot be undone, since there is none or it is over.
pub(crate) fn not_undone(status: TenantStatus) -> Problem {
    match status {
        TenantStatus::Closing | TenantStatus::Closed => Problem::new(
            StatusCode::CONFLICT,
            "grace-over",
            "The closure cannot be undone any more",
        ),
        _ => Problem::new(
            StatusCode::CONFLICT,
            "tenant-not-closing",
            "The tenant is not closing",
        ),
    }
}

pub(crate) fn too_many(wait_s: i64) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
    )
    .detail("Wait until the time in Retry-After has passed.")
    .header(RETRY_AFTER, HeaderValue::from(wait_s.max(1)))
}

pub(crate) fn subdomains_not_configured() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "subdomains-not-configured",
        "No subdomains are chosen here",
    )
    .detail("The provider has set no secret for them in this region.")
}

/// An operator has to change that: to try again does not help.
pub(crate) fn mail_not_configured() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "mail-not-configured",
        "Nobody can be invited here",
    )
    .detail("The provider has set no sender of mails in this region.")
}

pub(crate) fn mail_unavailable(error: &MailError, invitation: InvitationId) -> Problem {
    tracing::warn!(error = %error, "invitation not mailed");
    passing("mail-unavailable", "The mail could not be sent right now")
        .detail("The invitation is stored. Have it sent again: that mails another code.")
        .with("invitation", invitation)
}

pub(crate) fn account_not_deleted(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not deleted");
    passing("identity-unavailable", "Accounts cannot be deleted right now")
        .detail("The user may do no more than a member. The same request, sent again, completes the removal.")
}

pub(crate) fn pool_unavailable(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not looked at");
    passing(
        "identity-unavailable",
        "Accounts cannot be looked at right now",
    )
    .detail("Nothing was changed. The same request may be sent again.")
}

pub(crate) fn notice_not_sent(code: &str) -> Problem {
    tracing::warn!(
        code,
        "the people of a tenant are not told of a new administrator"
    );
    passing("notice-not-sent", "The people of the tenant cannot be told right now")
        .detail("Nothing is mailed to the new administrator before they are. The same request completes it.")
}

pub(crate) fn try_again() -> Problem {
    passing("try-again", "There is too much to do right now")
        .detail("The same request may be sent again.")
}

pub(crate) fn store(error: &TenantStoreError) -> Problem {
    match error {
        TenantStoreError::Refused(refusal) => refused(*refusal),
        TenantStoreError::UnknownTenant => unknown_tenant(),
        TenantStoreError::Busy { .. } => {
            tracing::warn!(error = %error, "busy");
            try_again()
        }
        error => Problem::internal(error),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotFromHere { status } => not_in_use(status),
        Refusal::UnknownPlan => unknown_plan(),
        Refusal::OtherPlanKind => {
            Problem::new(StatusCode::CONFLICT, "other-plan-kind", "The tenant cannot change to this plan by itself")
                .detail("It is in another currency, or needs resources that would have to move. Ask the provider.")
        }
        Refusal::LastAdmin => {
            Problem::new(StatusCode::CONFLICT, "last-admin", "The tenant's last administrator stays one")
                .detail("Make somebody else an administrator first, or close the tenant.")
        }
        Refusal::Full => Problem::new(StatusCode::CONFLICT, "tenant-full", "There is no room for more").detail(format!(
            "A tenant has at most {USERS_MAX} users and {INVITATIONS_MAX} open invitations, each of which is mailed at \
             most {SENDINGS_MAX} times."
        )),
        Refusal::AlreadyMember => {
            Problem::new(StatusCode::CONFLICT, "already-member", "The person is a user of the tenant")
        }
        Refusal::NoInvitation => unknown_invitation(),
        Refusal::WrongCode => wrong_code(),
        Refusal::NoClient => unknown_client(),
        Refusal::ClientEnds => {
            Problem::new(StatusCode::CONFLICT, "client-ends", "The client cannot be replaced")
                .detail("It is not made yet, or has a successor already.")
        }
        Refusal::TooManyClients => {
            Problem::new(StatusCode::CONFLICT, "too-many-clients", "The tenant has too many machine clients").detail(
                format!("It has at most {CLIENTS_MAX}, besides those that end within a day."),
            )
        }
        // Of sign-in by the tenant's own provider, which this API does not decide.
        Refusal::NotFederated | Refusal::Barred | Refusal::UnverifiedAddress => unknown_user(),
        Refusal::NothingToRetry => Problem::new(StatusCode::CONFLICT, "nothing-to-retry", "There is nothing to repeat"),
    }
}

/// A problem that passes by itself.
fn passing(slug: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, slug, title)
        .header(RETRY_AFTER, HeaderValue::from_static("2"))
}
