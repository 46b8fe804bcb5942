//! The authorization of every route, in one place, and the audit trail of its refusals.

use crate::accounts::require_session;
use crate::adapters::{Adapters, AuditNote, TenantScope, store};
use crate::problems::{self, ProblemKind};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kernel::{Role, TenantId, TenantStatus, Timestamp};
use runtime::http::{Client, Holder, Now, Problem, bearer_token, invalid_token};
use std::sync::Arc;
use tenancy::{Actor, AuditAction, Bearer, Origin, Tenant, Username};
use tenant_store::Membership;

/// The action of a route, with the role and lifecycle phase that it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission {
    /// The action's name in the audit trail.
    pub(crate) action: AuditAction,
    /// The least role that is allowed.
    pub(crate) role: Role,
    /// The phase of the tenant's life in which it is allowed.
    pub(crate) during: LifecyclePhase,
}

/// The phases of a tenant's life in which an action is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifecyclePhase {
    /// In every status.
    Always,
    /// While the tenant is active, moving, closing or closed; not while it is suspended.
    UseAndEnd,
    /// In all of these and while it is suspended: ending must not wait for a payment.
    ToEnd,
    /// While the tenant is active, or moving to another region.
    Use,
    /// While the tenant is active and not moving.
    Change,
}

/// An authenticated user, and the user's tenant.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) username: Username,
    pub(crate) role: Role,
    pub(crate) tenant: Tenant,
    pub(crate) scope: TenantScope,
}

/// A refusal of an authenticated caller. It is recorded in the tenant's audit trail.
#[derive(Debug)]
pub(crate) struct Refused(Problem);

