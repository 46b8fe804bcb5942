//! The information that a sign-in page needs of a tenant, and nothing else.

use crate::provider::Provider;
use kernel::{Alias, Language, RegionCode, Role, TenantStatus};
use serde::Serialize;
use tenancy::{ClaimsRefusal, Federation, Tenant, claims};

/// A tenant as its address shows it.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) enum Discovery<'a> {
    /// The tenant's people can sign in.
    Open(SignIn<'a>),
    /// Nobody can sign in for now. Neither the tenant's identity nor the reason is shown.
    Suspended {
        /// The tenant's region.
        region: &'a RegionCode,
        /// The language of the pages for its people.
        language: Language,
    },
}

/// The parameters of a sign-in.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct SignIn<'a> {
    /// The tenant's random alias, whichever subdomain was requested. Usernames are computed from
    /// it.
    alias: &'a Alias,
    /// The tenant's region.
    region: &'a RegionCode,
    /// The language of the pages for its people.
    language: Language,
    /// The issuer of its tokens (the claim `iss`).
    issuer: &'a str,
    /// The public client of the sign-in page.
    client_id: &'a str,
    /// The URL of the user pool's API.
    identity_endpoint: &'a str,
    /// The id of the user pool.
    user_pool_id: &'a str,
    /// The authorization endpoint of the code flow (RFC 6749, section 3.1).
    authorization_endpoint: &'a str,
    /// The token endpoint of the code flow (RFC 6749, section 3.2).
    token_endpoint: &'a str,
    /// The keys that sign its tokens (RFC 7517).
    jwks_uri: &'a str,
    /// Whether accounts of its people may still be in a former pool. Such an account moves only at
    /// a sign-in with the password itself.
    migrates: bool,
    /// Sign-in through the tenant's own provider, where it has one.
    federation: Option<Federated<'a>>,
}

/// The parameters of the code flow through a tenant's own provider.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = FederatedSignIn))]
pub(crate) struct Federated<'a> {
    /// The client of the code flow.
    client_id: &'a str,
    /// The provider's name in the user pool.
    identity_provider: &'a str,
}

impl<'a> Federated<'a> {
    fn of(federation: &'a Federation) -> Self {
        let Federation {
            client_id,
            identity_provider,
            ..
        } = federation;
        Self {
            client_id,
            identity_provider: identity_provider.as_str(),
        }
    }
}

impl<'a> Discovery<'a> {
    /// The discovery of a tenant; none of one that nobody can sign in to yet, or ever again.
    pub(crate) fn of(tenant: &'a Tenant, provider: &'a Provider) -> Option<Self> {
        let (region, language) = (&provider.region, tenant.language);
        match claims(tenant, Role::Member, region) {
            Ok(_) => Some(Self::Open(SignIn {
                alias: &tenant.alias,
                region,
                language,
                issuer: &provider.issuer,
                client_id: &provider.client_id,
                identity_endpoint: &provider.identity_endpoint,
                user_pool_id: &provider.user_pool_id,
                authorization_endpoint: &provider.authorization_endpoint,
                token_endpoint: &provider.token_endpoint,
                jwks_uri: &provider.jwks_uri,
                migrates: tenant.previous.is_some(),
                federation: tenant.federation.as_ref().map(Federated::of),
            })),
            Err(_) if tenant.status == TenantStatus::Closed => None,
            // The subdomain of a closing tenant leads to it until the end, because the closure can
            // still be undone.
            Err(ClaimsRefusal::Suspended | ClaimsRefusal::Closed) => {
                Some(Self::Suspended { region, language })
            }
            Err(ClaimsRefusal::NotReady) => None,
        }
    }

    /// The caching of the response: a minute for an open tenant; none while it is suspended, so
    /// that the end of the suspension shows at once.
    pub(crate) const fn cache_control(&self) -> &'static str {
        match self {
            Self::Open(_) => "public, max-age=60",
            Self::Suspended { .. } => "no-store",
        }
    }
}
