//! The tenants whose usage is taken, remembered for a short while.

use kernel::{TenantId, TenantStatus, Timestamp};
use regional_store::{TenantReader, TenantStoreError};
use std::collections::{BTreeSet, HashMap};
use tokio::sync::Mutex;

/// How long a tenant that was in use is taken to be so still.
const AGE_MAX_S: i64 = 60;
const TENANTS_MAX: usize = 10_000;

/// Says which tenants are in use. Only a yes is remembered, so that a new tenant is known at once.
#[derive(Debug)]
pub(crate) struct KnownTenants {
    reader: TenantReader,
    seen_at: Mutex<HashMap<TenantId, Timestamp>>,
}

impl KnownTenants {
    pub(crate) fn new(reader: TenantReader) -> Self {
        Self { reader, seen_at: Mutex::default() }
    }

    /// Those of the tenants that are in use in this region.
    pub(crate) async fn in_use(
        &self,
        tenants: &BTreeSet<TenantId>,
        now: Timestamp,
    ) -> Result<BTreeSet<TenantId>, TenantStoreError> {
        let mut seen_at = self.seen_at.lock().await;
        seen_at.retain(|_, seen_at| (now.as_second() - seen_at.as_second()).abs() < AGE_MAX_S);
        let unknown: Vec<TenantId> = tenants.iter().filter(|tenant| !seen_at.contains_key(tenant)).copied().collect();
        if !unknown.is_empty() {
            let statuses = self.reader.statuses(&unknown).await?;
            let found = statuses.into_iter().filter(|(_, status)| is_in_use(*status));
            if seen_at.len() + unknown.len() > TENANTS_MAX {
                seen_at.retain(|tenant, _| tenants.contains(tenant));
            }
            seen_at.extend(found.map(|(tenant, _)| (tenant, now)));
        }
        Ok(tenants.iter().filter(|tenant| seen_at.contains_key(tenant)).copied().collect())
    }
}

/// Whether there can be usage: what a tenant used before it was suspended, or while it is closing, is billed.
const fn is_in_use(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Provisioning
        | TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Closed => false,
    }
}
