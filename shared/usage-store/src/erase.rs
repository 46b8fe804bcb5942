//! The end of a tenant's usage: whether any of it waits, and its erasure.

use crate::UsageStoreError;
use crate::items::{self, PENDING_SHARDS, TENANT_SHARDS};
use dynamo::{Attempts, CONTENTION, Item, Leaving, Table, Write, text};
use kernel::TenantId;

/// How many items leave in one transaction, which holds the note of them too. A page of a query
/// reads at most 1 MB, so that the items of one fit the 4 MB of a transaction.
const STEP_MAX: u16 = 90;

/// Looks after the usage of tenants that leave.
#[derive(Debug, Clone)]
pub struct UsageEraser {
    table: Table,
}

impl UsageEraser {
    /// The usage in a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Whether a segment of the tenant's usage waits to be settled. Reads the pending markers of the whole
    /// region, of which there are few: a segment is settled within seconds.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn has_pending(&self, tenant: TenantId) -> Result<bool, UsageStoreError> {
        for shard in PENDING_SHARDS.all() {
            let query = self
                .table
                .query(items::pending_partition(shard))
                .consistent();
            let query = query
                .filter("tenant = :tenant")
                .value(":tenant", text(tenant.to_string()));
            let mut pages = query.pages();
            while let Some(found) = pages
                .next()
                .await
                .map_err(UsageStoreError::of("look for what waits"))?
            {
                if !found.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Erases some of a tenant's usage: segments first, then totals and identities. `note` makes the
    /// write that counts so many items in the record of the tenant's erasure, which another store
    /// keeps. The items go and are counted in one transaction, so that each is counted once however
    /// often a step is cut off or repeated.
    ///
    /// # Errors
    /// When a table fails, or others were on the same items too often.
    pub async fn erase_some(
        &self,
        tenant: TenantId,
        note: impl Fn(usize) -> Write,
    ) -> Result<Leaving, UsageStoreError> {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let keys = self.first_keys(tenant).await?;
            if keys.is_empty() {
                return Ok(Leaving::None);
            }
            let mut writes = vec![note(keys.len())];
            writes.extend(
                keys.into_iter()
                    .map(|key| self.table.delete(key).if_present()),
            );
            match self.table.transact(writes).await {
                Ok(()) => return Ok(Leaving::Some),
                // Another run erased some of them, or they expired: what is left is asked for
                // again.
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(UsageStoreError::of("erase usage"))?,
            }
        }
    }

    /// The keys of the first items that the tenant still has.
    async fn first_keys(&self, tenant: TenantId) -> Result<Vec<Item>, UsageStoreError> {
        let spread = TENANT_SHARDS.all().flat_map(|shard| {
            [
                items::segment_partition(tenant, shard),
                items::run_partition(tenant, shard),
            ]
        });
        for partition in spread.chain([items::tenant_partition(tenant)]) {
            let query = self
                .table
                .query(partition)
                .attributes(&["pk", "sk"])
                .consistent()
                .limit(STEP_MAX);
            let keys = query
                .page()
                .await
                .map_err(UsageStoreError::of("list what is to be erased"))?
                .items;
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
        Ok(Vec::new())
    }
}
