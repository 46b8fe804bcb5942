//! The open invitations of a tenant. They are stored before they are mailed, so that every mailed
//! code is valid.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, TenantScope, fresh_mark, store};
use crate::paging::{self, Paging};
use crate::problems::{self, ProblemKind};
use crate::tenant::note_read;
#[cfg(test)]
use crate::tests::openapi::{OfInvitation, OfTenant, Page, refusals};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{InvitationId, Role, TenantId, Timestamp};
use mail::{Invited, Letter};
use runtime::http::{Body, Now, Problem, Source};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    Actor, Asker, AuditAction, EmailAddress, Invitation, InvitationCode, Invite, KeyDigest,
    OwedMail, Refusal, Tenant, Username, decide_invitation, decide_recount, decide_withdrawal,
};
use tenant_store::{Limit, LoadOptions, Taken, TenantStoreError};

/// The invitation mails of a tenant in an hour; operators have as many for it.
const MAILS_PER_HOUR_MAX: u64 = 200;
/// The mails of one invitation in a day, withdrawn invitations to the same address included;
/// operators have as many.
const MAILS_PER_ADDRESS_PER_DAY_MAX: u64 = 10;
/// The largest page that the store reads, so that a tenant's 200 invitations take few requests.
const PAGE_MAX: u8 = 100;

/// The person to invite, and the role.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct InviteRequest {
    /// The person's address, in ASCII.
    #[cfg_attr(test, schema(format = "email", max_length = 254))]
    email: String,
    /// The person's role after joining.
    role: Role,
}

/// An invitation as an administrator of its tenant sees it. Personal data.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Invitation))]
struct InvitationView<'a> {
    id: InvitationId,
    #[cfg_attr(test, schema(format = "email"))]
    email: &'a str,
    role: Role,
    /// The user who invited, or `operator` where the provider appoints an administrator.
    invited_by: Actor,
    created_at: Timestamp,
    /// Until when it can be accepted.
    valid_until: Timestamp,
    /// How often the tenant requested its mail. A mail to an address that has reached its limit is
    /// sent a little later.
    sendings: u32,
}

/// A page of invitations.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct InvitationList<'a> {
    invitations: Vec<InvitationView<'a>>,
    /// The cursor of the next page; absent on the last one.
    next_cursor: Option<String>,
}

impl<'a> From<&'a Invitation> for InvitationView<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email.expose(),
            role: invitation.role,
            invited_by: invitation.invited_by,
            created_at: invitation.created_at,
            valid_until: invitation.valid_until,
            sendings: invitation.sendings,
        }
    }
}

/// Lists the open invitations.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/invitations",
    operation_id = "listInvitations", tag = "Invitations", params(OfTenant, Page),
    security(("person" = [])),
    responses(
        (status = 200, description = "A page of invitations.", body = InvitationList<'static>)),
    extensions(("x-problems" = json!(refusals![Use; InvalidFields])))))]
pub(crate) async fn list(
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    Paging { cursor, limit }: Paging,
) -> Result<Response, Refused> {
    let page = caller
        .scope
        .reader()
        .list_invitations(caller.tenant.id, cursor.as_deref(), limit)
        .await
        .map_err(store)?;
    note_read(&caller, AuditAction::ListInvitations, now).await?;
    let invitations = page.entries.iter().map(InvitationView::from).collect();
    Ok(Json(InvitationList {
        invitations,
        next_cursor: paging::shown(page.next),
    })
    .into_response())
}

/// Invites a person.
///
/// For administrators. Mails a code, which `POST /invitations/acceptance` accepts. An address with
/// an open invitation gets another code, and the role of this request. Too many mails for the
/// tenant, or to this address, are refused.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/invitations", operation_id = "invite",
    tag = "Invitations", params(OfTenant), request_body = InviteRequest, security(("person" = [])),
    responses((status = 201, description = "The invitation.", body = InvitationView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; UnknownInvitation, MailNotConfigured,
        TenantFull, AlreadyMember, InvalidFields, TooManyRequests, MailUnavailable])))))]
pub(crate) async fn invite(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    source: Source,
    body: Result<Body<InviteRequest>, Problem>,
) -> Result<Response, Refused> {
    let Body(InviteRequest { email, role }) = body?;
    let email: EmailAddress = problems::parse("email", &email)?;
    let invitation = send(&adapters, &caller, &email, Some(role), &source, now).await?;
    Ok((StatusCode::CREATED, Json(InvitationView::from(&invitation))).into_response())
}

