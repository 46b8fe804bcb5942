use crate::{
    administrators, alert_thresholds, clients, closure, entitlements, federation, invitations,
    subdomains, tenant, usage, users,
};
use runtime::http::Problem;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

/// What several routes refuse.
pub(crate) mod said {
    pub(crate) const UNKNOWN_BEARER: &str =
        "`unknown-bearer`: the token's user is not a user of this region any more.";
    pub(crate) const NOT_ALLOWED: &str = "`unknown-bearer`: the token's user is not a user of this region any more. \
                                          `admins-only`: the user is no administrator. `tenant-suspended`: the \
                                          tenant is suspended.";
    pub(crate) const UNKNOWN_TENANT: &str = "`unknown-tenant`: it is not the tenant of the token.";
    pub(crate) const NOT_READY: &str = "`tenant-not-ready`: the tenant does not take this now.";
    pub(crate) const NOT_IN_USE: &str = "`tenant-not-ready`: the tenant does not take this now. `tenant-closing`: it \
                                         is closing or closed.";
    pub(crate) const NOT_NOW: &str = "`tenant-not-ready`: the tenant does not take this now. `tenant-closing`: it is \
                                      closing or closed. `tenant-relocating`: it is moving to another region.";
    pub(crate) const UNKNOWN_USER: &str = "`unknown-user`: the tenant has no such user.";
    pub(crate) const LAST_ADMIN: &str = "`last-admin`: the last administrator stays one.";
    pub(crate) const NOT_DELETED: &str = "`identity-unavailable`: the account cannot be deleted right now; the same request completes it.";
    pub(crate) const UNKNOWN_INVITATION: &str =
        "`unknown-invitation`: the tenant has no such open invitation.";
    pub(crate) const NOT_INVITED: &str = "`mail-not-configured`: the provider has set no sender of mails. \
                                          `tenant-full`: there is no room for more, or it was mailed too often. \
                                          `already-member`: the person is a user of the tenant.";
    pub(crate) const NO_ADMINISTRATOR: &str = "`mail-not-configured`: the provider has set no sender of mails. \
                                               `already-member`: the person has just become a user of the tenant.";
    pub(crate) const NOT_MAILED: &str = "`mail-unavailable`: the invitation is stored, as the member `invitation` says, and was not mailed.";
    pub(crate) const KEY: &str = "`idempotency-key-missing`: the header is not there. `idempotency-key-malformed`: it is \
                                  not 16 to 128 visible ASCII characters.";
    pub(crate) const KEY_REUSED: &str =
        "`idempotency-key-reused`: the key belongs to another request.";
    pub(crate) const UNKNOWN_CLIENT: &str = "`unknown-client`: the tenant has no such client.";
    pub(crate) const TOO_MANY_CLIENTS: &str = "`too-many-clients`: it has as many as it can have. `client-ends`: the \
                                               client is not made yet, or has a successor already.";
    pub(crate) const CLIENT_NOT_MADE: &str =
        "`identity-unavailable`: clients cannot be made right now; the same request completes it.";
    pub(crate) const CLIENT_NOT_DELETED: &str = "`identity-unavailable`: it is refused already, and not deleted yet; the same request completes it.";
    pub(crate) const NO_PROVIDER: &str = "`no-identity-provider`: the tenant has none of its own.";
    pub(crate) const PROVIDER_NOT_SET: &str =
        "`identity-unavailable`: it cannot be changed right now; the same request completes it.";
    pub(crate) const BUSY: &str = "`try-again`: there is too much to do. `identity-unavailable`: the user pool does not \
                                   say right now whether the token, or an account, still holds; nothing was changed.";
}

#[derive(OpenApi)]
#[openapi(
    paths(
        tenant::read,
        tenant::change,
        tenant::request_plan,
        tenant::audit,
        users::list,
        users::change,
        users::remove,
        invitations::list,
        invitations::invite,
        invitations::resend,
        invitations::withdraw,
        alert_thresholds::read,
        alert_thresholds::set,
        subdomains::reserve,
        subdomains::release,
        administrators::give,
        closure::close,
        closure::undo,
        clients::list,
        clients::create,
        clients::rotate,
        clients::revoke,
        federation::read,
        federation::set,
        federation::remove,
        entitlements::read,
        usage::read,
    ),
    components(schemas(Problem)),
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
    assert_published(
        Api::Regional,
        "tenant-api",
        &serde_json::to_value(Description::openapi()).unwrap(),
    );
}
