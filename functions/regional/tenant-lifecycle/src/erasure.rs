//! Erasure: deletes everything that the region holds of a closed tenant.

use crate::adapters::Adapters;
use identity::IdentityError;
use kernel::Timestamp;
use std::time::Instant;
use tenancy::{ProviderName, State, Tenant, User};
use tenant_store::{Leaving, TenantStoreError};
use usage_store::UsageStoreError;

/// Why a part of the tenant is still there.
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
    /// Erases a closed tenant, and closes the record of the erasure. Stops between two steps when
    /// the time is over, but does one at least.
    ///
    /// Each step deletes and counts in one transaction: an interrupted erasure continues where it
    /// was.
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
    /// account is deleted before its user, because only the user leads to it.
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
            // A concurrent sign-in that read the user before may have created the account again.
            self.identity
                .delete_account(&user.account_name())
                .await
                .map_err(EraseError::Account)?;
        }
        Ok(Leaving::Some)
    }

    /// Deletes every account of a user: the one with the user's own name, and each other account
    /// with the address that belongs to no other user.
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

    /// Deletes the accounts of a tenant's own provider to which no user leads.
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
