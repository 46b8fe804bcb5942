//! Reads. All reads of single items are strongly consistent.

use crate::TenantStoreError;
use crate::rows::{self, STATS_SHARDS, stored};
use contract::TenantCounts;
use dynamo::{Attributes as _, Error, Item, Table, Write};
use kernel::{InvitationId, Role, SignupId, TenantId, TenantStatus, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tenancy::{
    Fingerprint, Invitation, KeyDigest, OrganisationName, Origin, Signup, Tenant, User, Username,
};

/// Reads the tenants of a region.
#[derive(Debug, Clone)]
pub struct TenantReader {
    pub(crate) table: Table,
}

/// The attributes of a tenant; all but its organisation's name, which is personal.
const TENANT_ATTRIBUTES: [&str; 21] = [
    "tenant",
    "alias",
    "signup",
    "plan",
    "language",
    "billing_anchor",
    "alert_thresholds",
    "status",
    "activated_at",
    "version",
    "generation",
    "policy",
    "admins",
    "users",
    "invitations",
    "provisioning",
    "plan_request",
    "closure",
    "federation",
    "previous",
    "subdomains",
];

/// The tenant of a user, and the user's role in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// How the user joined.
    pub origin: Origin,
    /// The role.
    pub role: Role,
    /// When the person proved to read the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

/// The first request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Remembered {
    /// The sign-up that it created.
    pub signup: SignupId,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
}

