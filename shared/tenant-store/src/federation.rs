//! Tenants' own identity providers, and blocked users.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows::{self, stored};
use dynamo::Item;
use kernel::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tenancy::{IdentityProvider, Issuer, ProviderName, Username};

#[derive(Serialize, Deserialize)]
struct ProviderRow {
    tenant: TenantId,
    name: ProviderName,
    issuer: String,
    client_id: String,
    #[serde(default)]
    trusts_unverified_email: bool,
    changed_at: Timestamp,
}

impl TenantReader {
    /// Loads a tenant's own identity provider.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_provider(
        &self,
        tenant: TenantId,
    ) -> Result<Option<IdentityProvider>, TenantStoreError> {
        let item = self
            .get_all("load an identity provider", rows::provider_key(tenant))
            .await?;
        item.map(provider).transpose()
    }

    /// Whether an administrator has removed this user, so that they may not come back uninvited.
    pub(crate) async fn is_blocked(
        &self,
        tenant: TenantId,
        username: Username,
    ) -> Result<bool, TenantStoreError> {
        let item = self
            .get_all(
                "look for a removed user",
                rows::blocked_key(tenant, username),
            )
            .await?;
        Ok(item.is_some())
    }
}

/// The item of a tenant's own identity provider.
pub(crate) fn provider_item(provider: &IdentityProvider) -> Result<Item, TenantStoreError> {
    let row = ProviderRow {
        tenant: provider.tenant,
        name: provider.name.clone(),
        issuer: provider.issuer.expose().to_owned(),
        client_id: provider.client_id.expose().to_owned(),
        trusts_unverified_email: provider.trusts_unverified_email,
        changed_at: provider.changed_at,
    };
    rows::item(rows::provider_key(provider.tenant), &row)
}

fn provider(item: Item) -> Result<IdentityProvider, TenantStoreError> {
    let malformed = |_| TenantStoreError::Malformed {
        entity: "identity provider",
    };
    let row: ProviderRow = stored(item, "identity provider")?;
    Ok(IdentityProvider {
        tenant: row.tenant,
        name: row.name,
        // An issuer on this machine is parsed too: whether it is allowed was decided when it was
        // set.
        issuer: Issuer::parse(&row.issuer, true).map_err(malformed)?,
        client_id: row.client_id.parse().map_err(malformed)?,
        trusts_unverified_email: row.trusts_unverified_email,
        changed_at: row.changed_at,
    })
}
