//! The refusals of this API. None of them says more of another tenant than of one that does not
//! exist.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use identity::IdentityError;
use kernel::{Invalid, InvitationId, TenantStatus};
use mail::MailError;
use runtime::http::Problem;
use std::str::FromStr;
use tenancy::{CLIENTS_MAX, FieldProblem, INVITATIONS_MAX, Refusal, SENDINGS_MAX, USERS_MAX};
use tenant_store::TenantStoreError;

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// There is neither a token nor a code.
        NoTokenAndNoCode = UNAUTHORIZED, "unauthorized",
            "A valid access token or the code is needed",
            "Send an access token as a bearer token, or else the undo_code that came with the \
             closure.";
        UnknownBearer = FORBIDDEN, "unknown-bearer",
            "The token's user is not a user of this region any more";
        /// The user is no administrator.
        AdminsOnly = FORBIDDEN, "admins-only", "Only an administrator of the tenant may do this";
        TenantSuspended = FORBIDDEN, "tenant-suspended", "The tenant is suspended",
            "Nothing is lost. Ask the provider how the suspension ends.";
        /// It is not the tenant of the token, or not one of this region.
        UnknownTenant = NOT_FOUND, "unknown-tenant", "There is no such tenant",
            "A token is for one tenant, which it names in its claim tenant_id.";
        UnknownUser = NOT_FOUND, "unknown-user", "The tenant has no such user";
        UnknownInvitation = NOT_FOUND, "unknown-invitation",
            "The tenant has no such open invitation";
        UnknownClient = NOT_FOUND, "unknown-client", "The tenant has no such client";
        NoIdentityProvider = NOT_FOUND, "no-identity-provider",
            "The tenant has no identity provider of its own";
        TenantNotReady = CONFLICT, "tenant-not-ready", "The tenant does not take this now";
        TenantClosing = CONFLICT, "tenant-closing", "The tenant is closing or closed",
            "A closure can be undone until its grace period is over.";
        TenantRelocating = CONFLICT, "tenant-relocating", "The tenant is moving to another region",
            "Try again when the move is over.";
        /// There is nothing to undo.
        TenantNotClosing = CONFLICT, "tenant-not-closing", "The tenant is not closing";
        GraceOver = CONFLICT, "grace-over", "The closure cannot be undone any more";
        /// It is not the code of a closure of this tenant.
        WrongCode = UNPROCESSABLE_ENTITY, "wrong-code", "The code is wrong",
            "Send the undo_code that came with the closure. It holds until the closure is undone \
             or over.";
        LastAdmin = CONFLICT, "last-admin", "The tenant's last administrator stays one",
            "Make somebody else an administrator first, or close the tenant.";
        /// There is no room for more, or it was mailed too often.
        TenantFull = CONFLICT, "tenant-full", "There is no room for more";
        AlreadyMember = CONFLICT, "already-member", "The person is a user of the tenant";
        /// The provider has set no sender of mails. An operator has to change that: to try again
        /// does not help.
        MailNotConfigured = CONFLICT, "mail-not-configured", "Nobody can be invited here",
            "The provider has set no sender of mails in this region.";
        /// The invitation is stored, as the member `invitation` says, and was not mailed.
        MailUnavailable = SERVICE_UNAVAILABLE, "mail-unavailable",
            "The mail could not be sent right now",
            "The invitation is stored. Have it sent again: that mails another code.";
        /// The people of the tenant cannot be told right now; nothing is mailed to the new
        /// administrator, and the same request completes it.
        NoticeNotSent = SERVICE_UNAVAILABLE, "notice-not-sent",
            "The people of the tenant cannot be told right now",
            "Nothing is mailed to the new administrator before they are. The same request \
             completes it.";
        /// The header is not there.
        KeyMissing = BAD_REQUEST, "idempotency-key-missing",
            "The Idempotency-Key header is missing",
            "Send a random UUID, and the same one when you repeat the request.";
        /// It is not 16 to 128 visible ASCII characters.
        KeyMalformed = BAD_REQUEST, "idempotency-key-malformed",
            "The Idempotency-Key header is malformed",
            "It has 16 to 128 visible ASCII characters, such as a random UUID.";
        /// The key belongs to another request.
        KeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused",
            "The Idempotency-Key belongs to another request",
            "A request with this key asked for something else. Send a new key for a new client.";
        /// It has as many as it can have.
        TooManyClients = CONFLICT, "too-many-clients", "The tenant has too many machine clients";
        /// The client is not made yet, or has a successor already.
        ClientEnds = CONFLICT, "client-ends", "The client cannot be replaced",
            "It is not made yet, or has a successor already.";
        /// Clients cannot be made right now; the same request completes it.
        ClientNotMade = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Clients cannot be made right now",
            "The same request with the same Idempotency-Key completes it.";
        /// It is refused already, and not deleted yet; the same request completes it.
        ClientNotDeleted = SERVICE_UNAVAILABLE, "identity-unavailable",
            "The client cannot be deleted right now",
            "It is refused everywhere already. The same request completes the revocation, and so \
             does time.";
        /// The account cannot be deleted right now; the same request completes it.
        AccountNotDeleted = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be deleted right now",
            "The user may do no more than a member. The same request, sent again, completes the \
             removal.";
        /// The user pool does not say right now whether the token, or an account, still holds;
        /// nothing was changed.
        PoolUnavailable = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be looked at right now",
            "Nothing was changed. The same request may be sent again.";
        /// The provider cannot be changed right now; the same request completes it.
        ProviderNotSet = SERVICE_UNAVAILABLE, "identity-unavailable",
            "The identity provider cannot be changed right now",
            "The same request completes it.";
        /// The user pool found no OpenID provider there.
        ProviderRefused = UNPROCESSABLE_ENTITY, "provider-refused",
            "The identity provider is refused",
            "The user pool found no OpenID provider at the issuer's address.";
        /// Tenants have no address of their own here.
        NoAddress = CONFLICT, "no-address", "Tenants have no addresses of their own here",
            "The tenant's identity provider would have nowhere to lead back to. Ask the provider.";
        /// The provider has none chosen in this region.
        SubdomainsNotConfigured = CONFLICT, "subdomains-not-configured", "No subdomains are chosen here",
            "The provider has set no secret for them in this region.";
        /// The catalogue has no such plan, or the tenant's plan is not of this release.
        UnknownPlan = UNPROCESSABLE_ENTITY, "unknown-plan", "The catalogue has no such plan";
        OtherPlanKind = CONFLICT, "other-plan-kind",
            "The tenant cannot change to this plan by itself",
            "It is in another currency, or needs resources that would have to move. Ask the \
             provider.";
        /// The member `fields` says which.
        InvalidFields = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are not as they must be",
            "Each field that must be something else is named, with what it must be.";
        /// The meter has no such windows, or its totals do not add up so.
        NotAnswerable = UNPROCESSABLE_ENTITY, "not-answerable", "The meter cannot be totalled so";
        /// The operation says of what.
        TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests",
            "Wait until the time in Retry-After has passed.";
        TryAgain = SERVICE_UNAVAILABLE, "try-again", "There is too much to do right now",
            "The same request may be sent again.";
    }
}

