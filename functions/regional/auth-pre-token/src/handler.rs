//! Adds the tenant's claims to the id token and the access token.

use crate::adapters::Adapters;
use crate::event::{Bearer, PreToken};
use kernel::Role;
use runtime::Failure;
use tenancy::{Tenant, Username, claims};
use tenant_store::TenantStoreError;

/// Reads the tenant and the bearer, and adds the claims, at sign-in and at every refresh; or
/// refuses with a stable code. The first read finds the tenant, the second loads the tenant's own
/// record of the bearer. The clients of the provider's own services belong to no tenant, and their
/// tokens stay unchanged.
pub(crate) async fn handle(adapters: &Adapters, mut event: PreToken) -> Result<PreToken, Failure> {
    let bearer = event.bearer().ok_or_else(not_registered)?;
    let Some((tenant, role)) = adapters.tenant_of(bearer).await? else {
        return Ok(event);
    };
    if event
        .alias()
        .is_some_and(|alias| alias != tenant.alias.as_str())
    {
        return Err(refuse(&tenant, "other-tenant"));
    }
    let accepts_unverified = tenant
        .federation
        .as_ref()
        .is_some_and(|federation| federation.takes_address(false));
    if event.is_unverified() && !accepts_unverified {
        return Err(refuse(&tenant, "provider-address-unverified"));
    }
    let claims = claims(&tenant, role, &adapters.region)
        .map_err(|refusal| refuse(&tenant, &refusal.to_string()))?;
    event.add(&claims);
    tracing::info!(tenant = %tenant.id, machine = role.is_none(), "issued a token");
    Ok(event)
}

impl Adapters {
    /// The tenant and the role of a person, or the tenant of a machine; none for the provider's own
    /// machines.
    async fn tenant_of(
        &self,
        bearer: Bearer<'_>,
    ) -> Result<Option<(Tenant, Option<Role>)>, Failure> {
        match bearer {
            Bearer::Person(account) => {
                let username = Username::of_account(account);
                let found = self.tenants.load_membership(username).await;
                let tenant = found
                    .map_err(|error| failure(&error))?
                    .ok_or_else(not_registered)?
                    .tenant;
                let found = self.tenants.load_with_member(tenant, username).await;
                let (tenant, member) = found
                    .map_err(|error| failure(&error))?
                    .ok_or_else(not_registered)?;
                Ok(Some((tenant, Some(member.role))))
            }
            Bearer::Machine(client_id) => {
                let found = self
                    .tenants
                    .load_client(client_id)
                    .await
                    .map_err(|error| failure(&error))?;
                let Some(client) = found else { return Ok(None) };
                let found = self.tenants.load_with_client(&client).await;
                let (tenant, client) = found
                    .map_err(|error| failure(&error))?
                    .ok_or_else(not_registered)?;
                if client.has_ended(runtime::now()) {
                    return Err(refuse(&tenant, "client-ended"));
                }
                Ok(Some((tenant, None)))
            }
        }
    }
}

fn refuse(tenant: &Tenant, code: &str) -> Failure {
    tracing::info!(tenant = %tenant.id, code, "refused a token");
    Failure::refusal("TokenRefused", code)
}

fn not_registered() -> Failure {
    tracing::info!("refused a token for an account that is not registered");
    Failure::refusal("TokenRefused", "not-registered")
}

fn failure(error: &TenantStoreError) -> Failure {
    Failure::of("TenantUnavailable", error)
}
