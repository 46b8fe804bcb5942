//! Machine clients, found by the tenant and by the id that a token names.

use super::rows::{self, CLIENT_PREFIX, stored};
use super::{TenantReader, TenantStore, TenantStoreError};
use dynamo::{Attributes as _, Write};
use kernel::{BillingAnchor, TenantId, TenantStatus, Timestamp, WindowSize};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use tenancy::{CLIENTS_KEPT_MAX, MachineClient, Tenant};

/// What is read of tenants and of a client at once.
const WANTED: [&str; 11] = [
    "pk",
    "id",
    "client_id",
    "tenant",
    "scopes",
    "created_at",
    "ends_at",
    "status",
    "billing_anchor",
    "activated_at",
    "closure",
];

/// What matters of a tenant to its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageTerms {
    /// Where it is in its life. One that is closing and of which no more usage is taken counts as
    /// closed.
    pub status: TenantStatus,
    /// When its days begin.
    pub billing_anchor: BillingAnchor,
    /// When it became active.
    pub activated_at: Option<Timestamp>,
}

impl UsageTerms {
    /// The first moment that can be billed: that of the tenant's billing period in which it became
    /// active. Nothing of a tenant that never did.
    #[must_use]
    pub fn first_moment(&self) -> Option<Timestamp> {
        self.activated_at
            .map(|at| WindowSize::Month.start(at, self.billing_anchor))
    }
}

#[derive(Deserialize)]
struct TermsOfTenant {
    tenant: TenantId,
    status: TenantStatus,
    #[serde(default)]
    billing_anchor: BillingAnchor,
    #[serde(default)]
    activated_at: Option<Timestamp>,
    #[serde(default)]
    closure: Option<Fence>,
}

#[derive(Deserialize)]
struct Fence {
    #[serde(default)]
    fenced_at: Option<Timestamp>,
}

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

    /// Loads a tenant with what it says itself of one of its clients. One request.
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

    /// The clients of a tenant, those that have ended and are not forgotten yet included.
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

    /// The terms of those of the tenants that this region has.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn usage_terms(
        &self,
        tenants: &[TenantId],
    ) -> Result<HashMap<TenantId, UsageTerms>, TenantStoreError> {
        self.usage_terms_with_client(tenants, None)
            .await
            .map(|(terms, _)| terms)
    }

    /// The same, and the client that a token names, without a further request.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn usage_terms_with_client(
        &self,
        tenants: &[TenantId],
        client_id: Option<&str>,
    ) -> Result<(HashMap<TenantId, UsageTerms>, Option<MachineClient>), TenantStoreError> {
        let distinct: BTreeSet<_> = tenants.iter().copied().collect();
        let mut keys: Vec<_> = client_id.map(rows::token_client_key).into_iter().collect();
        keys.extend(distinct.into_iter().map(rows::tenant_key));
        let (mut terms, mut client) = (HashMap::with_capacity(keys.len()), None);
        for item in self.batch("load the terms of usage", keys, &WANTED).await? {
            if item
                .text("pk")
                .is_some_and(|partition| partition.starts_with(CLIENT_PREFIX))
            {
                client = Some(stored(item, "client")?);
                continue;
            }
            let TermsOfTenant {
                tenant,
                status,
                billing_anchor,
                activated_at,
                closure,
            } = stored(item, "tenant")?;
            let fenced = closure.is_some_and(|fence| fence.fenced_at.is_some());
            // Behind the fence, a closing tenant is as good as closed.
            let status = if fenced { TenantStatus::Closed } else { status };
            terms.insert(
                tenant,
                UsageTerms {
                    status,
                    billing_anchor,
                    activated_at,
                },
            );
        }
        Ok((terms, client))
    }
}

impl TenantStore {
    /// A client as the tenant sees it, and once the identity provider has made it, as a token names
    /// it.
    pub(super) fn put_client(
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

    pub(super) fn delete_client(&self, client: &MachineClient) -> Vec<Write> {
        let by_token = client.client_id.as_deref().map(rows::token_client_key);
        let keys = [Some(rows::client_key(client.tenant, client.id)), by_token]
            .into_iter()
            .flatten();
        keys.map(|key| self.delete(key)).collect()
    }
}
