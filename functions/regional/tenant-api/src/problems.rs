//! The problems of this API. Another tenant and a tenant that does not exist get the same one.

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
    /// The problems of this API.
    pub(crate) enum ProblemKind {
        /// The request has neither a token nor a code.
        NoTokenAndNoCode = UNAUTHORIZED, "unauthorized",
            "A valid access token or the code is needed",
            "Send an access token as a bearer token, or else the undo_code that came with the \
             closure.";
        UnknownBearer = FORBIDDEN, "unknown-bearer",
            "The token's user is not a user of this region any more";
        /// The user is not an administrator.
        AdminsOnly = FORBIDDEN, "admins-only", "Only an administrator of the tenant may do this";
        TenantSuspended = FORBIDDEN, "tenant-suspended", "The tenant is suspended",
            "Nothing is lost. Ask the provider how the suspension ends.";
        /// The path names another tenant than the token, or no tenant of this region.
        UnknownTenant = NOT_FOUND, "unknown-tenant", "There is no such tenant",
            "A token is for one tenant, which it names in its claim tenant_id.";
        UnknownUser = NOT_FOUND, "unknown-user", "The tenant has no such user";
        UnknownInvitation = NOT_FOUND, "unknown-invitation",
            "The tenant has no such open invitation";
        UnknownClient = NOT_FOUND, "unknown-client", "The tenant has no such client";
        NoIdentityProvider = NOT_FOUND, "no-identity-provider",
            "The tenant has no identity provider of its own";
        TenantNotReady = CONFLICT, "tenant-not-ready", "The tenant is not ready for this";
        TenantClosing = CONFLICT, "tenant-closing", "The tenant is closing or closed",
            "A closure can be undone until its grace period is over.";
        TenantRelocating = CONFLICT, "tenant-relocating", "The tenant is moving to another region",
            "Try again when the move is over.";
        /// There is no closure to undo.
        TenantNotClosing = CONFLICT, "tenant-not-closing", "The tenant is not closing";
        GraceOver = CONFLICT, "grace-over", "The closure cannot be undone any more";
        /// The code is not the one of this tenant's closure.
        WrongCode = UNPROCESSABLE_ENTITY, "wrong-code", "The code is wrong",
            "Send the undo_code that came with the closure. It is valid until the closure is undone \
             or over.";
        LastAdmin = CONFLICT, "last-admin", "The tenant's last administrator cannot be removed",
            "Make somebody else an administrator first, or close the tenant.";
        /// The tenant has reached a limit, or the invitation was mailed too often.
        TenantFull = CONFLICT, "tenant-full", "There is no room for more";
        AlreadyMember = CONFLICT, "already-member", "The person is a user of the tenant";
        /// The provider has configured no sender of mails. Only an operator can change that, so a
        /// retry does not help.
        MailNotConfigured = CONFLICT, "mail-not-configured", "Nobody can be invited here",
            "The provider has configured no sender of mails in this region.";
        /// The invitation is stored, but not mailed; the member `invitation` has its id.
        MailUnavailable = SERVICE_UNAVAILABLE, "mail-unavailable",
            "The mail could not be sent right now",
            "The invitation is stored. Send it again: that mails another code.";
        /// The people of the tenant cannot be notified right now. Nothing is mailed to the new
        /// administrator; the same request completes it.
        NoticeNotSent = SERVICE_UNAVAILABLE, "notice-not-sent",
            "The people of the tenant cannot be notified right now",
            "The new administrator gets no mail before they are. The same request \
             completes it.";
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
            "An earlier request with this key was different. Send a new key for a new client.";
        /// The tenant has reached the limit.
        TooManyClients = CONFLICT, "too-many-clients", "The tenant has too many machine clients";
        /// The client is not created yet, or already has a successor.
        ClientEnds = CONFLICT, "client-ends", "The client cannot be replaced",
            "It is not created yet, or already has a successor.";
        /// Clients cannot be created right now; the same request completes it.
        ClientNotMade = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Clients cannot be created right now",
            "The same request with the same Idempotency-Key completes it.";
        /// The client's tokens are rejected already, but it is not deleted yet; the same request
        /// completes it.
        ClientNotDeleted = SERVICE_UNAVAILABLE, "identity-unavailable",
            "The client cannot be deleted right now",
            "Its tokens are rejected everywhere already. The same request completes the \
             revocation; otherwise it completes by itself.";
        /// The account cannot be deleted right now; the same request completes it.
        AccountNotDeleted = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be deleted right now",
            "The user has the role of a member now. Send the same request again to complete the \
             removal.";
        /// The user pool does not answer right now whether the token or an account is valid;
        /// nothing was changed.
        PoolUnavailable = SERVICE_UNAVAILABLE, "identity-unavailable",
            "Accounts cannot be checked right now",
            "Nothing was changed. Send the same request again.";
        /// The provider cannot be changed right now; the same request completes it.
        ProviderNotSet = SERVICE_UNAVAILABLE, "identity-unavailable",
            "The identity provider cannot be changed right now",
            "The same request completes it.";
        /// The user pool found no OpenID provider at the issuer's address.
        ProviderRefused = UNPROCESSABLE_ENTITY, "provider-refused",
            "The identity provider is refused",
            "The user pool found no OpenID provider at the issuer's address.";
        /// Tenants have no addresses of their own in this deployment.
        NoAddress = CONFLICT, "no-address", "Tenants have no addresses of their own here",
            "The tenant's identity provider would have nowhere to redirect to. Ask the provider.";
        /// The provider has configured no secret for custom subdomains in this region.
        SubdomainsNotConfigured = CONFLICT, "subdomains-not-configured",
        "Custom subdomains are not available here",
            "The provider has configured no secret for them in this region.";
        /// The catalogue has no such plan, or this release does not know the tenant's current plan.
        UnknownPlan = UNPROCESSABLE_ENTITY, "unknown-plan", "The catalogue has no such plan";
        OtherPlanKind = CONFLICT, "other-plan-kind",
            "The tenant cannot change to this plan by itself",
            "It is in another currency, or needs other resources. Ask the \
             provider.";
        /// The member `fields` names them.
        InvalidFields = UNPROCESSABLE_ENTITY, "invalid-fields",
            "Some fields are invalid",
            "Each invalid field is named, with what it must be.";
        /// The meter has no such windows, or its totals cannot be combined this way.
        NotAnswerable = UNPROCESSABLE_ENTITY, "not-answerable", "The meter cannot be totalled this way";
        /// The operation names the limit.
        TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests",
            "Wait until the time in Retry-After has passed.";
        TryAgain = SERVICE_UNAVAILABLE, "try-again", "There is too much to do right now",
            "Send the same request again.";
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

/// The problem of a tenant that is not in use.
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

/// Parses a field of a request, or returns the problem that names it.
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

/// The problem of a closure that cannot be undone: there is none, or it is over.
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
    tracing::warn!(error = %error, "account not checked");
    ProblemKind::PoolUnavailable.into()
}

pub(crate) fn notice_not_sent(code: &str) -> Problem {
    tracing::warn!(
        code,
        "the people of a tenant were not notified of a new administrator"
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
        // Refusals of a federated sign-in, which this API never decides.
        Refusal::NotFederated | Refusal::Barred | Refusal::UnverifiedAddress => {
            ProblemKind::UnknownUser
        }
        // Refusals of sign-ups, which this API never decides.
        Refusal::NothingToRetry => ProblemKind::TenantNotReady,
    };
    kind.into()
}