impl TenantReader {
    /// Reads from a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Loads a tenant.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_tenant(&self, id: TenantId) -> Result<Option<Tenant>, TenantStoreError> {
        let item = self
            .get("load a tenant", rows::tenant_key(id), &TENANT_ATTRIBUTES)
            .await?;
        item.map(|item| stored(item, "tenant")).transpose()
    }

    /// Loads a sign-up.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_signup(&self, id: SignupId) -> Result<Option<Signup>, TenantStoreError> {
        let item = self.get_all("load a sign-up", rows::signup_key(id)).await?;
        item.map(|item| stored(item, "sign-up")).transpose()
    }

    /// Loads the first request with an idempotency key.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_remembered(
        &self,
        key: &KeyDigest,
    ) -> Result<Option<Remembered>, TenantStoreError> {
        let item = self
            .get(
                "load a key",
                rows::idempotency_key(key),
                &["signup", "fingerprint"],
            )
            .await?;
        item.map(|item| stored(item, "key")).transpose()
    }

    /// Loads the tenant and role of a user. Nothing personal.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_membership(
        &self,
        username: Username,
    ) -> Result<Option<Membership>, TenantStoreError> {
        let wanted = ["tenant", "origin", "role", "confirmed_at"];
        let item = self
            .get("load a user", rows::membership_key(username), &wanted)
            .await?;
        item.map(|item| stored(item, "user")).transpose()
    }

    /// Loads a tenant and the tenant's own record of one of its users: a username that leads to a
    /// tenant does not prove that the tenant has the user. Nothing personal. One request.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_with_member(
        &self,
        tenant: TenantId,
        username: Username,
    ) -> Result<Option<(Tenant, Membership)>, TenantStoreError> {
        self.load_with(
            tenant,
            rows::user_key(tenant, username),
            &["origin", "role", "confirmed_at"],
            "user",
        )
        .await
    }

    /// Loads a tenant and another item of its partition, where both exist. `names` are the other
    /// item's attributes that a tenant does not have.
    pub(crate) async fn load_with<T: DeserializeOwned>(
        &self,
        tenant: TenantId,
        other: Item,
        names: &[&'static str],
        entity: &'static str,
    ) -> Result<Option<(Tenant, T)>, TenantStoreError> {
        let mut all: Vec<&str> = TENANT_ATTRIBUTES
            .iter()
            .chain(names)
            .copied()
            .chain(["sk"])
            .collect();
        all.sort_unstable();
        all.dedup();
        let keys = vec![rows::tenant_key(tenant), other];
        let (mut loaded, mut found) = (None, None);
        for item in self
            .batch("load a tenant with a part of it", keys, &all)
            .await?
        {
            if item.sort() == "TENANT" {
                loaded = Some(stored(item, "tenant")?);
            } else {
                found = Some(stored(item, entity)?);
            }
        }
        Ok(loaded.zip(found))
    }

    /// Loads a user. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_user(&self, username: Username) -> Result<Option<User>, TenantStoreError> {
        match self.load_membership(username).await? {
            Some(membership) => self.load_user_of(membership.tenant, username).await,
            None => Ok(None),
        }
    }

    /// Loads a user of a tenant. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_user_of(
        &self,
        tenant: TenantId,
        username: Username,
    ) -> Result<Option<User>, TenantStoreError> {
        let item = self
            .get_all("load a user", rows::user_key(tenant, username))
            .await?;
        item.map(rows::user).transpose()
    }

    /// Loads an open invitation. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_invitation(
        &self,
        id: InvitationId,
    ) -> Result<Option<Invitation>, TenantStoreError> {
        let item = self
            .get(
                "find an invitation",
                rows::invitee_key(id),
                &["tenant", "expires_at"],
            )
            .await?;
        match item {
            Some(item) => {
                self.load_invitation_to(stored::<rows::Invitee>(item, "invitation")?.tenant, id)
                    .await
            }
            None => Ok(None),
        }
    }

    /// Loads an open invitation to a tenant. Personal data.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_invitation_to(
        &self,
        tenant: TenantId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, TenantStoreError> {
        let item = self
            .get_all("load an invitation", rows::invitation_key(tenant, id))
            .await?;
        item.map(rows::invitation).transpose()
    }

    /// Loads the organisation's name; none once it is erased.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_organisation(
        &self,
        id: TenantId,
    ) -> Result<Option<OrganisationName>, TenantStoreError> {
        let item = self
            .get("load a profile", rows::tenant_key(id), &["organisation"])
            .await?;
        let Some(name) = item.as_ref().and_then(|item| item.text("organisation")) else {
            return Ok(None);
        };
        name.parse()
            .map(Some)
            .map_err(|_| TenantStoreError::Malformed { entity: "tenant" })
    }

    /// The number of tenants, by status.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn counts(&self) -> Result<TenantCounts, TenantStoreError> {
        let keys = STATS_SHARDS.all().map(rows::stats_key).collect();
        let names = TenantStatus::ALL.map(TenantStatus::as_str);
        let mut totals: HashMap<&str, i64> = HashMap::new();
        for item in self.batch("load counts", keys, &names).await? {
            for name in names {
                if item.contains_key(name) {
                    let count = item
                        .number::<i64>(name)
                        .ok_or(TenantStoreError::Malformed { entity: "count" })?;
                    *totals.entry(name).or_default() += count;
                }
            }
        }
        let count = |statuses: &[TenantStatus]| {
            let total: i64 = statuses
                .iter()
                .filter_map(|status| totals.get(status.as_str()))
                .sum();
            u64::try_from(total).unwrap_or_default()
        };
        use TenantStatus::{Active, Closing, Pending, Provisioning, Relocating, Suspended};
        Ok(TenantCounts {
            pending: count(&[Pending]),
            active: count(&[Active]),
            other: count(&[Provisioning, Suspended, Closing, Relocating]),
        })
    }

    pub(crate) async fn get_all(
        &self,
        action: &'static str,
        key: Item,
    ) -> Result<Option<Item>, TenantStoreError> {
        self.get(action, key, &[]).await
    }

    async fn get(
        &self,
        action: &'static str,
        key: Item,
        attributes: &[&str],
    ) -> Result<Option<Item>, TenantStoreError> {
        self.table
            .get_some(key, attributes)
            .await
            .map_err(TenantStoreError::of(action))
    }

    /// Sends a write, and returns whether its condition held.
    pub(crate) async fn send(
        &self,
        action: &'static str,
        write: Write,
    ) -> Result<bool, TenantStoreError> {
        Error::is_written(self.table.send(write).await).map_err(TenantStoreError::of(action))
    }

    pub(crate) async fn batch(
        &self,
        action: &'static str,
        keys: Vec<Item>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, TenantStoreError> {
        self.table
            .batch_get(keys)
            .attributes(attributes)
            .send()
            .await
            .map_err(TenantStoreError::of(action))
    }
}