pub(crate) fn client_not_made(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "client not made");
    ProblemKind::ClientNotMade.into()
}

pub(crate) fn client_not_deleted(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "client not deleted");
    ProblemKind::ClientNotDeleted.into()
}

pub(crate) fn provider_not_set(error: &IdentityError) -> Problem {
    if matches!(error, IdentityError::Refused { .. }) {
        tracing::info!(error = %error, "identity provider refused");
        return ProblemKind::ProviderRefused.into();
    }
    tracing::warn!(error = %error, "identity provider not changed");
    ProblemKind::ProviderNotSet.into()
}

/// Why a tenant that is neither active nor about to be so elsewhere does not take something.
pub(crate) fn not_in_use(status: TenantStatus) -> ProblemKind {
    match status {
        TenantStatus::Suspended => ProblemKind::TenantSuspended,
        TenantStatus::Relocating => ProblemKind::TenantRelocating,
        TenantStatus::Closing | TenantStatus::Closed => ProblemKind::TenantClosing,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Active => {
            ProblemKind::TenantNotReady
        }
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
    Problem::new(ProblemKind::InvalidFields).with("fields", fields)
}

/// Why a closure cannot be undone: there is none, or it is over.
pub(crate) fn not_undone(status: TenantStatus) -> ProblemKind {
    match status {
        TenantStatus::Closing | TenantStatus::Closed => ProblemKind::GraceOver,
        _ => ProblemKind::TenantNotClosing,
    }
}

pub(crate) fn too_many(wait_s: i64) -> Problem {
    Problem::new(ProblemKind::TooManyRequests).header(RETRY_AFTER, HeaderValue::from(wait_s.max(1)))
}

pub(crate) fn mail_unavailable(error: &MailError, invitation: InvitationId) -> Problem {
    tracing::warn!(error = %error, "invitation not mailed");
    Problem::new(ProblemKind::MailUnavailable).with("invitation", invitation)
}

pub(crate) fn account_not_deleted(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not deleted");
    ProblemKind::AccountNotDeleted.into()
}

pub(crate) fn pool_unavailable(error: &IdentityError) -> Problem {
    tracing::warn!(error = %error, "account not looked at");
    ProblemKind::PoolUnavailable.into()
}

pub(crate) fn notice_not_sent(code: &str) -> Problem {
    tracing::warn!(
        code,
        "the people of a tenant are not told of a new administrator"
    );
    ProblemKind::NoticeNotSent.into()
}

pub(crate) fn store(error: &TenantStoreError) -> Problem {
    match error {
        TenantStoreError::Refused(refusal) => refused(*refusal),
        TenantStoreError::UnknownTenant => ProblemKind::UnknownTenant.into(),
        TenantStoreError::Busy { .. } => {
            tracing::warn!(error = %error, "busy");
            ProblemKind::TryAgain.into()
        }
        error => Problem::internal(error),
    }
}

fn refused(refusal: Refusal) -> Problem {
    let kind = match refusal {
        Refusal::NotFromHere { status } => not_in_use(status),
        Refusal::UnknownPlan => ProblemKind::UnknownPlan,
        Refusal::OtherPlanKind => ProblemKind::OtherPlanKind,
        Refusal::LastAdmin => ProblemKind::LastAdmin,
        Refusal::Full => {
            return Problem::new(ProblemKind::TenantFull).detail(format!(
                "A tenant has at most {USERS_MAX} users and {INVITATIONS_MAX} open invitations, \
                 each of which is mailed at most {SENDINGS_MAX} times."
            ));
        }
        Refusal::AlreadyMember => ProblemKind::AlreadyMember,
        Refusal::NoInvitation => ProblemKind::UnknownInvitation,
        Refusal::WrongCode => ProblemKind::WrongCode,
        Refusal::NoClient => ProblemKind::UnknownClient,
        Refusal::ClientEnds => ProblemKind::ClientEnds,
        Refusal::TooManyClients => {
            return Problem::new(ProblemKind::TooManyClients).detail(format!(
                "It has at most {CLIENTS_MAX}, besides those that end within a day."
            ));
        }
        // Of sign-in by the tenant's own provider, which this API does not decide.
        Refusal::NotFederated | Refusal::Barred | Refusal::UnverifiedAddress => {
            ProblemKind::UnknownUser
        }
        // Of sign-ups, which this API does not decide either.
        Refusal::NothingToRetry => ProblemKind::TenantNotReady,
    };
    kind.into()
}
