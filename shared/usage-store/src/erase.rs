//! The erasure of a tenant's usage, and whether any of it is still pending.

use crate::UsageStoreError;
use crate::items::{self, PENDING_SHARDS, TENANT_SHARDS};
use dynamo::{Attempts, CONTENTION, Item, Leaving, Table, Write, text};
use kernel::TenantId;

/// The most items erased in one transaction: DynamoDB allows 100 writes, one of which is the note.
/// A page of a query reads at most 1 MB, so its items also fit the 4 MB of a transaction.
const STEP_MAX: u16 = 90;

/// Erases the usage of closed tenants.
#[derive(Debug, Clone)]
pub struct UsageEraser {
    table: Table,
}

impl UsageEraser {
    /// Erases from a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// Whether a segment of the tenant is not yet rolled up. Reads the pending markers of the whole
    /// region, which are few because a segment is rolled up within seconds.
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
                .map_err(UsageStoreError::of("list pending segments"))?
            {
                if !found.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Erases up to one transaction of a tenant's items: segments and dedupe keys first, then
    /// totals. `note` returns the write that adds their number to the record of the tenant's
    /// erasure, in another store. One transaction deletes and counts the items, so each is counted
    /// once however often a step is interrupted or repeated.
    ///
    /// # Errors
    /// When a table fails, or concurrent erasures of the same items collide too often.
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
                // Another invocation erased some of them, or they expired: the next round lists the
                // items that are left.
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(UsageStoreError::of("erase usage"))?,
            }
        }
    }

    /// The keys of the tenant's first remaining items.
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
                .map_err(UsageStoreError::of("list items for erasure"))?
                .items;
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
        Ok(Vec::new())
    }
}
