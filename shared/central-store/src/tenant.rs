//! Tenants: directory, policy, index, counts and event in one transaction.

use crate::item::{
    Item, count_key, directory_key, due, from_item, number, policy_key, sort_of, text, to_item, unapplied_key,
    unapplied_partition,
};
use crate::{CentralStore, StoreError, UpdateError};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Delete, Get, Put, TransactGetItem, TransactWriteItem, Update};
use fleet::{CountsChange, DesiredPolicy, DirectoryEntry, Refusal, Tenant, count_change};
use kernel::{RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use std::time::Duration;

/// That nobody changed an item since it was read.
const UNCHANGED: &str = "revision = :revision";
pub(crate) const ATTEMPTS_MAX: u32 = 8;
const PAUSE_MS: u64 = 15;

/// What became of one attempt at a transaction.
pub(crate) enum Attempt<T> {
    Done(T),
    Conflict,
}

impl CentralStore {
    /// What home holds of a tenant.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_tenant(&self, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            if let Attempt::Done(tenant) = self.try_load(tenant).await? {
                return Ok(tenant);
            }
            pause(attempt).await;
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// Changes a tenant as `decide` says: loads it, decides, and writes what changed together with the
    /// event for the region if the policy is to be sent. Decides anew when somebody else was faster.
    ///
    /// Returns whether anything changed.
    ///
    /// # Errors
    /// When `decide` refuses, or the table does not do it.
    pub async fn update_tenant<D>(&self, outbox: &Outbox, tenant: TenantId, decide: D) -> Result<bool, UpdateError>
    where
        D: Fn(Option<&Tenant>) -> Result<Option<Tenant>, Refusal>,
    {
        for attempt in 0..ATTEMPTS_MAX {
            let before = self.load_tenant(tenant).await.map_err(UpdateError::Store)?;
            let Some(after) = decide(before.as_ref()).map_err(UpdateError::Refused)? else {
                return Ok(false);
            };
            let written = self.try_record(outbox, before.as_ref(), &after).await;
            if let Attempt::Done(()) = written.map_err(UpdateError::Store)? {
                return Ok(true);
            }
            pause(attempt).await;
        }
        Err(UpdateError::Store(StoreError::Contended { attempts: ATTEMPTS_MAX }))
    }

    /// The tenants of a region whose policy is due for being sent again, the longest overdue first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_due(&self, region: &RegionCode, now: Timestamp, limit: u16) -> Result<Vec<TenantId>, StoreError> {
        let what = "unapplied policies";
        // The sort key of a moment is less than any of its rows', so the end is the millisecond after.
        let end = due(now.saturating_add(Duration::from_millis(1)).unwrap_or(Timestamp::MAX));
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :partition AND sk < :end")
            .expression_attribute_values(":partition", text(unapplied_partition(region)))
            .expression_attribute_values(":end", text(end))
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| StoreError::read(what)(error.into()))?;
        let tenant = |item: &Item| {
            let id = sort_of(item).split_once('#').map_or("", |(_, id)| id);
            id.parse().map_err(|error: kernel::Invalid| StoreError::malformed(what)(error.into()))
        };
        found.items().iter().map(tenant).collect()
    }

    /// Reads entry and policy as they were at one moment: a policy that is older than the entry would
    /// look as if it still had to change, or no longer.
    async fn try_load(&self, tenant: TenantId) -> Result<Attempt<Option<Tenant>>, StoreError> {
        let what = "a tenant";
        let mut request = self.client.transact_get_items();
        for key in [directory_key(tenant), policy_key(tenant)] {
            let get = Get::builder().table_name(&self.table).set_key(Some(key)).build();
            let get = get.map_err(StoreError::unbuilt(what))?;
            request = request.transact_items(TransactGetItem::builder().get(get).build());
        }
        let found = match request.send().await {
            Ok(found) => found,
            Err(error) if is_read_conflict(&error) => return Ok(Attempt::Conflict),
            Err(error) => return Err(StoreError::read(what)(error.into())),
        };
        let mut items = found.responses.unwrap_or_default().into_iter().map(|response| response.item);
        let (Some(Some(entry)), Some(Some(policy))) = (items.next(), items.next()) else {
            return Ok(Attempt::Done(None));
        };
        let entry = from_item("a directory entry", entry)?;
        let policy = from_item("a policy", policy)?;
        Ok(Attempt::Done(Some(Tenant { entry, policy })))
    }

    async fn try_record(
        &self,
        outbox: &Outbox,
        before: Option<&Tenant>,
        after: &Tenant,
    ) -> Result<Attempt<()>, StoreError> {
        let what = "a tenant";
        self.list_region(&after.entry.region).await?;
        let mut writes = self.record_writes(before, after)?;
        writes.extend(self.index_writes(before, after)?);
        for counted in count_change(before, after) {
            writes.push(self.count_write(after.entry.tenant, &counted)?);
        }
        if after.policy.is_sent_after(before.map(|before| &before.policy)) {
            writes.push(sending(outbox, after)?);
        }
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(Attempt::Done(())),
            Err(error) if is_write_conflict(&error) => Ok(Attempt::Conflict),
            Err(error) => Err(StoreError::write(what)(error.into())),
        }
    }

    /// The entry and the policy, each if it changed and under its own revision.
    fn record_writes(&self, before: Option<&Tenant>, after: &Tenant) -> Result<Vec<TransactWriteItem>, StoreError> {
        let tenant = after.entry.tenant;
        let mut writes = Vec::new();
        if before.is_none_or(|before| before.entry != after.entry) {
            let item = to_item("a directory entry", directory_key(tenant), &after.entry)?;
            writes.push(self.guarded_put(item, before.map(|before| entry_guard(&before.entry)))?);
        }
        if before.is_none_or(|before| before.policy != after.policy) {
            let item = to_item("a policy", policy_key(tenant), &after.policy)?;
            let guard = |policy: &DesiredPolicy| (UNCHANGED, policy.revision);
            writes.push(self.guarded_put(item, before.map(|before| guard(&before.policy)))?);
        }
        Ok(writes)
    }

    /// Writes an item where there is none, or under a condition on the revision that was read.
    pub(crate) fn guarded_put(&self, item: Item, guard: Option<(&str, u64)>) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match guard {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some((condition, revision)) => {
                put.condition_expression(condition).expression_attribute_values(":revision", number(revision))
            }
        };
        let put = put.build().map_err(StoreError::unbuilt("a tenant"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn index_writes(&self, before: Option<&Tenant>, after: &Tenant) -> Result<Vec<TransactWriteItem>, StoreError> {
        let what = "the index of unapplied policies";
        let old = before.and_then(|before| unapplied_key(&before.policy));
        let new = unapplied_key(&after.policy);
        let mut writes = Vec::new();
        if old == new {
            return Ok(writes);
        }
        if let Some(key) = old {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(key));
            let delete = delete.build().map_err(StoreError::unbuilt(what))?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        if let Some(item) = new {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put.build().map_err(StoreError::unbuilt(what))?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        Ok(writes)
    }

    fn count_write(&self, tenant: TenantId, counted: &CountsChange) -> Result<TransactWriteItem, StoreError> {
        let changed = counted.change.named().into_iter().filter(|(_, change)| *change != 0);
        let mut update = Update::builder().table_name(&self.table).set_key(Some(count_key(&counted.region, tenant)));
        let mut terms = Vec::new();
        for (name, change) in changed {
            terms.push(format!("#{name} :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), number(change));
        }
        let update = update.update_expression(format!("ADD {}", terms.join(", "))).build();
        let update = update.map_err(StoreError::unbuilt("a region's counts"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// That nobody changed an entry since it was read: a statement changes its revision, and an erasure, of
/// which there is one, changes that it is not erased.
fn entry_guard(entry: &DirectoryEntry) -> (&'static str, u64) {
    let condition = match entry.erased_at {
        None => "revision = :revision AND attribute_not_exists(erased_at)",
        Some(_) => UNCHANGED,
    };
    (condition, entry.revision)
}

/// The outbox row that tells the region. It waits since it was sent, however old the policy is.
fn sending(outbox: &Outbox, tenant: &Tenant) -> Result<TransactWriteItem, StoreError> {
    let what = "a policy's event";
    let row = Row::new(Target::Home, &tenant.policy.published())
        .map_err(|error| StoreError::malformed(what)(error.into()))?;
    let row = Row { occurred_at: tenant.policy.sent_at, ..row };
    outbox.put(&row).map_err(StoreError::unbuilt(what))
}

/// Waits a little longer each time, so that those who collided do not collide again.
pub(crate) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(PAUSE_MS * u64::from(attempt + 1))).await;
}

fn is_read_conflict(error: &SdkError<TransactGetItemsError>) -> bool {
    matches!(
        error.as_service_error(),
        Some(TransactGetItemsError::TransactionCanceledException(cancelled))
            if is_conflict(cancelled.cancellation_reasons())
    )
}

pub(crate) fn is_write_conflict(error: &SdkError<TransactWriteItemsError>) -> bool {
    matches!(
        error.as_service_error(),
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
            if is_conflict(cancelled.cancellation_reasons())
    )
}

/// Whether nothing but other writers stood in the way: reading again can help then.
fn is_conflict(reasons: &[CancellationReason]) -> bool {
    let mut codes = reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").peekable();
    codes.peek().is_some() && codes.all(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
}
