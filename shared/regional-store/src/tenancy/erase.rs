//! Erasure: what a region holds of a closed tenant goes, and a record says what went.
//!
//! Every step deletes and counts in one transaction, so that a run which was cut off goes on where it was,
//! and the record is exact.

use super::commit::Cancelled;
use super::rows::{self, AUDIT_PREFIX, BARRED_PREFIX, INVITATION_PREFIX, Item, number, text};
use super::{TenantStore, TenantStoreError};
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use kernel::{SignupId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tenancy::{MachineClient, User};

/// How many entries go in one transaction.
const STEP_MAX: u8 = 45;
/// How long the course of a sign-up is kept that was never confirmed, so that its caller can see why.
const SIGNUP_KEPT_S: i64 = 7 * 86_400;

/// What was erased of a tenant, and when. Holds nothing personal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Accounts at the identity provider, with their users.
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
    /// Notes of removed users who may not come back uninvited.
    #[serde(default)]
    pub removals: u64,
    /// Entries of the audit trail.
    #[serde(default)]
    pub audit_entries: u64,
    /// Items of usage: segments with raw events, windows, identities.
    #[serde(default)]
    pub usage_items: u64,
    /// Names of the organisation.
    #[serde(default)]
    pub profiles: u64,
    /// When all of it was gone.
    #[serde(default)]
    pub erased_at: Option<Timestamp>,
}

/// What leaves with one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// More may be left.
    Some,
    /// Nothing is left.
    None,
}

impl TenantStore {
    /// The users of a closed tenant that are not erased yet, a page of them.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn users_to_erase(&self, tenant: TenantId) -> Result<Vec<User>, TenantStoreError> {
        Ok(self.reader.list_users(tenant, None, STEP_MAX).await?.entries)
    }

    /// Erases a user whose account is deleted.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_user(&self, user: &User) -> Result<(), TenantStoreError> {
        let writes = vec![
            self.take_away(rows::user_key(user.tenant, user.username))?,
            self.delete_of(user.tenant, rows::membership_key(user.username))?,
            self.delete_of(user.tenant, rows::address_key(&user.email, user.username))?,
            self.note(user.tenant, "accounts", 1)?,
        ];
        self.step("erase a user", writes).await
    }

    /// Erases a machine client that the identity provider has forgotten.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_client(&self, client: &MachineClient) -> Result<(), TenantStoreError> {
        let mut writes =
            vec![self.take_away(rows::client_key(client.tenant, client.id))?, self.note(client.tenant, "clients", 1)?];
        if let Some(client_id) = &client.client_id {
            writes.push(self.delete(rows::token_client_key(client_id))?);
        }
        self.step("erase a client", writes).await
    }

    /// Erases what is known of a tenant's own identity provider, which the user pool has forgotten.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_provider(&self, tenant: TenantId) -> Result<(), TenantStoreError> {
        let writes = vec![self.take_away(rows::provider_key(tenant))?, self.note(tenant, "identity_providers", 1)?];
        self.step("erase an identity provider", writes).await
    }

    /// Erases some of a tenant's invitations and of its audit trail.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn erase_entries(&self, tenant: TenantId) -> Result<Leaving, TenantStoreError> {
        for (prefix, counter) in
            [(INVITATION_PREFIX, "invitations"), (BARRED_PREFIX, "removals"), (AUDIT_PREFIX, "audit_entries")]
        {
            let page = self.reader.page(tenant, prefix, None, STEP_MAX, true).await?;
            if page.entries.is_empty() {
                continue;
            }
            let mut writes = vec![self.note(tenant, counter, page.entries.len())?];
            for item in &page.entries {
                if let Some(sort) = super::members::suffix(item, "") {
                    writes.push(self.take_away(rows::key(rows::tenant_partition(tenant), sort))?);
                }
                let invitation = super::members::suffix(item, INVITATION_PREFIX).and_then(|id| id.parse().ok());
                if let Some(id) = invitation {
                    writes.push(self.delete(rows::invitee_key(id))?);
                }
            }
            // What another run was faster with is not on the next page.
            return self.step("erase entries", writes).await.map(|()| Leaving::Some);
        }
        Ok(Leaving::None)
    }

    /// Erases the organisation's name, and the course of the sign-up: of one that was confirmed at once, of
    /// another one soon.
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
        let profile = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::tenant_key(tenant)))
            .update_expression("REMOVE organisation")
            .condition_expression("attribute_exists(organisation)")
            .build()?;
        let writes = vec![TransactWriteItem::builder().update(profile).build(), self.note(tenant, "profiles", 1)?];
        self.step("erase a profile", writes).await?;
        let signup = if was_confirmed {
            self.delete(rows::signup_key(signup))?
        } else {
            let update = Update::builder()
                .table_name(&self.reader.table)
                .set_key(Some(rows::signup_key(signup)))
                .update_expression("SET expires_at = :end")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":end", number(now.as_second() + SIGNUP_KEPT_S))
                .build()?;
            TransactWriteItem::builder().update(update).build()
        };
        self.step("erase a sign-up", vec![signup]).await
    }

    /// Closes the record: all that there was is gone.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn close_erasure(&self, tenant: TenantId, now: Timestamp) -> Result<(), TenantStoreError> {
        let update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::erasure_key(tenant)))
            .update_expression("SET erased_at = if_not_exists(erased_at, :now)")
            .expression_attribute_values(":now", text(now.to_string()))
            .build()?;
        self.step("close an erasure", vec![TransactWriteItem::builder().update(update).build()]).await
    }

    /// What was erased of a tenant; nothing before its erasure begins.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_erasure(&self, tenant: TenantId) -> Result<Option<Erasure>, TenantStoreError> {
        let item = self.reader.get_all("load an erasure", rows::erasure_key(tenant)).await?;
        item.map(|item: Item| rows::stored(item, "erasure")).transpose()
    }

    /// The part of a transaction that counts erased items of usage.
    pub(crate) fn note_of_usage(&self, tenant: TenantId, items: usize) -> Result<TransactWriteItem, TenantStoreError> {
        self.note(tenant, "usage_items", items)
    }

    /// Counts in the record.
    fn note(&self, tenant: TenantId, counter: &str, erased: usize) -> Result<TransactWriteItem, TenantStoreError> {
        let update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::erasure_key(tenant)))
            .update_expression("ADD #counter :erased")
            .expression_attribute_names("#counter", counter)
            .expression_attribute_values(":erased", number(erased))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Deletes an item that is still there: what is gone was counted by another run.
    fn take_away(&self, key: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let delete = Delete::builder().table_name(&self.reader.table).set_key(Some(key));
        let delete = delete.condition_expression("attribute_exists(pk)").build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// One step. What is not there any more was erased, and counted, by a run that was faster.
    async fn step(&self, action: &'static str, writes: Vec<TransactWriteItem>) -> Result<(), TenantStoreError> {
        match self.transact(action, writes).await {
            Ok(()) | Err(Cancelled::Condition(_)) => Ok(()),
            Err(Cancelled::Contention) => Err(TenantStoreError::Busy { action }),
            Err(Cancelled::Failed(error)) => Err(error),
        }
    }
}
