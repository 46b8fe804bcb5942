//! The region's identity provider, as a browser reaches it.

use kernel::RegionCode;
use runtime::http::PagePolicy;

/// The addresses of the region's user pool.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) region: RegionCode,
    pub(crate) user_pool_id: String,
    /// The public client of the sign-in page.
    pub(crate) client_id: String,
    pub(crate) issuer: String,
    /// The URL of the pool's API.
    pub(crate) identity_endpoint: String,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
}

impl Provider {
    /// The pool of a region whose domain is at `auth_url`. With a local endpoint, all URLs are
    /// there, except for the issuer.
    pub(crate) fn new(
        region: RegionCode,
        user_pool_id: String,
        client_id: String,
        auth_url: &str,
        endpoint: Option<&str>,
    ) -> Self {
        let aws = format!("https://cognito-idp.{region}.amazonaws.com");
        let identity_endpoint = endpoint.unwrap_or(&aws).trim_end_matches('/').to_owned();
        let auth_url = endpoint.unwrap_or(auth_url).trim_end_matches('/');
        Self {
            issuer: format!("{aws}/{user_pool_id}"),
            jwks_uri: format!("{identity_endpoint}/{user_pool_id}/.well-known/jwks.json"),
            authorization_endpoint: format!("{auth_url}/oauth2/authorize"),
            token_endpoint: format!("{auth_url}/oauth2/token"),
            identity_endpoint,
            region,
            user_pool_id,
            client_id,
        }
    }

    /// The addresses that the sign-in page may load from and connect to.
    pub(crate) fn page_policy(&self) -> PagePolicy {
        PagePolicy::connecting_to([
            self.identity_endpoint.as_str(),
            self.token_endpoint.as_str(),
        ])
    }
}
