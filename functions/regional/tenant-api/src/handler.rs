//! The routes, each with who may use it and when.

use crate::access::{During, Right, guard, guard_bearer};
use crate::adapters::Adapters;
use crate::{closure, invitations, tenant, users};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post};
use kernel::Role::{Admin, Member};
use std::sync::Arc;
use tenancy::AuditAction;

const READ_TENANT: Right = Right { action: AuditAction::ReadTenant, role: Member, during: During::Always };
const CHANGE_PROFILE: Right = Right { action: AuditAction::ChangeProfile, role: Admin, during: During::Change };
const LIST_USERS: Right = Right { action: AuditAction::ListUsers, role: Admin, during: During::Use };
const CHANGE_ROLE: Right = Right { action: AuditAction::ChangeRole, role: Admin, during: During::Change };
/// Everybody may leave; to remove somebody else takes an administrator.
const REMOVE_USER: Right = Right { action: AuditAction::RemoveUser, role: Member, during: During::Change };
const LIST_INVITATIONS: Right = Right { action: AuditAction::ListInvitations, role: Admin, during: During::Use };
const INVITE: Right = Right { action: AuditAction::Invite, role: Admin, during: During::Change };
const RESEND: Right = Right { action: AuditAction::ResendInvitation, role: Admin, during: During::Change };
const WITHDRAW: Right = Right { action: AuditAction::WithdrawInvitation, role: Admin, during: During::Change };
const REQUEST_PLAN: Right = Right { action: AuditAction::RequestPlan, role: Admin, during: During::Change };
/// Asked for again, a closure gives another code.
const CLOSE: Right = Right { action: AuditAction::Close, role: Admin, during: During::ToEnd };
const UNDO_CLOSURE: Right = Right { action: AuditAction::UndoClosure, role: Admin, during: During::ToEnd };
const READ_AUDIT: Right = Right { action: AuditAction::ReadAudit, role: Admin, during: During::UseAndEnd };

/// The API.
pub(crate) fn router(adapters: Adapters) -> Router {
    let adapters = Arc::new(adapters);
    let to = |right: Right, route: MethodRouter<Arc<Adapters>>| {
        route.route_layer(from_fn_with_state((Arc::clone(&adapters), right), guard))
    };
    let undo = post(closure::undo).route_layer(from_fn_with_state((Arc::clone(&adapters), UNDO_CLOSURE), guard_bearer));
    Router::new()
        .route("/tenants/{tenant}", to(READ_TENANT, get(tenant::read)).merge(to(CHANGE_PROFILE, patch(tenant::change))))
        .route("/tenants/{tenant}/users", to(LIST_USERS, get(users::list)))
        .route(
            "/tenants/{tenant}/users/{user}",
            to(CHANGE_ROLE, patch(users::change)).merge(to(REMOVE_USER, delete(users::remove))),
        )
        .route(
            "/tenants/{tenant}/invitations",
            to(LIST_INVITATIONS, get(invitations::list)).merge(to(INVITE, post(invitations::invite))),
        )
        .route("/tenants/{tenant}/invitations/{invitation}", to(WITHDRAW, delete(invitations::withdraw)))
        .route("/tenants/{tenant}/invitations/{invitation}/resend", to(RESEND, post(invitations::resend)))
        .route("/tenants/{tenant}/plan-changes", to(REQUEST_PLAN, post(tenant::request_plan)))
        .route("/tenants/{tenant}/closure", to(CLOSE, post(closure::close)))
        .route("/tenants/{tenant}/closure/undo", undo)
        .route("/tenants/{tenant}/audit", to(READ_AUDIT, get(tenant::audit)))
        .with_state(adapters)
}
