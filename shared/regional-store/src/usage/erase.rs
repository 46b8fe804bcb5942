//! The end of a tenant's usage: whether any of it waits, and its erasure.

use super::UsageStoreError;
use super::items::{self, Item, PENDING_SHARDS, TENANT_SHARDS};
use super::table::{Table, wait};
use crate::throttled::THROTTLED;
use crate::{Leaving, TenantStore};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use kernel::TenantId;

/// How many items leave in one transaction, which holds the note of them too. A page of a query reads at
/// most 1 MB, so that the items of one fit the 4 MB of a transaction.
const STEP_MAX: i32 = 90;
/// How often a step is tried when others are on the same items.
const ATTEMPTS_MAX: u32 = 5;

/// Looks after the usage of tenants that leave.
#[derive(Debug, Clone)]
pub struct UsageEraser {
    table: Table,
    tenants: TenantStore,
}

impl UsageEraser {
    /// The usage in a table, with the store that keeps the records of erasures.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String, tenants: TenantStore) -> Self {
        Self { table: Table::new(config, table), tenants }
    }

    /// Whether a segment of the tenant's usage waits to be settled. Reads the pointers of the whole region, of
    /// which there are few: a segment is settled within seconds.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn has_pending(&self, tenant: TenantId) -> Result<bool, UsageStoreError> {
        for shard in 0..PENDING_SHARDS {
            let mut start = None;
            loop {
                let page = self
                    .table
                    .client
                    .query()
                    .table_name(&self.table.name)
                    .key_condition_expression("pk = :partition")
                    .filter_expression("tenant = :tenant")
                    .expression_attribute_values(":partition", AttributeValue::S(items::pending_partition(shard)))
                    .expression_attribute_values(":tenant", items::text(tenant))
                    .consistent_read(true)
                    .set_exclusive_start_key(start)
                    .send()
                    .await
                    .map_err(|error| UsageStoreError::of("look for what waits", error))?;
                if page.count() > 0 {
                    return Ok(true);
                }
                start = page.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(false)
    }

    /// Erases some of a tenant's usage: segments first, then totals and identities. The items go and are noted
    /// in the record of the tenant's erasure in one transaction, so that each is noted once however often a
    /// step is cut off or repeated.
    ///
    /// # Errors
    /// When a table fails, or others were on the same items too often.
    pub async fn erase_some(&self, tenant: TenantId) -> Result<Leaving, UsageStoreError> {
        const ACTION: &str = "erase usage";
        for round in 0..ATTEMPTS_MAX {
            let keys = self.first_keys(tenant).await?;
            if keys.is_empty() {
                return Ok(Leaving::None);
            }
            let note = self.tenants.note_of_usage(tenant, keys.len()).map_err(UsageStoreError::unwritable)?;
            let mut writes = vec![note];
            for key in keys {
                writes.push(self.delete(key)?);
            }
            let sent = self.table.client.transact_write_items().set_transact_items(Some(writes)).send().await;
            match sent {
                Ok(_) => return Ok(Leaving::Some),
                // Another run erased some of them, or they expired: what is left is asked for again.
                Err(error) if is_overtaken(&error) => {
                    tokio::time::sleep(wait(round, usize::from(tenant.as_uuid().as_bytes()[15]))).await;
                }
                Err(error) => return Err(UsageStoreError::of(ACTION, error)),
            }
        }
        Err(UsageStoreError::Throttled { action: ACTION })
    }

    /// The keys of the first items that the tenant still has.
    async fn first_keys(&self, tenant: TenantId) -> Result<Vec<Item>, UsageStoreError> {
        let spread = (0..TENANT_SHARDS)
            .flat_map(|shard| [items::segment_partition(tenant, shard), items::run_partition(tenant, shard)]);
        for partition in spread.chain([items::tenant_partition(tenant)]) {
            let page = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .key_condition_expression("pk = :partition")
                .expression_attribute_values(":partition", AttributeValue::S(partition))
                .projection_expression("pk, sk")
                .consistent_read(true)
                .limit(STEP_MAX)
                .send()
                .await
                .map_err(|error| UsageStoreError::of("list what is to be erased", error))?;
            let keys = page.items.unwrap_or_default();
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
        Ok(Vec::new())
    }

    fn delete(&self, key: Item) -> Result<TransactWriteItem, UsageStoreError> {
        let delete = Delete::builder()
            .table_name(&self.table.name)
            .set_key(Some(key))
            .condition_expression("attribute_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

fn is_overtaken(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let passing =
        |code: &str| matches!(code, "ConditionalCheckFailed" | "TransactionConflict") || THROTTLED.contains(&code);
    cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).any(passing)
}
