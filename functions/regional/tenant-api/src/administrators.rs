//! Appointment of a tenant's administrator by an operator of the provider: the way back for a
//! tenant whose own administrators cannot sign in any more.
//!
//! The person's address is personal data, so the request goes to the tenant's region only, with a
//! credential of that region.

use crate::accounts::remove_lost;
use crate::adapters::{Adapters, TenantScope, store};
use crate::invitations::{Inviting, mail, renew, take_mail};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::OfTenant;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::{InvitationId, Role, TenantId, TenantStatus, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{Actor, Asker, EmailAddress, Tenant, User, Username, decide_role};
use tenant_store::LoadOptions;
#[cfg(test)]
use testkit::problems;

/// The scope that an operator's token needs.
pub(crate) const SCOPE: &str = "tenant/administrators.write";

/// The new administrator of the tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct NewAdministrator {
    /// The person's address, in ASCII.
    #[cfg_attr(test, schema(format = "email", max_length = 254, write_only))]
    email: String,
}

/// The result. Names nobody.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
enum Appointment {
    /// The person is invited, and becomes an administrator with the code that was mailed.
    Invited {
        invitation: InvitationId,
        /// Until when it can be accepted.
        valid_until: Timestamp,
    },
    /// The person was a user of the tenant, and is an administrator from now on.
    Appointed { user: Username },
}

/// Gives a tenant a new administrator.
///
/// For operators of the provider, with the region's own client for this. A user of the tenant
/// becomes an administrator; anybody else is invited by mail. The appointment is recorded in the
/// tenant's audit trail, and all people of the tenant are notified by mail. A suspended tenant can
/// get a new administrator; a closing or closed one cannot. Too many mails to the tenant, or to
/// this address, are refused; mails that the tenant itself requested do not count.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/administrators",
    operation_id = "giveAdministrator", tag = "Tenant", params(OfTenant),
    request_body = NewAdministrator, security(("machine" = [SCOPE])),
    responses((status = 200, description = "The person is an administrator.", body = Appointment),
        (status = 201, description = "The person is invited.", body = Appointment)),
    extensions(("x-problems" = json!(problems![UnknownTenant, TenantNotReady, TenantClosing,
        TenantRelocating, MailNotConfigured, AlreadyMember, InvalidFields, TooManyRequests,
        TryAgain, PoolUnavailable, MailUnavailable, NoticeNotSent])))))]
pub(crate) async fn give(
    State(adapters): State<Arc<Adapters>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Now(now): Now,
    Body(NewAdministrator { email }): Body<NewAdministrator>,
) -> Result<Response, Problem> {
    // The notice to all people of the tenant is queued before anybody can become an administrator
    // with the mail. A repeated request invites the same person once, with another code.
    adapters.operators.verify(&headers, SCOPE, now).await?;
    let tenant: TenantId = tenant.parse().map_err(|_| ProblemKind::UnknownTenant)?;
    let email: EmailAddress = problems::parse("email", &email)?;
    let scope = adapters.scope(tenant, now).await?;
    let tenant = scope
        .load_tenant()
        .await?
        .ok_or(ProblemKind::UnknownTenant)?;
    if !matches!(
        tenant.status,
        TenantStatus::Active | TenantStatus::Suspended
    ) {
        return Err(problems::not_in_use(tenant.status).into());
    }
    if !adapters.mailer.can_send() {
        return Err(ProblemKind::MailNotConfigured.into());
    }
    let username = Username::of(&tenant.alias, &email);
    match member(&adapters, &scope, &tenant, username, now).await? {
        Some(user) => appoint(&adapters, &scope, &tenant, &user, now).await,
        None => invite(&adapters, &scope, &tenant, &email, now).await,
    }
}

/// The user with this address, if the user's account exists.
async fn member(
    adapters: &Adapters,
    scope: &TenantScope,
    tenant: &Tenant,
    username: Username,
    now: Timestamp,
) -> Result<Option<User>, Problem> {
    let known = scope
        .reader()
        .load_user_of(tenant.id, username)
        .await
        .map_err(store)?;
    let is_lost = remove_lost(adapters, scope, tenant, known.as_slice(), now).await?;
    Ok(known.filter(|_| !is_lost))
}

async fn appoint(
    adapters: &Adapters,
    scope: &TenantScope,
    tenant: &Tenant,
    user: &User,
    now: Timestamp,
) -> Result<Response, Problem> {
    let context = adapters.context(now);
    let options = LoadOptions {
        user: Some(user.username),
        ..LoadOptions::TENANT
    };
    let changed = scope.change(options, |loaded| {
        let user = loaded.user.as_ref();
        user.map_or(Ok(None), |user| {
            decide_role(&loaded.state, user, Role::Admin, Actor::Operator, &context)
        })
    });
    changed.await.map_err(store)?;
    adapters.notices.notify_all(scope, tenant.id).await?;
    tracing::warn!(tenant = %tenant.id, "an operator made a user an administrator");
    Ok(Json(Appointment::Appointed {
        user: user.username,
    })
    .into_response())
}

async fn invite(
    adapters: &Adapters,
    scope: &TenantScope,
    tenant: &Tenant,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<Response, Problem> {
    let inviting = Inviting {
        scope,
        tenant,
        by: Actor::Operator,
    };
    let owed = take_mail(adapters, &inviting, email, Asker::operator(), now).await?;
    if owed.is_some() {
        // A code that was mailed before makes the person an administrator as soon as this is
        // stored, and the owed mail is sent later without this function. So the notice comes first.
        adapters.notices.notify_all(scope, tenant.id).await?;
    }
    let (invitation, code) = renew(
        adapters,
        &inviting,
        email,
        Some(Role::Admin),
        owed.as_ref(),
        now,
    )
    .await?;
    if owed.is_none() {
        // Nobody knows the code yet, so the notice may follow the invitation, but not its mail.
        adapters.notices.notify_all(scope, tenant.id).await?;
        mail(adapters, &inviting, &invitation, &code).await?;
    }
    tracing::warn!(tenant = %tenant.id, "an operator invited an administrator");
    let invited = Appointment::Invited {
        invitation: invitation.id,
        valid_until: invitation.valid_until,
    };
    Ok((StatusCode::CREATED, Json(invited)).into_response())
}
