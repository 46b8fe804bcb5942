//! Who may do what, decided in one place, and the trail of whom it was refused.

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

/// What a route does, who may do it, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission {
    /// What the trail calls it.
    pub(crate) action: AuditAction,
    /// The least role that it takes.
    pub(crate) role: Role,
    /// When in the tenant's life it can be done.
    pub(crate) during: LifecyclePhase,
}

/// When in a tenant's life something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifecyclePhase {
    /// As long as there is somebody to do it.
    Always,
    /// While the tenant is in use, and when it ends: it must not be suspended.
    UseAndEnd,
    /// As before, and while it is suspended too: an end must not wait for a payment.
    ToEnd,
    /// While the tenant is in use, a move to another region included.
    Use,
    /// While the tenant is in use and can change.
    Change,
}

/// An authenticated user, with the tenant that the user belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) username: Username,
    pub(crate) role: Role,
    pub(crate) tenant: Tenant,
    pub(crate) scope: TenantScope,
}

/// A refusal of an authenticated caller. The tenant's trail will tell of it.
#[derive(Debug)]
pub(crate) struct Refused(Problem);

/// The name of the problem that a response is.
#[derive(Debug, Clone, Copy)]
struct Slug(&'static str);

/// The ids of a path, where they are well formed.
#[derive(Debug, Default)]
struct Named {
    tenant: Option<TenantId>,
    subject: Option<Username>,
}

impl Permission {
    /// Whether the token has to hold at the pool as well, and not for its hour only: for all that
    /// changes something, and for all that only administrators may see.
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
        // What failed on our side was not refused.
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

/// Lets a request through to its route when its bearer may use it, and sees to it that every
/// refusal of an authenticated bearer, whoever utters it, is in the trail of the bearer's own
/// tenant.
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

/// The same for a route that can also be used without a token, and then asks for something else.
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

/// The bearer as a user of this region, as the region knows it now and not as the token once said.
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
    // What leads to the tenant is not what the tenant says: that is in its own partition.
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

/// Whether people of a tenant come by this client: the region's own, or the one for the tenant's
/// own provider.
pub(crate) fn is_for(client: &Client, tenant: &Tenant) -> bool {
    match client {
        Client::Named => true,
        Client::Other(id) => tenant
            .federation
            .as_ref()
            .is_some_and(|federation| federation.client_id == *id),
    }
}

/// Whether a token speaks for a membership: one that is confirmed, in the tenant that the token is
/// for. The account of who was invited is only made once the address is proved, so that its token
/// proves it too.
pub(crate) fn is_of(bearer: &Bearer, membership: &Membership) -> bool {
    let is_proved =
        membership.confirmed_at.is_some() || matches!(membership.origin, Origin::Invitation(_));
    is_proved
        && bearer
            .tenant_id
            .is_none_or(|tenant| tenant == membership.tenant)
}

/// Refuses somebody who is no user any more; the trail is that of the tenant that the token was
/// for.
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
    // Nothing is added to what is erased, or about to be.
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

/// Whether a user may do something to the tenant that the path names. Another tenant is as unknown
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

    /// What the trail of a tenant says was tried on: a user or an invitation, or else another
    /// tenant.
    fn target(&self, own: TenantId) -> Option<String> {
        let other = self.tenant.filter(|tenant| *tenant != own);
        match (self.tenant, other) {
            (Some(_), None) => self.subject.map(|subject| subject.to_string()),
            (_, other) => other.map(|tenant| tenant.to_string()),
        }
    }
}
