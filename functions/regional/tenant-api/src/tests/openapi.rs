use crate::access::LifecyclePhase;
use crate::problems::ProblemKind;
use crate::{
    administrators, alert_thresholds, clients, closure, entitlements, federation, invitations,
    subdomains, tenant, usage, users,
};
use kernel::{MeterCode, TenantId, UsageGroup, WindowSize};
use serde_json::Value;
pub(crate) use testkit::openapi::IdempotencyHeader;
use testkit::openapi::{Api, assert_published, problems};
use utoipa::{IntoParams, OpenApi};

/// The tenant that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OfTenant {
    /// The tenant.
    tenant: TenantId,
}

/// The client of a tenant that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OfClient {
    /// The tenant.
    tenant: TenantId,
    /// The client.
    client: tenancy::ClientId,
}

/// The user of a tenant that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OfUser {
    /// The tenant.
    tenant: TenantId,
    /// The user.
    user: tenancy::Username,
}

/// The invitation of a tenant that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OfInvitation {
    /// The tenant.
    tenant: TenantId,
    /// The invitation.
    invitation: kernel::InvitationId,
}

/// Which part of a list is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct Page {
    /// How many at most; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u8>,
    /// The `next_cursor` of an earlier answer.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

/// Whom a question is about that a person or a service may ask.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct AskedTenant {
    /// The tenant; a service of the provider has to name it.
    tenant: Option<TenantId>,
}

/// What is asked of a tenant's usage.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageQuery {
    /// The meter.
    meter: MeterCode,
    /// How long the windows are; a day where it is not said.
    window: Option<WindowSize>,
    /// The first moment, RFC 3339; that of the tenant's month where it is not said.
    from: Option<String>,
    /// The moment before which windows begin; now where it is not said.
    to: Option<String>,
    /// The dimensions that divide the totals, divided by commas; all where it is not said, none
    /// where it is empty.
    by: Option<String>,
    /// The values that dimensions are to have.
    filter: Option<UsageGroup>,
    /// The tenant; a service of the provider has to name it.
    tenant: Option<TenantId>,
}

/// The problems of a route: those of its guard, by when the route may be used, and its own.
macro_rules! refusals {
    ($during:ident $(; $($kind:ident),+)?) => {
        crate::tests::openapi::guarded(
            crate::access::LifecyclePhase::$during,
            &[$($(crate::problems::ProblemKind::$kind),+)?],
        )
    };
}
pub(crate) use refusals;

/// The value of the extension `x-problems` of a route behind a guard.
pub(crate) fn guarded(during: LifecyclePhase, own: &[ProblemKind]) -> Value {
    use ProblemKind::{
        AdminsOnly, PoolUnavailable, TenantClosing, TenantNotReady, TenantRelocating,
        TenantSuspended, TryAgain, UnknownBearer, UnknownTenant,
    };
    let mut kinds = vec![UnknownBearer];
    kinds.extend(match during {
        LifecyclePhase::Always => &[][..],
        LifecyclePhase::UseAndEnd | LifecyclePhase::ToEnd => {
            &[AdminsOnly, TenantSuspended, TenantNotReady]
        }
        LifecyclePhase::Use => &[AdminsOnly, TenantSuspended, TenantNotReady, TenantClosing],
        LifecyclePhase::Change => &[
            AdminsOnly,
            TenantSuspended,
            TenantNotReady,
            TenantClosing,
            TenantRelocating,
        ],
    });
    kinds.extend([UnknownTenant, TryAgain, PoolUnavailable]);
    kinds.extend(own);
    problems(&kinds)
}

#[derive(OpenApi)]
#[openapi(
    paths(
        tenant::read, tenant::change, tenant::request_plan, tenant::audit, users::list,
        users::change, users::remove, invitations::list, invitations::invite, invitations::resend,
        invitations::withdraw, alert_thresholds::read, alert_thresholds::set, subdomains::reserve, subdomains::release,
        administrators::give, closure::close, closure::undo, clients::list, clients::create,
        clients::rotate, clients::revoke, federation::read, federation::set, federation::remove,
        entitlements::read, usage::read,
    ),
    tags(
        (name = "Tenant", description = "A tenant as its own users administer it."),
        (name = "Users", description = "Its users."),
        (name = "Invitations", description = "Who may join it."),
        (name = "Clients", description = "Its own machines."),
        (name = "Federation", description = "Its own identity provider."),
        (name = "Entitlements", description = "What it is entitled to, for the application plane."),
        (name = "Usage", description = "What it uses."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published::<ProblemKind>(Api::Regional, "tenant-api", &Description::openapi());
}
