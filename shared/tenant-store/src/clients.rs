//! Machine clients, found by the tenant and by the id that a token names.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows::{self, CLIENT_PREFIX, stored};
use crate::write::TenantStore;
use dynamo::Write;
use kernel::TenantId;
use tenancy::{CLIENTS_KEPT_MAX, MachineClient, Tenant};

impl TenantReader {
    /// Finds the client that a token names.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_client(
        &self,
        client_id: &str,
    ) -> Result<Option<MachineClient>, TenantStoreError> {
        let item = self
            .get_all("find a client", rows::token_client_key(client_id))
            .await?;
        item.map(|item| stored(item, "client")).transpose()
    }

    /// Loads a tenant and the tenant's own record of one of its clients. One request.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_with_client(
        &self,
        client: &MachineClient,
    ) -> Result<Option<(Tenant, MachineClient)>, TenantStoreError> {
        let names = ["id", "client_id", "scopes", "created_at", "ends_at"];
        self.load_with(
            client.tenant,
            rows::client_key(client.tenant, client.id),
            &names,
            "client",
        )
        .await
    }

    /// The clients of a tenant, with those that have ended and are not deleted yet.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_clients(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<MachineClient>, TenantStoreError> {
        let limit = u8::try_from(CLIENTS_KEPT_MAX).unwrap_or(u8::MAX);
        let page = self.page(tenant, CLIENT_PREFIX, None, limit, true).await?;
        page.entries
            .into_iter()
            .map(|item| stored(item, "client"))
            .collect()
    }
}

impl TenantStore {
    /// Writes a client under the tenant, and under the id that tokens name once the identity
    /// provider has created it.
    pub(crate) fn put_client(
        &self,
        client: &MachineClient,
    ) -> Result<Vec<Write>, TenantStoreError> {
        let by_token = client.client_id.as_deref().map(rows::token_client_key);
        let keys = [Some(rows::client_key(client.tenant, client.id)), by_token]
            .into_iter()
            .flatten();
        keys.map(|key| Ok(self.put(rows::item(key, client)?)))
            .collect()
    }

    pub(crate) fn delete_client(&self, client: &MachineClient) -> Vec<Write> {
        let by_token = client.client_id.as_deref().map(rows::token_client_key);
        let keys = [Some(rows::client_key(client.tenant, client.id)), by_token]
            .into_iter()
            .flatten();
        keys.map(|key| self.delete(key)).collect()
    }
}
