//! What a sign-in page has to know of a tenant, and nothing else.

use crate::provider::Provider;
use kernel::{Alias, Language, RegionCode, Role, TenantStatus};
use serde::Serialize;
use tenancy::{ClaimsRefusal, Federation, Tenant, claims};

/// A tenant as its address shows it.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) enum Discovery<'a> {
    /// Its people can sign in.
    Open(SignIn<'a>),
    /// Nobody can sign in for now. Not said is who it is, and why.
    Suspended {
        /// Where it is.
        region: &'a RegionCode,
        /// What its people are addressed in.
        language: Language,
    },
}

/// How to sign in.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct SignIn<'a> {
    /// The tenant's random subdomain, whichever subdomain was asked for. Usernames are computed from it.
    alias: &'a Alias,
    /// Where it is.
    region: &'a RegionCode,
    /// What its people are addressed in.
    language: Language,
    /// Who issues its tokens (the claim `iss`).
    issuer: &'a str,
    /// The public client that people use.
    client_id: &'a str,
    /// Where the user pool's API is.
    identity_endpoint: &'a str,
    /// The user pool.
    user_pool_id: &'a str,
    /// Where the code flow begins (RFC 6749, section 3.1).
    authorization_endpoint: &'a str,
    /// Where it ends (RFC 6749, section 3.2).
    token_endpoint: &'a str,
    /// The keys of its tokens (RFC 7517).
    jwks_uri: &'a str,
    /// Whether accounts of its people may still be where it was before: only the password itself
    /// brings one along.
    migrates: bool,
    /// How its people sign in at the tenant's own provider, where it has one.
    federation: Option<Federated<'a>>,
}

/// What the code flow of a tenant's own provider needs.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = FederatedSignIn))]
pub(crate) struct Federated<'a> {
    /// The client of the code flow.
    client_id: &'a str,
    /// The provider, as the user pool calls it.
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
    /// What sign-in would say of a tenant; nothing of one that cannot be signed in to yet, or never
    /// again.
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
            // The subdomain of a tenant that is being closed leads to it until the end: that can still
            // be undone.
            Err(ClaimsRefusal::Suspended | ClaimsRefusal::Closed) => {
                Some(Self::Suspended { region, language })
            }
            Err(ClaimsRefusal::NotReady) => None,
        }
    }

    /// How long the answer may be kept.
    pub(crate) const fn cache_control(&self) -> &'static str {
        match self {
            Self::Open(_) => "public, max-age=60",
            Self::Suspended { .. } => "no-store",
        }
    }
}
