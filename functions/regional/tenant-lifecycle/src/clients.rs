//! The end of machine clients and of a tenant's own identity provider.

use crate::adapters::Adapters;
use crate::erasure::EraseError;
use kernel::{TenantId, TenantStatus, Timestamp};
use tenancy::{MachineClient, ProviderName, Tenant, decide_forgotten};
use tenant_store::{Leaving, LoadOptions};

impl Adapters {
    /// Deletes the ended clients of a tenant from the user pool; of a closed tenant all clients and
    /// its own provider. The stored items of a closed tenant are left to its erasure, which counts
    /// them.
    pub(crate) async fn end_clients(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<(), EraseError> {
        let is_closed = tenant.status == TenantStatus::Closed;
        let clients = self
            .tenants
            .reader()
            .load_clients(tenant.id)
            .await
            .map_err(EraseError::Tenant)?;
        for client in clients
            .iter()
            .filter(|client| is_closed || client.has_ended(now))
        {
            self.delete_client(client).await?;
            if !is_closed {
                self.delete_stored(client).await?;
            }
        }
        if is_closed
            && self
                .tenants
                .reader()
                .load_provider(tenant.id)
                .await
                .map_err(EraseError::Tenant)?
                .is_some()
        {
            self.delete_provider(&ProviderName::of(&tenant.alias))
                .await?;
        }
        Ok(())
    }

    /// Erases the clients of a closed tenant, and its own provider. Each is deleted from the user
    /// pool before its item, because only the item leads to it.
    pub(crate) async fn erase_clients(&self, tenant: &Tenant) -> Result<Leaving, EraseError> {
        let reader = self.tenants.reader();
        let clients = reader
            .load_clients(tenant.id)
            .await
            .map_err(EraseError::Tenant)?;
        for client in &clients {
            self.delete_client(client).await?;
            self.tenants
                .erase_client(client)
                .await
                .map_err(EraseError::Tenant)?;
        }
        let provider = reader
            .load_provider(tenant.id)
            .await
            .map_err(EraseError::Tenant)?;
        if let Some(provider) = &provider {
            self.delete_provider(&provider.name).await?;
            self.tenants
                .erase_provider(tenant.id)
                .await
                .map_err(EraseError::Tenant)?;
        }
        let is_done = clients.is_empty() && provider.is_none();
        Ok(if is_done {
            Leaving::None
        } else {
            Leaving::Some
        })
    }

    /// A client without an id was never stored as created; the pool knows it by its name only.
    async fn delete_client(&self, client: &MachineClient) -> Result<(), EraseError> {
        let deleted = match &client.client_id {
            Some(client_id) => self.identity.delete_client(client_id).await,
            None => {
                self.identity
                    .delete_clients_named(&client.id.to_string())
                    .await
            }
        };
        deleted.map_err(EraseError::Client)
    }

    async fn delete_provider(&self, name: &ProviderName) -> Result<(), EraseError> {
        self.identity
            .delete_clients_named(name.as_str())
            .await
            .map_err(EraseError::Client)?;
        self.identity
            .delete_provider(name)
            .await
            .map_err(EraseError::Client)
    }

    async fn delete_stored(&self, client: &MachineClient) -> Result<(), EraseError> {
        let (tenant, id): (TenantId, _) = (client.tenant, client.id);
        let deleted = self.tenants.change(tenant, LoadOptions::CLIENTS, |loaded| {
            let known = loaded.clients.iter().find(|known| known.id == id);
            Ok(known.map(|known| decide_forgotten(&loaded.state, known)))
        });
        deleted.await.map(|_| ()).map_err(EraseError::Tenant)
    }
}