/// The problem's slug, as an extension of the response.
#[derive(Debug, Clone, Copy)]
struct Slug(&'static str);

/// The ids in a path, if they are well formed.
#[derive(Debug, Default)]
struct Named {
    tenant: Option<TenantId>,
    subject: Option<Username>,
}

impl Permission {
    /// Whether the pool has to confirm that the token's session still exists: for every change, and
    /// for all that only administrators may read. The token alone stays valid for its hour.
    fn takes_session(self, method: &Method) -> bool {
        self.role == Role::Admin || method != Method::GET
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ProblemKind> for Refused {
    fn from(kind: ProblemKind) -> Self {
        Self(kind.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        // A failure on our side is not a refusal.
        let slug = problem
            .status()
            .is_client_error()
            .then(|| Slug(problem.slug()));
        let mut response = problem.into_response();
        if let Some(slug) = slug {
            response.extensions_mut().insert(slug);
        }
        response
    }
}

/// Authorizes a request for its route. Every refusal of an authenticated caller, by this guard or
/// by the handler, is recorded in the audit trail of the caller's own tenant.
pub(crate) async fn guard(
    State((adapters, permission)): State<(Arc<Adapters>, Permission)>,
    Now(now): Now,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let named = path.map(|path| Named::of(&path)).unwrap_or_default();
    let Holder::Person(client, bearer) = adapters
        .tokens
        .verify_holder(request.headers(), now)
        .await?
    else {
        return Err(invalid_token());
    };
    let Some(caller) = identify(&adapters, &client, &bearer, now).await? else {
        return reject(&adapters, &bearer, permission, now).await;
    };
    let authorized = match authorize(caller.role, &caller.tenant, named.tenant, permission) {
        Ok(()) if permission.takes_session(request.method()) => {
            let token = bearer_token(request.headers()).ok_or_else(invalid_token)?;
            require_session(&adapters, &client, &caller, token).await
        }
        authorized => authorized,
    };
    let response = match authorized {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(problem) => Refused(problem).into_response(),
    };
    tracing::info!(tenant = %caller.tenant.id, action = ?permission.action, status = response.status().as_u16(), "answered");
    if let Some(Slug(slug)) = response.extensions().get() {
        let (actor, action) = (Actor::User(caller.username), permission.action);
        let note = AuditNote {
            actor,
            action,
            target: named.target(caller.tenant.id),
            refused: Some(slug),
        };
        caller.scope.note(note, now).await?;
    }
    Ok(response)
}

/// As [`guard`], for a route that also works without a token; the handler then demands another
/// proof.
pub(crate) async fn guard_bearer(
    state: State<(Arc<Adapters>, Permission)>,
    now: Now,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.headers().contains_key(AUTHORIZATION) {
        guard(state, now, path, request, next).await
    } else {
        Ok(next.run(request).await)
    }
}

/// Identifies the bearer as a user of this region. The stored role counts, not the one in the
/// token.
pub(crate) async fn identify(
    adapters: &Adapters,
    client: &Client,
    bearer: &Bearer,
    now: Timestamp,
) -> Result<Option<Caller>, Problem> {
    let membership = adapters
        .own
        .reader()
        .load_membership(bearer.username)
        .await
        .map_err(store)?;
    let Some(membership) = membership.filter(|membership| is_of(bearer, membership)) else {
        return Ok(None);
    };
    let scope = adapters.scope(membership.tenant, now).await?;
    // The membership item is outside the tenant's partition. Only the tenant's own record of the
    // user counts.
    let found = scope
        .reader()
        .load_with_member(membership.tenant, bearer.username)
        .await
        .map_err(store)?;
    let Some((tenant, member)) = found.filter(|(_, member)| is_of(bearer, member)) else {
        return Ok(None);
    };
    if !is_for(client, &tenant) {
        return Err(invalid_token());
    }
    Ok(Some(Caller {
        username: bearer.username,
        role: member.role,
        tenant,
        scope,
    }))
}

/// Whether a tenant's people sign in through this client: the region's own, or the one of the
/// tenant's own identity provider.
pub(crate) fn is_for(client: &Client, tenant: &Tenant) -> bool {
    match client {
        Client::Named => true,
        Client::Other(id) => tenant
            .federation
            .as_ref()
            .is_some_and(|federation| federation.client_id == *id),
    }
}

/// Whether a token is valid for a membership: one that is confirmed, in the tenant that the token
/// names. An invited person's account is created only after the address is proved, so an
/// invitation's token proves it too.
pub(crate) fn is_of(bearer: &Bearer, membership: &Membership) -> bool {
    let is_proved =
        membership.confirmed_at.is_some() || matches!(membership.origin, Origin::Invitation(_));
    is_proved
        && bearer
            .tenant_id
            .is_none_or(|tenant| tenant == membership.tenant)
}

/// Refuses a former user. The refusal is recorded in the audit trail of the tenant that the token
/// names.
pub(crate) async fn reject(
    adapters: &Adapters,
    bearer: &Bearer,
    permission: Permission,
    now: Timestamp,
) -> Result<Response, Problem> {
    let problem = Problem::new(ProblemKind::UnknownBearer);
    let Some(tenant) = bearer.tenant_id else {
        return Err(problem);
    };
    let scope = adapters.scope(tenant, now).await?;
    // A closed tenant is erased, or about to be: nothing is added to it.
    if scope
        .load_tenant()
        .await?
        .is_some_and(|tenant| tenant.status != TenantStatus::Closed)
    {
        let (actor, action) = (Actor::User(bearer.username), permission.action);
        let note = AuditNote {
            actor,
            action,
            target: None,
            refused: Some(problem.slug()),
        };
        scope.note(note, now).await?;
    }
    Err(problem)
}

/// Whether a role allows an action on the tenant that the path names. Another tenant is as unknown
/// as one that does not exist.
pub(crate) fn authorize(
    role: Role,
    tenant: &Tenant,
    named: Option<TenantId>,
    permission: Permission,
) -> Result<(), Problem> {
    if named != Some(tenant.id) {
        return Err(ProblemKind::UnknownTenant.into());
    }
    permission.during.includes(tenant)?;
    if permission.role == Role::Admin && role != Role::Admin {
        return Err(ProblemKind::AdminsOnly.into());
    }
    Ok(())
}

impl LifecyclePhase {
    fn includes(self, tenant: &Tenant) -> Result<(), Problem> {
        use TenantStatus::{Active, Closed, Closing, Pending, Provisioning, Relocating, Suspended};
        if self == Self::Always {
            return Ok(());
        }
        let may_end = self == Self::ToEnd;
        match tenant.status {
            Active | Suspended | Closing | Closed if may_end => Ok(()),
            Active | Relocating if tenant.policy.suspension.is_some() => {
                Err(ProblemKind::TenantSuspended.into())
            }
            Active => Ok(()),
            Relocating if self == Self::Change => Err(ProblemKind::TenantRelocating.into()),
            Relocating => Ok(()),
            Closing | Closed if self == Self::UseAndEnd => Ok(()),
            status @ (Suspended | Closing | Closed | Pending | Provisioning) => {
                Err(problems::not_in_use(status).into())
            }
        }
    }
}

impl Named {
    fn of(path: &RawPathParams) -> Self {
        let mut named = Self::default();
        for (name, text) in path {
            match name {
                "tenant" => named.tenant = text.parse().ok(),
                _ => named.subject = text.parse().ok(),
            }
        }
        named
    }

    /// The target in the audit trail: a user or an invitation, or else another tenant.
    fn target(&self, own: TenantId) -> Option<String> {
        let other = self.tenant.filter(|tenant| *tenant != own);
        match (self.tenant, other) {
            (Some(_), None) => self.subject.map(|subject| subject.to_string()),
            (_, other) => other.map(|tenant| tenant.to_string()),
        }
    }
}