/// Mails another code.
///
/// For administrators. The earlier code becomes void. Too many mails for the tenant, or to this
/// address, are refused.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/invitations/{invitation}/resend",
    operation_id = "resendInvitation", tag = "Invitations", params(OfInvitation),
    security(("person" = [])),
    responses((status = 200, description = "The invitation.", body = InvitationView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; UnknownInvitation, MailNotConfigured,
        TenantFull, AlreadyMember, TooManyRequests, MailUnavailable])))))]
pub(crate) async fn resend(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, invitation)): Path<(String, String)>,
    Now(now): Now,
    source: Source,
) -> Result<Response, Refused> {
    let id = invitation
        .parse()
        .map_err(|_| ProblemKind::UnknownInvitation)?;
    let open = find(&caller.scope, &caller.tenant, id).await?;
    let invitation = send(&adapters, &caller, &open.email, None, &source, now).await?;
    Ok(Json(InvitationView::from(&invitation)).into_response())
}

/// Withdraws an invitation.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/invitations/{invitation}",
    operation_id = "withdrawInvitation", tag = "Invitations", params(OfInvitation),
    security(("person" = [])),
    responses((status = 204, description = "It is withdrawn.")),
    extensions(("x-problems" = json!(refusals![Change; UnknownInvitation])))))]
pub(crate) async fn withdraw(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, invitation)): Path<(String, String)>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let id = invitation
        .parse()
        .map_err(|_| ProblemKind::UnknownInvitation)?;
    let context = adapters.context(now);
    let options = LoadOptions {
        invitation: Some(id),
        ..LoadOptions::TENANT
    };
    let withdrawn = caller.scope.change(options, |loaded| {
        let open = loaded.invitation.as_ref().ok_or(Refusal::NoInvitation)?;
        Ok(Some(decide_withdrawal(
            &loaded.state,
            open,
            caller.username,
            &context,
        )))
    });
    withdrawn.await.map_err(store)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The inviter, and the tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inviting<'a> {
    pub(crate) scope: &'a TenantScope,
    pub(crate) tenant: &'a Tenant,
    pub(crate) by: Actor,
}

impl<'a> From<&'a Caller> for Inviting<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self {
            scope: &caller.scope,
            tenant: &caller.tenant,
            by: Actor::User(caller.username),
        }
    }
}

/// Stores an invitation with a fresh code, and mails the code. Where the address has reached its
/// limit, the mail stays owed and is sent later.
async fn send(
    adapters: &Adapters,
    caller: &Caller,
    email: &EmailAddress,
    role: Option<Role>,
    source: &Source,
    now: Timestamp,
) -> Result<Invitation, Problem> {
    let inviting = Inviting::from(caller);
    let owed = take_mail(
        adapters,
        &inviting,
        email,
        Asker::network(source.expose()),
        now,
    )
    .await?;
    let (invitation, code) = renew(adapters, &inviting, email, role, owed.as_ref(), now).await?;
    if owed.is_none() {
        mail(adapters, &inviting, &invitation, &code).await?;
    }
    Ok(invitation)
}

/// Counts one more code mail to an address. Returns an owed mail where the address has reached its
/// limit: others may have used it up, so the response must not disclose it. The tenant's own limits
/// are refused openly.
pub(crate) async fn take_mail(
    adapters: &Adapters,
    inviting: &Inviting<'_>,
    email: &EmailAddress,
    asker: Asker,
    now: Timestamp,
) -> Result<Option<OwedMail>, Problem> {
    if !adapters.mailer.can_send() {
        return Err(ProblemKind::MailNotConfigured.into());
    }
    limit(
        inviting,
        Username::of(&inviting.tenant.alias, email).invitation(),
        now,
    )
    .await?;
    Ok(
        match adapters
            .mails
            .take(email, &asker, &fresh_mark(), now)
            .await
            .map_err(store)?
        {
            Taken::Yes => None,
            Taken::NotBefore { wait_s } => Some(OwedMail::until(asker, now, wait_s)),
        },
    )
}

/// Stores an invitation with a fresh code, which nobody knows before it is mailed. Without a role,
/// the invitation has to be open, and keeps its role.
pub(crate) async fn renew(
    adapters: &Adapters,
    inviting: &Inviting<'_>,
    email: &EmailAddress,
    role: Option<Role>,
    owed: Option<&OwedMail>,
    now: Timestamp,
) -> Result<(Invitation, InvitationCode), Problem> {
    let id = Username::of(&inviting.tenant.alias, email).invitation();
    let random = runtime::random_bytes().map_err(|error| Problem::internal(&*error))?;
    let code = InvitationCode::from_random(id, random);
    let mut recorded = record(adapters, inviting, email, role, &code, owed, now).await;
    if matches!(recorded, Err(TenantStoreError::Refused(Refusal::Full))) {
        recount(inviting.scope, inviting.tenant).await?;
        recorded = record(adapters, inviting, email, role, &code, owed, now).await;
    }
    recorded.map_err(store)?;
    Ok((find(inviting.scope, inviting.tenant, id).await?, code))
}

