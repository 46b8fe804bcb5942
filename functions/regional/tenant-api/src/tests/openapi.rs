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

/// The page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct Page {
    /// The most entries of the page; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u8>,
    /// The `next_cursor` of an earlier response.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

/// The tenant of a request by a person or a service.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct AskedTenant {
    /// The tenant; required for the provider's service client.
    tenant: Option<TenantId>,
}

/// A query of a tenant's usage.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageQuery {
    /// The meter.
    meter: MeterCode,
    /// The length of the windows; a day if absent.
    window: Option<WindowSize>,
    /// The first moment, RFC 3339; the start of the tenant's month if absent.
    from: Option<String>,
    /// The moment before which windows begin, RFC 3339; now if absent.
    to: Option<String>,
    /// The dimensions that divide the totals, separated by commas; all if absent, none if empty.
    group_by: Option<String>,
    /// The values that dimensions must have.
    filter: Option<UsageGroup>,
    /// The tenant; required for the provider's service client.
    tenant: Option<TenantId>,
}

/// The problems of a route: those of its guard in this lifecycle phase, and its own.
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
        (name = "Invitations", description = "Invitations to join it."),
        (name = "Clients", description = "Its own machine clients."),
        (name = "Federation", description = "Its own identity provider."),
        (name = "Entitlements", description = "Its entitlements, for the application plane."),
        (name = "Usage", description = "Its usage."),
    ),
)]
struct Description;

#[test]
fn the_document_matches_the_routes() {
    assert_published::<ProblemKind>(Api::Regional, "tenant-api", &Description::openapi());
}
