//! Clients of the pool that belong to tenants: machine clients, and the client for people who sign
//! in at a tenant's own provider.

use crate::Identity;
use crate::error::IdentityError;
use crate::error::unavailable;
use aws_sdk_cognitoidentityprovider::types::{
    ExplicitAuthFlowsType, IdentityProviderTypeType, OAuthFlowType, PreventUserExistenceErrorTypes,
    TimeUnitsType, TokenValidityUnitsType,
};
use kernel::MachineScope;
use std::collections::HashMap;
use std::fmt;
use tenancy::{ClientId, Federation, IdentityProvider, ProviderName, ProviderSecret};

/// The number of clients per page: the maximum of Cognito.
const PAGE: i32 = 60;
/// The bound of pages, enough for the largest pool.
const PAGES_MAX: u32 = 170;
/// The lifetime of a machine's token, in minutes.
const TOKEN_MINUTES: i32 = 60;

/// The credentials of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's id in the pool.
    pub client_id: String,
    /// Its secret.
    pub secret: ClientSecret,
}

/// A client's secret. It is returned to the caller who created the client, and stored nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl Identity {
    /// Creates a machine client.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn create_machine(
        &self,
        id: ClientId,
        scopes: &[MachineScope],
    ) -> Result<Credentials, IdentityError> {
        let scopes = scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect();
        let minutes = TokenValidityUnitsType::builder()
            .access_token(TimeUnitsType::Minutes)
            .build();
        let created = self
            .client
            .create_user_pool_client()
            .user_pool_id(&self.user_pool_id)
            .client_name(id.to_string())
            .generate_secret(true)
            .allowed_o_auth_flows_user_pool_client(true)
            .allowed_o_auth_flows(OAuthFlowType::ClientCredentials)
            .set_allowed_o_auth_scopes(Some(scopes))
            // Set explicitly, since the default would let people sign in.
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .prevent_user_existence_errors(PreventUserExistenceErrorTypes::Enabled)
            .enable_token_revocation(true)
            .access_token_validity(TOKEN_MINUTES)
            .token_validity_units(minutes)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        credentials(created.user_pool_client())
    }

    /// Reads the credentials of a machine client; `None` if there is no such client.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn machine(&self, client_id: &str) -> Result<Option<Credentials>, IdentityError> {
        let pool = self
            .client
            .describe_user_pool_client()
            .user_pool_id(&self.user_pool_id);
        match pool.client_id(client_id).send().await {
            Ok(found) => credentials(found.user_pool_client()).map(Some),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The clients of a name: none or one, unless two calls created it at the same time.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn clients_named(&self, name: &str) -> Result<Vec<String>, IdentityError> {
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let pool = self
                .client
                .list_user_pool_clients()
                .user_pool_id(&self.user_pool_id)
                .max_results(PAGE);
            let page = pool
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| unavailable(&error))?;
            let named = page
                .user_pool_clients()
                .iter()
                .filter(|client| client.client_name() == Some(name));
            found.extend(named.filter_map(|client| client.client_id().map(str::to_owned)));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Deletes a client. Repeating the call changes nothing.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn delete_client(&self, client_id: &str) -> Result<(), IdentityError> {
        let pool = self
            .client
            .delete_user_pool_client()
            .user_pool_id(&self.user_pool_id);
        match pool.client_id(client_id).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Deletes every client of a name.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn delete_clients_named(&self, name: &str) -> Result<(), IdentityError> {
        for client_id in self.clients_named(name).await? {
            self.delete_client(&client_id).await?;
        }
        Ok(())
    }

    /// Adds a tenant's own provider to the pool, or updates it.
    ///
    /// # Errors
    /// When the pool refuses, for example because it finds no provider at the address, or was not
    /// reached.
    pub async fn put_provider(
        &self,
        provider: &IdentityProvider,
        secret: &ProviderSecret,
    ) -> Result<(), IdentityError> {
        let details = HashMap::from(
            [
                ("client_id", provider.client_id.expose()),
                ("client_secret", secret.expose()),
                ("oidc_issuer", provider.issuer.expose()),
                ("authorize_scopes", "openid email"),
                ("attributes_request_method", "GET"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let mapping = HashMap::from(
            ["email", "email_verified"].map(|name| (name.to_owned(), name.to_owned())),
        );
        let created = self
            .client
            .create_identity_provider()
            .user_pool_id(&self.user_pool_id)
            .provider_name(provider.name.as_str())
            .provider_type(IdentityProviderTypeType::Oidc)
            .set_provider_details(Some(details.clone()))
            .set_attribute_mapping(Some(mapping.clone()))
            .send()
            .await;
        match created {
            Ok(_) => return Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_duplicate_provider_exception()) => {}
            Err(error) => return Err(refused(&error)),
        }
        let updated = self
            .client
            .update_identity_provider()
            .user_pool_id(&self.user_pool_id)
            .provider_name(provider.name.as_str())
            .set_provider_details(Some(details))
            .set_attribute_mapping(Some(mapping));
        updated
            .send()
            .await
            .map(|_| ())
            .map_err(|error| refused(&error))
    }

    /// Removes a tenant's own provider from the pool. Repeating the call changes nothing.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn delete_provider(&self, name: &ProviderName) -> Result<(), IdentityError> {
        let pool = self
            .client
            .delete_identity_provider()
            .user_pool_id(&self.user_pool_id);
        match pool.provider_name(name.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Creates the client for people who sign in at a tenant's own provider: a public client, so
    /// without a secret, that redirects to the tenant's page only.
    ///
    /// It may write every attribute, because the pool uses it to write those from the provider.
    /// People cannot: that takes a scope that the client does not grant.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn create_federation(
        &self,
        name: &ProviderName,
        callback: &str,
    ) -> Result<Federation, IdentityError> {
        let created = self
            .client
            .create_user_pool_client()
            .user_pool_id(&self.user_pool_id)
            .client_name(name.as_str())
            .generate_secret(false)
            .allowed_o_auth_flows_user_pool_client(true)
            .allowed_o_auth_flows(OAuthFlowType::Code)
            .allowed_o_auth_scopes("openid")
            .allowed_o_auth_scopes("email")
            .supported_identity_providers(name.as_str())
            .callback_urls(callback)
            .logout_urls(callback)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .prevent_user_existence_errors(PreventUserExistenceErrorTypes::Enabled)
            .enable_token_revocation(true)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        let client = created.user_pool_client.and_then(|client| client.client_id);
        let client_id = client.ok_or(IdentityError::Unavailable { code: None })?;
        Ok(Federation {
            client_id,
            identity_provider: name.clone(),
            trusts_unverified_email: false,
        })
    }
}

fn credentials(
    client: Option<&aws_sdk_cognitoidentityprovider::types::UserPoolClientType>,
) -> Result<Credentials, IdentityError> {
    let found = client.and_then(|client| Some((client.client_id()?, client.client_secret()?)));
    let (client_id, secret) = found.ok_or(IdentityError::Unavailable { code: None })?;
    Ok(Credentials {
        client_id: client_id.to_owned(),
        secret: ClientSecret(secret.to_owned()),
    })
}

/// The caller can correct a provider that the pool refuses.
fn refused<E, R>(error: &aws_sdk_cognitoidentityprovider::error::SdkError<E, R>) -> IdentityError
where
    E: aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata,
{
    match crate::error::classify(error) {
        refused @ IdentityError::Refused { .. } => refused,
        _ => unavailable(error),
    }
}
