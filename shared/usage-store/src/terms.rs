//! What metering reads of the tenants' rows in the regional table.
//!
//! `tenant-store` writes these rows; this crate does not know it. Each read names the attributes that
//! it wants, so that DynamoDB sends no other: no organisation, no person, no address. The types have
//! no field that could hold personal data.
//!
//! | pk | sk | read for |
//! |---|---|---|
//! | `TENANT#<tenant>` | `TENANT` | [`UsageTerms`]: `status`, `billing_anchor`, `activated_at`, `closure` |
//! | `TENANT#<tenant>` | `TENANT` | [`PlanTerms`]: `plan`, `alert_thresholds` |
//! | `CLIENT#<client id of the user pool>` | `CLIENT` | [`UsageClient`]: `tenant`, `scopes`, `ends_at` |

use crate::UsageStoreError;
use catalogue::AlertThresholds;
use dynamo::{Attributes as _, Item, Table, from_item, key};
use kernel::{
    BillingAnchor, MachineScope, PlanCode, TenantId, TenantStatus, Timestamp, WindowSize,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};

/// The attributes that are read of tenants and of a client in one request.
const TERMS: [&str; 8] = [
    "pk",
    "tenant",
    "scopes",
    "ends_at",
    "status",
    "billing_anchor",
    "activated_at",
    "closure",
];
const PLAN: [&str; 2] = ["plan", "alert_thresholds"];
const CLIENT: &str = "CLIENT#";

/// Reads the terms of tenants' usage.
#[derive(Debug, Clone)]
pub struct TermsReader {
    table: Table,
}

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

/// What a tenant's usage is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlanTerms {
    /// The plan that the tenant is on.
    pub plan: PlanCode,
    /// The tenant's own thresholds, besides those of the plan.
    #[serde(default)]
    pub alert_thresholds: AlertThresholds,
}

/// A machine client, as far as it reports usage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsageClient {
    /// The tenant.
    pub tenant: TenantId,
    scopes: Vec<MachineScope>,
    #[serde(default)]
    ends_at: Option<Timestamp>,
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

impl UsageClient {
    /// Whether it may do something at a moment.
    #[must_use]
    pub fn may(&self, scope: MachineScope, now: Timestamp) -> bool {
        self.scopes.contains(&scope) && self.ends_at.is_none_or(|end| end > now)
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

impl TermsReader {
    /// Reads the tenants' rows of the regional table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, regional_table: String) -> Self {
        Self {
            table: Table::new(config, regional_table),
        }
    }

    /// The terms of those of the tenants that this region has.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn usage_terms(
        &self,
        tenants: &[TenantId],
    ) -> Result<HashMap<TenantId, UsageTerms>, UsageStoreError> {
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
    ) -> Result<(HashMap<TenantId, UsageTerms>, Option<UsageClient>), UsageStoreError> {
        let distinct: BTreeSet<_> = tenants.iter().copied().collect();
        let mut keys: Vec<_> = client_id.map(client_key).into_iter().collect();
        keys.extend(distinct.into_iter().map(tenant_key));
        let (mut terms, mut client) = (HashMap::with_capacity(keys.len()), None);
        let found = self.table.batch_get(keys).attributes(&TERMS).send().await;
        for item in found.map_err(UsageStoreError::of("load the terms of usage"))? {
            if item
                .text("pk")
                .is_some_and(|partition| partition.starts_with(CLIENT))
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

    /// What a tenant's usage is compared with; nothing where this region does not have the tenant.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn plan_terms(&self, tenant: TenantId) -> Result<Option<PlanTerms>, UsageStoreError> {
        let found = self.table.get_some(tenant_key(tenant), &PLAN).await;
        let found = found.map_err(UsageStoreError::of("load a tenant's plan"))?;
        found.map(|item| stored(item, "tenant")).transpose()
    }
}

fn tenant_key(tenant: TenantId) -> Item {
    key(format!("TENANT#{tenant}"), "TENANT")
}

/// Of a client by its id at the identity provider.
fn client_key(client_id: &str) -> Item {
    key(format!("{CLIENT}{client_id}"), "CLIENT")
}

/// What is stored in an item. The parser's own words are dropped: they may quote the item.
fn stored<T: DeserializeOwned>(item: Item, entity: &'static str) -> Result<T, UsageStoreError> {
    from_item(item).map_err(|_| UsageStoreError::Malformed { entity })
}
