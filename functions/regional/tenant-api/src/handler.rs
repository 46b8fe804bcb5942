//! The routes, each with who may use it and when.

use crate::access::{During, Right, guard, guard_bearer};
use crate::adapters::Adapters;
use crate::{
    administrators, clients, closure, entitlements, federation, invitations, levels, tenant, usage,
    users, vanity,
};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use kernel::Role::{Admin, Member};
use std::sync::Arc;
use tenancy::AuditAction;

const READ_TENANT: Right = Right {
    action: AuditAction::ReadTenant,
    role: Member,
    during: During::Always,
};
const CHANGE_PROFILE: Right = Right {
    action: AuditAction::ChangeProfile,
    role: Admin,
    during: During::Change,
};
const LIST_USERS: Right = Right {
    action: AuditAction::ListUsers,
    role: Admin,
    during: During::Use,
};
const CHANGE_ROLE: Right = Right {
    action: AuditAction::ChangeRole,
    role: Admin,
    during: During::Change,
};
/// Everybody may leave; to remove somebody else takes an administrator.
const REMOVE_USER: Right = Right {
    action: AuditAction::RemoveUser,
    role: Member,
    during: During::Change,
};
const LIST_INVITATIONS: Right = Right {
    action: AuditAction::ListInvitations,
    role: Admin,
    during: During::Use,
};
const INVITE: Right = Right {
    action: AuditAction::Invite,
    role: Admin,
    during: During::Change,
};
const RESEND: Right = Right {
    action: AuditAction::ResendInvitation,
    role: Admin,
    during: During::Change,
};
const WITHDRAW: Right = Right {
    action: AuditAction::WithdrawInvitation,
    role: Admin,
    during: During::Change,
};
const REQUEST_PLAN: Right = Right {
    action: AuditAction::RequestPlan,
    role: Admin,
    during: During::Change,
};
const READ_USAGE_LEVELS: Right = Right {
    action: AuditAction::ReadUsageLevels,
    role: Member,
    during: During::Use,
};
const SET_USAGE_LEVELS: Right = Right {
    action: AuditAction::SetUsageLevels,
    role: Admin,
    during: During::Change,
};
const CLAIM_ADDRESS: Right = Right {
    action: AuditAction::ClaimAddress,
    role: Admin,
    during: During::Change,
};
const RELEASE_ADDRESS: Right = Right {
    action: AuditAction::ReleaseAddress,
    role: Admin,
    during: During::Change,
};
/// Asked for again, a closure gives another code.
const CLOSE: Right = Right {
    action: AuditAction::Close,
    role: Admin,
    during: During::ToEnd,
};
const UNDO_CLOSURE: Right = Right {
    action: AuditAction::UndoClosure,
    role: Admin,
    during: During::ToEnd,
};
const READ_AUDIT: Right = Right {
    action: AuditAction::ReadAudit,
    role: Admin,
    during: During::UseAndEnd,
};
const LIST_CLIENTS: Right = Right {
    action: AuditAction::ListClients,
    role: Admin,
    during: During::Use,
};
const CREATE_CLIENT: Right = Right {
    action: AuditAction::CreateClient,
    role: Admin,
    during: During::Change,
};
const ROTATE_CLIENT: Right = Right {
    action: AuditAction::RotateClient,
    role: Admin,
    during: During::Change,
};
/// What has leaked must not wait for a payment.
const REVOKE_CLIENT: Right = Right {
    action: AuditAction::RevokeClient,
    role: Admin,
    during: During::ToEnd,
};
const READ_PROVIDER: Right = Right {
    action: AuditAction::ReadIdentityProvider,
    role: Admin,
    during: During::Use,
};
const SET_PROVIDER: Right = Right {
    action: AuditAction::SetIdentityProvider,
    role: Admin,
    during: During::Change,
};
const REMOVE_PROVIDER: Right = Right {
    action: AuditAction::RemoveIdentityProvider,
    role: Admin,
    during: During::ToEnd,
};

/// The API.
pub(crate) fn router(adapters: Adapters) -> Router {
    let adapters = Arc::new(adapters);
    let to = |right: Right, route: MethodRouter<Arc<Adapters>>| {
        route.route_layer(from_fn_with_state((Arc::clone(&adapters), right), guard))
    };
    let undo = post(closure::undo).route_layer(from_fn_with_state(
        (Arc::clone(&adapters), UNDO_CLOSURE),
        guard_bearer,
    ));
    Router::new()
        .route(
            "/tenants/{tenant}",
            to(READ_TENANT, get(tenant::read)).merge(to(CHANGE_PROFILE, patch(tenant::change))),
        )
        .route("/tenants/{tenant}/users", to(LIST_USERS, get(users::list)))
        .route(
            "/tenants/{tenant}/users/{user}",
            to(CHANGE_ROLE, patch(users::change)).merge(to(REMOVE_USER, delete(users::remove))),
        )
        .route(
            "/tenants/{tenant}/invitations",
            to(LIST_INVITATIONS, get(invitations::list))
                .merge(to(INVITE, post(invitations::invite))),
        )
        .route(
            "/tenants/{tenant}/invitations/{invitation}",
            to(WITHDRAW, delete(invitations::withdraw)),
        )
        .route(
            "/tenants/{tenant}/invitations/{invitation}/resend",
            to(RESEND, post(invitations::resend)),
        )
        .route(
            "/tenants/{tenant}/plan-changes",
            to(REQUEST_PLAN, post(tenant::request_plan)),
        )
        .route(
            "/tenants/{tenant}/usage-levels",
            to(READ_USAGE_LEVELS, get(levels::read)).merge(to(SET_USAGE_LEVELS, put(levels::set))),
        )
        .route(
            "/tenants/{tenant}/address",
            to(CLAIM_ADDRESS, put(vanity::claim))
                .merge(to(RELEASE_ADDRESS, delete(vanity::release))),
        )
        .route(
            "/tenants/{tenant}/administrators",
            post(administrators::give),
        )
        .route("/tenants/{tenant}/closure", to(CLOSE, post(closure::close)))
        .route("/tenants/{tenant}/closure/undo", undo)
        .route(
            "/tenants/{tenant}/audit",
            to(READ_AUDIT, get(tenant::audit)),
        )
        .route(
            "/tenants/{tenant}/clients",
            to(LIST_CLIENTS, get(clients::list)).merge(to(CREATE_CLIENT, post(clients::create))),
        )
        .route(
            "/tenants/{tenant}/clients/{client}",
            to(REVOKE_CLIENT, delete(clients::revoke)),
        )
        .route(
            "/tenants/{tenant}/clients/{client}/rotation",
            to(ROTATE_CLIENT, post(clients::rotate)),
        )
        .route(
            "/tenants/{tenant}/identity-provider",
            to(READ_PROVIDER, get(federation::read))
                .merge(to(SET_PROVIDER, put(federation::set)))
                .merge(to(REMOVE_PROVIDER, delete(federation::remove))),
        )
        .route("/entitlements", get(entitlements::read))
        .route("/usage", get(usage::read))
        .with_state(adapters)
}