/// Mails the code of an invitation.
pub(crate) async fn mail(
    adapters: &Adapters,
    inviting: &Inviting<'_>,
    invitation: &Invitation,
    code: &InvitationCode,
) -> Result<(), Problem> {
    let tenant = inviting.tenant;
    let organisation = inviting
        .scope
        .reader()
        .load_organisation(tenant.id)
        .await
        .map_err(store)?;
    let organisation = organisation.ok_or(ProblemKind::UnknownTenant)?;
    let invited = Invited {
        organisation: &organisation,
        alias: &tenant.alias,
        addresses: &adapters.addresses,
        role: invitation.role,
        code,
        valid_until: invitation.valid_until,
    };
    let letter = Letter::invitation(&invited, tenant.language);
    let sent = adapters.mailer.send(&invitation.email, &letter).await;
    sent.map_err(|error| problems::mail_unavailable(&error, invitation.id))
}

/// The limits of code mails. An operator has counts apart from the tenant's: a malicious
/// administrator could otherwise use up the mails with which the operator appoints another one.
pub(crate) fn mail_limits(by: Actor, tenant: TenantId, id: InvitationId) -> [Limit; 2] {
    let (of_tenant, of_address) = match by {
        Actor::Operator => (
            "operators' mails to a tenant",
            "operators' mails of an invitation",
        ),
        _ => ("mails of a tenant", "mails of an invitation"),
    };
    [
        Limit::hourly(
            KeyDigest::of(of_tenant, &tenant.to_string()),
            MAILS_PER_HOUR_MAX,
        ),
        Limit::daily(
            KeyDigest::of(of_address, &id.to_string()),
            MAILS_PER_ADDRESS_PER_DAY_MAX,
        ),
    ]
}

async fn limit(inviting: &Inviting<'_>, id: InvitationId, now: Timestamp) -> Result<(), Problem> {
    let request = fresh_mark();
    for limit in mail_limits(inviting.by, inviting.tenant.id, id) {
        inviting.scope.limit(&limit, &request, now).await?;
    }
    Ok(())
}

async fn record(
    adapters: &Adapters,
    inviting: &Inviting<'_>,
    email: &EmailAddress,
    role: Option<Role>,
    code: &InvitationCode,
    owed: Option<&OwedMail>,
    now: Timestamp,
) -> Result<(), TenantStoreError> {
    let context = adapters.context(now);
    let id = code.invitation();
    let options = LoadOptions {
        user: Some(Username::of_invitation(id)),
        invitation: Some(id),
        ..LoadOptions::TENANT
    };
    let recorded = inviting.scope.change(options, |loaded| {
        let open = loaded.invitation.as_ref();
        let role = role
            .or(open.map(|open| open.role))
            .ok_or(Refusal::NoInvitation)?;
        let invite = Invite {
            email,
            role,
            code,
            by: inviting.by,
            owed: owed.cloned(),
        };
        decide_invitation(
            &loaded.state,
            &invite,
            open,
            loaded.user.is_some(),
            &context,
        )
        .map(Some)
    });
    recorded.await.map(|_| ())
}

/// Corrects the tenant's count of open invitations: expired ones leave the table by DynamoDB's
/// expiry, which does not update the count.
async fn recount(scope: &TenantScope, tenant: &Tenant) -> Result<(), Problem> {
    let (reader, tenant) = (scope.reader(), tenant.id);
    let generation = reader
        .load_tenant(tenant)
        .await
        .map_err(store)?
        .map(|tenant| tenant.generation);
    let (mut open, mut cursor) = (0, None);
    loop {
        let page = reader
            .list_invitations(tenant, cursor.as_deref(), PAGE_MAX)
            .await
            .map_err(store)?;
        open += page.entries.len() as u64;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let counted = scope.change(LoadOptions::TENANT, |loaded| {
        let unchanged = Some(loaded.state.tenant.generation) == generation;
        Ok(unchanged
            .then(|| decide_recount(&loaded.state, open))
            .flatten())
    });
    counted.await.map(|_| ()).map_err(store)
}

/// Finds an open invitation to this tenant. Another tenant's is as unknown as one that does not
/// exist.
async fn find(
    scope: &TenantScope,
    tenant: &Tenant,
    id: InvitationId,
) -> Result<Invitation, Problem> {
    let invitation = scope
        .reader()
        .load_invitation_to(tenant.id, id)
        .await
        .map_err(store)?;
    invitation.ok_or_else(|| ProblemKind::UnknownInvitation.into())
}
