//! Erasure: deletes what a region holds of a closed tenant, and counts it in a record.
//!
//! Every step deletes and counts in one transaction: an interrupted run continues where it was, and
//! the record stays exact.

use crate::TenantStoreError;
use crate::rows::{self, AUDIT_PREFIX, BLOCKED_PREFIX, INVITATION_PREFIX};
use crate::write::TenantStore;
use dynamo::{Error, Item, Leaving, Write, key, number, text};
use kernel::{SignupId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tenancy::{MachineClient, User};

/// The most entries of one transaction. Each takes up to two writes, and DynamoDB allows 100 a
/// transaction.
const STEP_MAX: u8 = 45;
/// The retention of a sign-up that was never confirmed: its caller can still see why.
const SIGNUP_KEPT_S: i64 = 7 * 86_400;

/// The record of a tenant's erasure: counts of the erased items, and its end. Not personal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Accounts at the identity provider, and their users.
    #[serde(default)]
    pub accounts: u64,
    /// Open invitations.
    #[serde(default)]
    pub invitations: u64,
    /// Machine clients.
    #[serde(default)]
    pub clients: u64,
    /// The tenant's own identity providers.
    #[serde(default)]
    pub identity_providers: u64,
    /// Blocks of removed users, who may not come back uninvited.
    #[serde(default)]
    pub removals: u64,
    /// Entries of the audit trail.
    #[serde(default)]
    pub audit_entries: u64,
    /// Usage items: segments of raw events, windows, event keys.
    #[serde(default)]
    pub usage_items: u64,
    /// Names of the organisation.
    #[serde(default)]
    pub profiles: u64,
    /// When the last item was deleted.
    #[serde(default)]
    pub erased_at: Option<Timestamp>,
}

impl TenantStore {
    /// A page of the users of a closed tenant that are not erased yet.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn users_to_erase(&self, tenant: TenantId) -> Result<Vec<User>, TenantStoreError> {
        Ok(self
            .reader
            .list_users(tenant, None, STEP_MAX)
            .await?
            .entries)
    }

    /// Erases a user, after the account at the identity provider was deleted.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_user(&self, user: &User) -> Result<(), TenantStoreError> {
        let writes = vec![
            self.delete_present(rows::user_key(user.tenant, user.username)),
            self.delete_of(user.tenant, rows::membership_key(user.username)),
            self.delete_of(user.tenant, rows::address_key(&user.email, user.username)),
            self.note(user.tenant, "accounts", 1),
        ];
        self.step("erase a user", writes).await
    }

    /// Erases a machine client, after the identity provider has deleted it.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_client(&self, client: &MachineClient) -> Result<(), TenantStoreError> {
        let mut writes = vec![
            self.delete_present(rows::client_key(client.tenant, client.id)),
            self.note(client.tenant, "clients", 1),
        ];
        if let Some(client_id) = &client.client_id {
            writes.push(self.delete(rows::token_client_key(client_id)));
        }
        self.step("erase a client", writes).await
    }

    /// Erases a tenant's own identity provider, after the user pool has deleted it.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_provider(&self, tenant: TenantId) -> Result<(), TenantStoreError> {
        let writes = vec![
            self.delete_present(rows::provider_key(tenant)),
            self.note(tenant, "identity_providers", 1),
        ];
        self.step("erase an identity provider", writes).await
    }

    /// Erases a page of a tenant's invitations, blocks or audit entries.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_entries(&self, tenant: TenantId) -> Result<Leaving, TenantStoreError> {
        for (prefix, counter) in [
            (INVITATION_PREFIX, "invitations"),
            (BLOCKED_PREFIX, "removals"),
            (AUDIT_PREFIX, "audit_entries"),
        ] {
            let page = self
                .reader
                .page(tenant, prefix, None, STEP_MAX, true)
                .await?;
            if page.entries.is_empty() {
                continue;
            }
            let mut writes = vec![self.note(tenant, counter, page.entries.len())];
            for item in &page.entries {
                if let Some(sort) = crate::members::suffix(item, "") {
                    writes.push(self.delete_present(key(rows::tenant_partition(tenant), sort)));
                }
                let invitation =
                    crate::members::suffix(item, INVITATION_PREFIX).and_then(|id| id.parse().ok());
                if let Some(id) = invitation {
                    writes.push(self.delete(rows::invitee_key(id)));
                }
            }
            // A concurrent run may have deleted this page already; the next page does not hold it.
            return self
                .step("erase entries", writes)
                .await
                .map(|()| Leaving::Some);
        }
        Ok(Leaving::None)
    }

    /// Erases the organisation's name and the sign-up: a confirmed sign-up at once, another after
    /// [`SIGNUP_KEPT_S`].
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_profile(
        &self,
        tenant: TenantId,
        signup: SignupId,
        was_confirmed: bool,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let profile = self
            .reader
            .table
            .update(rows::tenant_key(tenant), "REMOVE organisation");
        let profile = profile.when("attribute_exists(organisation)");
        self.step(
            "erase a profile",
            vec![profile, self.note(tenant, "profiles", 1)],
        )
        .await?;
        let signup = rows::signup_key(signup);
        let signup = if was_confirmed {
            self.delete(signup)
        } else {
            let end = number(now.as_second() + SIGNUP_KEPT_S);
            self.reader
                .table
                .update(signup, "SET expires_at = :end")
                .if_present()
                .value(":end", end)
        };
        self.step("erase a sign-up", vec![signup]).await
    }

    /// Closes the record once everything is deleted.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn close_erasure(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let change = "SET erased_at = if_not_exists(erased_at, :now)";
        let update = self.reader.table.update(rows::erasure_key(tenant), change);
        self.step(
            "close an erasure",
            vec![update.value(":now", text(now.to_string()))],
        )
        .await
    }

    /// The record of a tenant's erasure; none before the erasure begins.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_erasure(
        &self,
        tenant: TenantId,
    ) -> Result<Option<Erasure>, TenantStoreError> {
        let item = self
            .reader
            .get_all("load an erasure", rows::erasure_key(tenant))
            .await?;
        item.map(|item: Item| rows::stored(item, "erasure"))
            .transpose()
    }

    /// The write that counts erased usage items. It belongs in the transaction that deletes them.
    pub fn note_of_usage(&self, tenant: TenantId, items: usize) -> Write {
        self.note(tenant, "usage_items", items)
    }

    /// Adds to a counter of the record.
    fn note(&self, tenant: TenantId, counter: &str, erased: usize) -> Write {
        let update = self
            .reader
            .table
            .update(rows::erasure_key(tenant), "ADD #counter :erased");
        update
            .name("#counter", counter)
            .value(":erased", number(erased))
    }

    /// Deletes an item on condition that it exists: another run has counted it otherwise.
    fn delete_present(&self, key: Item) -> Write {
        self.delete(key).if_present()
    }

    /// Runs one step. A failed condition is success: a concurrent run has erased and counted the
    /// items.
    async fn step(&self, action: &'static str, writes: Vec<Write>) -> Result<(), TenantStoreError> {
        let done = self.reader.table.transact(writes).await;
        Error::is_written(done)
            .map(|_| ())
            .map_err(TenantStoreError::of(action))
    }
}
