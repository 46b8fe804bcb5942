//! A tenant's users, invitations and audit trail, page by page.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows::{self, AUDIT_PREFIX, INVITATION_PREFIX, USER_PREFIX};
use crate::write::TenantStore;
use dynamo::{Attributes as _, Item, key};
use kernel::{Role, TenantId};
use tenancy::{AuditEntry, Invitation, User, Username};

/// The most entries of a page.
const PAGE_MAX: u16 = 100;

/// A page of a list, and the cursor of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The cursor of the next page; absent on the last.
    pub next: Option<String>,
}

impl TenantReader {
    /// A tenant's users in the order of their usernames, at most `limit` (1 to 100) after `cursor`.
    /// Personal data.
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
        let entries = page
            .entries
            .into_iter()
            .map(rows::user)
            .collect::<Result<_, _>>()?;
        Ok(Page {
            entries,
            next: page.next,
        })
    }

    /// A tenant's administrators, at most `most`. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_administrators(
        &self,
        tenant: TenantId,
        most: usize,
    ) -> Result<Vec<User>, TenantStoreError> {
        let query = self
            .table
            .query(rows::tenant_partition(tenant))
            .beginning_with(USER_PREFIX)
            .consistent();
        let query = query.filter("#role = :admin").name("#role", "role");
        let mut pages = query
            .value(":admin", rows::attribute(&Role::Admin)?)
            .pages();
        let mut found = Vec::new();
        while found.len() < most {
            let Some(items) = pages
                .next()
                .await
                .map_err(TenantStoreError::of("list administrators"))?
            else {
                break;
            };
            for item in items {
                found.push(rows::user(item)?);
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Those of the accounts with a user's address that belong to no other user, and are deleted
    /// with the user. An account of another user has that user's membership; one without a
    /// membership has a username that Meridian never gave.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn strays(
        &self,
        user: &User,
        accounts: Vec<String>,
    ) -> Result<Vec<String>, TenantStoreError> {
        let mut strays = Vec::new();
        for name in accounts {
            let username = Username::of_account(&name);
            if username == user.username || self.load_membership(username).await?.is_none() {
                strays.push(name);
            }
        }
        Ok(strays)
    }

    /// A tenant's open invitations, at most `limit` (1 to 100) after `cursor`. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn list_invitations(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
        limit: u8,
    ) -> Result<Page<Invitation>, TenantStoreError> {
        let page = self
            .page(tenant, INVITATION_PREFIX, cursor, limit, true)
            .await?;
        let entries = page
            .entries
            .into_iter()
            .map(rows::invitation)
            .collect::<Result<_, _>>()?;
        Ok(Page {
            entries,
            next: page.next,
        })
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
        let page = self
            .page(tenant, AUDIT_PREFIX, cursor, limit, false)
            .await?;
        let entries = page
            .entries
            .into_iter()
            .map(|item| rows::stored(item, "audit entry"));
        Ok(Page {
            entries: entries.collect::<Result<_, _>>()?,
            next: page.next,
        })
    }

    /// A page of a tenant's partition by the prefix of the sort keys. The cursor is the last sort
    /// key without the prefix.
    pub(crate) async fn page(
        &self,
        tenant: TenantId,
        prefix: &str,
        cursor: Option<&str>,
        limit: u8,
        forward: bool,
    ) -> Result<Page<Item>, TenantStoreError> {
        let start =
            cursor.map(|cursor| key(rows::tenant_partition(tenant), format!("{prefix}{cursor}")));
        let query = self
            .table
            .query(rows::tenant_partition(tenant))
            .beginning_with(prefix)
            .consistent();
        let query = if forward { query } else { query.descending() };
        let query = query
            .limit(u16::from(limit).clamp(1, PAGE_MAX))
            .after(start);
        let found = query
            .page()
            .await
            .map_err(TenantStoreError::of("list a page"))?;
        let next = found
            .next
            .as_ref()
            .and_then(|key| suffix(key, prefix))
            .map(str::to_owned);
        Ok(Page {
            entries: found.items,
            next,
        })
    }
}

impl TenantStore {
    /// Adds an audit entry that comes with no other change: a refusal, or a read.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn record_audit(
        &self,
        tenant: TenantId,
        entry: &AuditEntry,
    ) -> Result<(), TenantStoreError> {
        let put = self.put(rows::audit_item(tenant, entry)?);
        self.reader
            .send("add to the audit trail", put)
            .await
            .map(|_| ())
    }
}

/// The part of an item's sort key after a prefix.
pub(crate) fn suffix<'a>(item: &'a Item, prefix: &str) -> Option<&'a str> {
    item.text("sk")?.strip_prefix(prefix)
}
