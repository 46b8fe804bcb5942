//! Reads the terms of a tenant's usage from the tenants' rows in the regional table.
//!
//! `tenant-store` writes these rows; this crate does not depend on it. Each read names its
//! attributes, so that DynamoDB sends no other: no organisation, no person, no address. The types
//! have no field that could hold personal data.
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

/// The attributes read of tenants and of a client in one request.
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

/// Reads the terms of tenants' usage from the regional table.
#[derive(Debug, Clone)]
pub struct TermsReader {
    table: Table,
}

/// The attributes of a tenant on which accepting its usage depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageTerms {
    /// The lifecycle status. A closing tenant whose usage is fenced off counts as closed.
    pub status: TenantStatus,
    /// The anchor that sets when its days and billing periods begin.
    pub billing_anchor: BillingAnchor,
    /// The time of its activation.
    pub activated_at: Option<Timestamp>,
}

/// A tenant's plan and alert thresholds, which its usage is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlanTerms {
    /// The tenant's plan.
    pub plan: PlanCode,
    /// The tenant's own thresholds, in addition to the plan's.
    #[serde(default)]
    pub alert_thresholds: AlertThresholds,
}

/// A machine client that may send usage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsageClient {
    /// The tenant to which the client belongs.
    pub tenant: TenantId,
    scopes: Vec<MachineScope>,
    #[serde(default)]
    ends_at: Option<Timestamp>,
}

impl UsageTerms {
    /// The first billable moment: the start of the billing period in which the tenant became
    /// active. None for a tenant that never did.
    #[must_use]
    pub fn first_moment(&self) -> Option<Timestamp> {
        self.activated_at
            .map(|at| WindowSize::Month.start(at, self.billing_anchor))
    }
}

impl UsageClient {
    /// Whether the client has a scope at a moment.
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

    /// The terms of the tenants; those that this region does not have are absent.
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

    /// Like [`TermsReader::usage_terms`], with the client of a token in the same request.
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
            // No usage of a closing tenant is accepted after its fence, as of a closed one.
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

    /// The plan and the thresholds of a tenant. None where this region does not have the tenant.
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

/// The key of a client, by its id in the user pool.
fn client_key(client_id: &str) -> Item {
    key(format!("{CLIENT}{client_id}"), "CLIENT")
}

/// Parses an item. The parser's message is dropped, since it may quote the item.
fn stored<T: DeserializeOwned>(item: Item, entity: &'static str) -> Result<T, UsageStoreError> {
    from_item(item).map_err(|_| UsageStoreError::Malformed { entity })
}
