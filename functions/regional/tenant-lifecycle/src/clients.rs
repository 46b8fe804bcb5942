//! The end of what signs in besides people: machine clients, and the tenant's own identity
//! provider.

use crate::adapters::Adapters;
use crate::erasure::EraseError;
use kernel::{TenantId, TenantStatus, Timestamp};
use tenancy::{MachineClient, ProviderName, Tenant, decide_forgotten};
use tenant_store::{Leaving, LoadOptions};

impl Adapters {
    /// Makes the user pool forget the clients of a tenant that have ended; all of them, with the
    /// tenant's own provider, where the tenant itself is closed. What is known here of a closed
    /// tenant's is left to its erasure.
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
                self.forget(client).await?;
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

    /// Erases the clients of a closed tenant and its own provider. The user pool forgets each
    /// before it is erased here, which is what leads to it.
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

    /// One that was never noted as made has no other name than its own.
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

    async fn forget(&self, client: &MachineClient) -> Result<(), EraseError> {
        let (tenant, id): (TenantId, _) = (client.tenant, client.id);
        let forgotten = self.tenants.change(tenant, LoadOptions::CLIENTS, |loaded| {
            let known = loaded.clients.iter().find(|known| known.id == id);
            Ok(known.map(|known| decide_forgotten(&loaded.state, known)))
        });
        forgotten.await.map(|_| ()).map_err(EraseError::Tenant)
    }
}
