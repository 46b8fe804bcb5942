//! Erasure: everything that the region holds of a closed tenant goes.

use crate::adapters::Adapters;
use identity::IdentityError;
use kernel::Timestamp;
use std::time::Instant;
use tenancy::{ProviderName, State, Tenant, User};
use tenant_store::{Leaving, TenantStoreError};
use usage_store::UsageStoreError;

/// Why something of the tenant is still there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    #[error("an account is not deleted")]
    Account(#[source] IdentityError),
    #[error("a client, or the tenant's own provider, is not deleted")]
    Client(#[source] IdentityError),
    #[error("the regional table is not cleared")]
    Tenant(#[source] TenantStoreError),
    #[error("the usage table is not cleared")]
    Usage(#[source] UsageStoreError),
}

impl Adapters {
    /// Erases all that there is of a closed tenant, and closes the record that says what went.
    /// Stops between two steps when the time is over, but takes one at least.
    ///
    /// Each step deletes and counts in one transaction: repeated after it was cut off, the erasure
    /// goes on where it was.
    pub(crate) async fn erase(
        &self,
        state: &State,
        now: Timestamp,
        until: Instant,
    ) -> Result<Leaving, EraseError> {
        let tenant = state.tenant.id;
        while self.erase_some(&state.tenant).await? == Leaving::Some {
            if Instant::now() >= until {
                return Ok(Leaving::Some);
            }
        }
        self.delete_accounts_of_provider(&state.tenant).await?;
        let was_confirmed = state
            .signup
            .as_ref()
            .is_none_or(|signup| signup.confirmed_at.is_some());
        let profile = self
            .tenants
            .erase_profile(tenant, state.tenant.signup, was_confirmed, now)
            .await;
        profile.map_err(EraseError::Tenant)?;
        self.tenants
            .close_erasure(tenant, now)
            .await
            .map_err(EraseError::Tenant)?;
        Ok(Leaving::None)
    }

    /// One step: some users with their accounts, or the clients, or some entries, or some usage. An
    /// account goes before its user, who is what leads to it.
    async fn erase_some(&self, of: &Tenant) -> Result<Leaving, EraseError> {
        let tenant = of.id;
        let users = self
            .tenants
            .users_to_erase(tenant)
            .await
            .map_err(EraseError::Tenant)?;
        if users.is_empty() && self.erase_clients(of).await? == Leaving::Some {
            return Ok(Leaving::Some);
        }
        if users.is_empty() {
            return match self
                .tenants
                .erase_entries(tenant)
                .await
                .map_err(EraseError::Tenant)?
            {
                Leaving::Some => Ok(Leaving::Some),
                Leaving::None => self
                    .usage
                    .erase_some(tenant, |items| self.tenants.note_of_usage(tenant, items))
                    .await
                    .map_err(EraseError::Usage),
            };
        }
        for user in users {
            self.delete_accounts(&user).await?;
            self.tenants
                .erase_user(&user)
                .await
                .map_err(EraseError::Tenant)?;
            // Who read the user just before it went may have made the account since.
            self.identity
                .delete_account(&user.account_name())
                .await
                .map_err(EraseError::Account)?;
        }
        Ok(Leaving::Some)
    }

    /// Deletes every account of a user: the one of the user's own name, and whatever else in the
    /// pool has the address and is nobody else's.
    async fn delete_accounts(&self, user: &User) -> Result<(), EraseError> {
        let found = self
            .identity
            .accounts_with(&user.email)
            .await
            .map_err(EraseError::Account)?;
        let strays = self
            .tenants
            .reader()
            .strays(user, found)
            .await
            .map_err(EraseError::Tenant)?;
        for name in std::iter::once(user.account_name()).chain(strays) {
            self.identity
                .delete_account(&name)
                .await
                .map_err(EraseError::Account)?;
        }
        Ok(())
    }

    /// Deletes the accounts of a tenant's own provider that no user leads to.
    async fn delete_accounts_of_provider(&self, tenant: &Tenant) -> Result<(), EraseError> {
        let found = self
            .identity
            .accounts_of_provider(&ProviderName::of(&tenant.alias))
            .await;
        for name in found.map_err(EraseError::Account)? {
            self.identity
                .delete_account(&name)
                .await
                .map_err(EraseError::Account)?;
        }
        Ok(())
    }
}
