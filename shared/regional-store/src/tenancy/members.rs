//! A tenant's users, invitations and audit trail, page by page.

use super::read::BATCH_KEYS_MAX;
use super::rows::{self, AUDIT_PREFIX, INVITATION_PREFIX, Item, USER_PREFIX, text};
use super::{TenantReader, TenantStore, TenantStoreError};
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{Role, TenantId};
use tenancy::{AuditEntry, Invitation, User, Username};

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// To be given for the next page; absent on the last.
    pub next: Option<String>,
}

impl TenantReader {
    /// A tenant's users in order of their names at the identity provider, at most `limit` (1 to 100) after
    /// `cursor`. Personal throughout.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn list_users(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
        limit: u8,
    ) -> Result<Page<User>, TenantStoreError> {
        let page = self.page(tenant, USER_PREFIX, cursor, limit, true).await?;
        let entries = page.entries.into_iter().map(rows::user).collect::<Result<_, _>>()?;
        Ok(Page { entries, next: page.next })
    }

    /// A tenant's administrators, at most `most` of them. Personal throughout.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_administrators(&self, tenant: TenantId, most: usize) -> Result<Vec<User>, TenantStoreError> {
        let (mut found, mut start) = (Vec::new(), None);
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :tenant AND begins_with(sk, :prefix)")
                .filter_expression("#role = :admin")
                .expression_attribute_names("#role", "role")
                .expression_attribute_values(":tenant", text(rows::tenant_partition(tenant)))
                .expression_attribute_values(":prefix", text(USER_PREFIX))
                .expression_attribute_values(":admin", rows::attribute(&Role::Admin)?)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| TenantStoreError::of("list administrators", error))?;
            for item in page.items.unwrap_or_default() {
                found.push(rows::user(item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// Which of the accounts with a user's address are nobody else's: they go when the user goes. An account that is
    /// another user's leads to that user; one that leads to nobody has a name that Meridian never gave.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn strays(&self, user: &User, accounts: Vec<String>) -> Result<Vec<String>, TenantStoreError> {
        let mut strays = Vec::new();
        for name in accounts {
            let username = Username::of_account(&name);
            if username == user.username || self.load_membership(username).await?.is_none() {
                strays.push(name);
            }
        }
        Ok(strays)
    }

    /// A tenant's open invitations, at most `limit` (1 to 100) after `cursor`. Personal throughout.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn list_invitations(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
        limit: u8,
    ) -> Result<Page<Invitation>, TenantStoreError> {
        let page = self.page(tenant, INVITATION_PREFIX, cursor, limit, true).await?;
        let entries = page.entries.into_iter().map(rows::invitation).collect::<Result<_, _>>()?;
        Ok(Page { entries, next: page.next })
    }

    /// A tenant's audit trail, newest first, at most `limit` (1 to 100) after `cursor`.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn list_audit(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
        limit: u8,
    ) -> Result<Page<AuditEntry>, TenantStoreError> {
        let page = self.page(tenant, AUDIT_PREFIX, cursor, limit, false).await?;
        let entries = page.entries.into_iter().map(|item| rows::stored(item, "audit entry"));
        Ok(Page { entries: entries.collect::<Result<_, _>>()?, next: page.next })
    }

    /// The items of a tenant's partition whose sort keys begin with `prefix`. The cursor is the rest of the
    /// last sort key.
    pub(super) async fn page(
        &self,
        tenant: TenantId,
        prefix: &str,
        cursor: Option<&str>,
        limit: u8,
        forward: bool,
    ) -> Result<Page<Item>, TenantStoreError> {
        let limit = i32::from(limit).clamp(1, i32::try_from(BATCH_KEYS_MAX).unwrap_or(1));
        let start = cursor.map(|cursor| rows::key(rows::tenant_partition(tenant), &format!("{prefix}{cursor}")));
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :tenant AND begins_with(sk, :prefix)")
            .expression_attribute_values(":tenant", text(rows::tenant_partition(tenant)))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .scan_index_forward(forward)
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| TenantStoreError::Unavailable { action: "list a page", source: error.into() })?;
        let next = found.last_evaluated_key.as_ref().and_then(|key| suffix(key, prefix)).map(str::to_owned);
        Ok(Page { entries: found.items.unwrap_or_default(), next })
    }
}

impl TenantStore {
    /// Adds to a tenant's audit trail what changes nothing else: a refusal, or a read.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn record_audit(&self, tenant: TenantId, entry: &AuditEntry) -> Result<(), TenantStoreError> {
        let put = self.reader.client.put_item().table_name(&self.reader.table);
        let put = put.set_item(Some(rows::audit_item(tenant, entry)?)).send().await;
        put.map(|_| ())
            .map_err(|error| TenantStoreError::Unavailable { action: "add to the audit trail", source: error.into() })
    }
}

/// What follows the prefix in an item's sort key.
pub(super) fn suffix<'a>(item: &'a Item, prefix: &str) -> Option<&'a str> {
    item.get("sk").map(AttributeValue::as_s)?.ok()?.strip_prefix(prefix)
}
