//! The routes, each with the role and the lifecycle phase that it needs.

use crate::access::{LifecyclePhase, Permission, guard, guard_bearer};
use crate::adapters::Adapters;
use crate::{
    administrators, alert_thresholds, clients, closure, entitlements, federation, invitations,
    subdomains, tenant, usage, users,
};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use kernel::Role::{Admin, Member};
use std::sync::Arc;
use tenancy::AuditAction;

const READ_TENANT: Permission = Permission {
    action: AuditAction::ReadTenant,
    role: Member,
    during: LifecyclePhase::Always,
};
const CHANGE_PROFILE: Permission = Permission {
    action: AuditAction::ChangeProfile,
    role: Admin,
    during: LifecyclePhase::Change,
};
const LIST_USERS: Permission = Permission {
    action: AuditAction::ListUsers,
    role: Admin,
    during: LifecyclePhase::Use,
};
const CHANGE_ROLE: Permission = Permission {
    action: AuditAction::ChangeRole,
    role: Admin,
    during: LifecyclePhase::Change,
};
/// Members too, because everybody may leave; the handler lets only administrators remove others.
const REMOVE_USER: Permission = Permission {
    action: AuditAction::RemoveUser,
    role: Member,
    during: LifecyclePhase::Change,
};
const LIST_INVITATIONS: Permission = Permission {
    action: AuditAction::ListInvitations,
    role: Admin,
    during: LifecyclePhase::Use,
};
const INVITE: Permission = Permission {
    action: AuditAction::Invite,
    role: Admin,
    during: LifecyclePhase::Change,
};
const RESEND: Permission = Permission {
    action: AuditAction::ResendInvitation,
    role: Admin,
    during: LifecyclePhase::Change,
};
const WITHDRAW: Permission = Permission {
    action: AuditAction::WithdrawInvitation,
    role: Admin,
    during: LifecyclePhase::Change,
};
const REQUEST_PLAN: Permission = Permission {
    action: AuditAction::RequestPlan,
    role: Admin,
    during: LifecyclePhase::Change,
};
const READ_ALERT_THRESHOLDS: Permission = Permission {
    action: AuditAction::ReadAlertThresholds,
    role: Member,
    during: LifecyclePhase::Use,
};
const SET_ALERT_THRESHOLDS: Permission = Permission {
    action: AuditAction::SetAlertThresholds,
    role: Admin,
    during: LifecyclePhase::Change,
};
const RESERVE_SUBDOMAIN: Permission = Permission {
    action: AuditAction::ReserveSubdomain,
    role: Admin,
    during: LifecyclePhase::Change,
};
const RELEASE_ADDRESS: Permission = Permission {
    action: AuditAction::ReleaseAddress,
    role: Admin,
    during: LifecyclePhase::Change,
};
/// Allowed while closing too: a repeated closure returns another code.
const CLOSE: Permission = Permission {
    action: AuditAction::Close,
    role: Admin,
    during: LifecyclePhase::ToEnd,
};
const UNDO_CLOSURE: Permission = Permission {
    action: AuditAction::UndoClosure,
    role: Admin,
    during: LifecyclePhase::ToEnd,
};
const READ_AUDIT: Permission = Permission {
    action: AuditAction::ReadAudit,
    role: Admin,
    during: LifecyclePhase::UseAndEnd,
};
const LIST_CLIENTS: Permission = Permission {
    action: AuditAction::ListClients,
    role: Admin,
    during: LifecyclePhase::Use,
};
const CREATE_CLIENT: Permission = Permission {
    action: AuditAction::CreateClient,
    role: Admin,
    during: LifecyclePhase::Change,
};
const ROTATE_CLIENT: Permission = Permission {
    action: AuditAction::RotateClient,
    role: Admin,
    during: LifecyclePhase::Change,
};
/// Allowed while suspended and closing too: a leaked secret must not wait for a payment.
const REVOKE_CLIENT: Permission = Permission {
    action: AuditAction::RevokeClient,
    role: Admin,
    during: LifecyclePhase::ToEnd,
};
const READ_PROVIDER: Permission = Permission {
    action: AuditAction::ReadIdentityProvider,
    role: Admin,
    during: LifecyclePhase::Use,
};
const SET_PROVIDER: Permission = Permission {
    action: AuditAction::SetIdentityProvider,
    role: Admin,
    during: LifecyclePhase::Change,
};
const REMOVE_PROVIDER: Permission = Permission {
    action: AuditAction::RemoveIdentityProvider,
    role: Admin,
    during: LifecyclePhase::ToEnd,
};

/// The API's router.
pub(crate) fn router(adapters: Adapters) -> Router {
    let adapters = Arc::new(adapters);
    let to = |permission: Permission, route: MethodRouter<Arc<Adapters>>| {
        route.route_layer(from_fn_with_state(
            (Arc::clone(&adapters), permission),
            guard,
        ))
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
            "/tenants/{tenant}/alert-thresholds",
            to(READ_ALERT_THRESHOLDS, get(alert_thresholds::read))
                .merge(to(SET_ALERT_THRESHOLDS, put(alert_thresholds::set))),
        )
        .route(
            "/tenants/{tenant}/address",
            to(RESERVE_SUBDOMAIN, put(subdomains::reserve))
                .merge(to(RELEASE_ADDRESS, delete(subdomains::release))),
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
