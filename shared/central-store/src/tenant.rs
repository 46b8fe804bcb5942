//! Tenants: directory, policy, index, counts and event in one transaction.

use crate::CentralStore;
use crate::error::{StoreError, UpdateError};
use crate::item::{
    count_key, directory_key, due, from_item, policy_key, to_item, unapplied_key,
    unapplied_partition,
};
use dynamo::{Attempts, Attributes as _, CONTENTION, Item, Write, number};
use fleet::{CountsChange, DirectoryEntry, Refusal, Tenant, count_change};
use kernel::{RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use std::time::Duration;

/// The condition that an item has not changed since it was read.
const UNCHANGED: &str = "revision = :revision";

impl CentralStore {
    /// Loads a tenant's directory entry and policy.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_tenant(&self, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
        let keys = vec![directory_key(tenant), policy_key(tenant)];
        let mut attempts = Attempts::of(CONTENTION);
        // Entry and policy are read as of the same time: with a policy older than the entry, a
        // decision could change it needlessly, or not at all.
        let found = loop {
            match self.table.snapshot(keys.clone()).await {
                Ok(found) => break found,
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(StoreError::read("a tenant"))?,
            }
        };
        let mut items = found.into_iter();
        let (Some(Some(entry)), Some(Some(policy))) = (items.next(), items.next()) else {
            return Ok(None);
        };
        let entry = from_item("a directory entry", entry)?;
        let policy = from_item("a policy", policy)?;
        Ok(Some(Tenant { entry, policy }))
    }

    /// Updates a tenant by `decide`, and stores the event for the region with the change if the
    /// policy is to be sent. Repeats the decision if another writer was faster.
    ///
    /// Returns whether the tenant changed.
    ///
    /// # Errors
    /// When `decide` refuses, or the table cannot be read or written.
    pub async fn update_tenant<D>(
        &self,
        outbox: &Outbox,
        tenant: TenantId,
        decide: D,
    ) -> Result<bool, UpdateError>
    where
        D: Fn(Option<&Tenant>) -> Result<Option<Tenant>, Refusal>,
    {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let before = self.load_tenant(tenant).await.map_err(UpdateError::Store)?;
            let Some(after) = decide(before.as_ref()).map_err(UpdateError::Refused)? else {
                return Ok(false);
            };
            // Listed first: a region without records shows as unknown, but records of a region that
            // is not listed would never be found.
            self.list_region(&after.entry.region)
                .await
                .map_err(UpdateError::Store)?;
            let writes = self
                .writes(outbox, before.as_ref(), &after)
                .map_err(UpdateError::Store)?;
            match self.table.transact(writes).await {
                Ok(()) => return Ok(true),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(UpdateError::write("a tenant"))?,
            }
        }
    }

    /// Loads up to `limit` tenants of a region whose policy is due to be sent again, longest
    /// overdue first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_due_tasks(
        &self,
        region: &RegionCode,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<TenantId>, StoreError> {
        let what = "unapplied policies";
        // The sort keys of a time start with it, so the end of the range is the next millisecond.
        let end = due(now
            .saturating_add(Duration::from_millis(1))
            .unwrap_or(Timestamp::MAX));
        let query = self
            .table
            .query(unapplied_partition(region))
            .before(end)
            .limit(limit);
        let found = query.page().await.map_err(StoreError::read(what))?;
        let tenant = |item: &Item| {
            let id = item.sort().split_once('#').map_or("", |(_, id)| id);
            id.parse()
                .map_err(|error: kernel::Invalid| StoreError::malformed(what)(error))
        };
        found.items.iter().map(tenant).collect()
    }

    /// All writes of a change.
    fn writes(
        &self,
        outbox: &Outbox,
        before: Option<&Tenant>,
        after: &Tenant,
    ) -> Result<Vec<Write>, StoreError> {
        let mut writes = self.record_writes(before, after)?;
        writes.extend(self.index_writes(before, after));
        writes.extend(
            count_change(before, after)
                .iter()
                .map(|counted| self.count_write(after.entry.tenant, counted)),
        );
        if after
            .policy
            .is_sent_after(before.map(|before| &before.policy))
        {
            writes.push(sending(outbox, after)?);
        }
        Ok(writes)
    }

    /// The writes of entry and policy, each only if it changed, and guarded by its own revision.
    fn record_writes(
        &self,
        before: Option<&Tenant>,
        after: &Tenant,
    ) -> Result<Vec<Write>, StoreError> {
        let tenant = after.entry.tenant;
        let mut writes = Vec::new();
        if before.is_none_or(|before| before.entry != after.entry) {
            let item = to_item("a directory entry", directory_key(tenant), &after.entry)?;
            writes.push(self.guarded_put(item, before.map(|before| entry_guard(&before.entry))));
        }
        if before.is_none_or(|before| before.policy != after.policy) {
            let item = to_item("a policy", policy_key(tenant), &after.policy)?;
            let read = before.map(|before| before.policy.generation);
            writes.push(self.table.put(item).if_generation(read.unwrap_or_default()));
        }
        Ok(writes)
    }

    /// A put of an item that must not exist, or that must have the revision that was read.
    pub(crate) fn guarded_put(&self, item: Item, guard: Option<(&str, u64)>) -> Write {
        let put = self.table.put(item);
        match guard {
            None => put.if_absent(),
            Some((condition, revision)) => put.when(condition).value(":revision", number(revision)),
        }
    }

    fn index_writes(&self, before: Option<&Tenant>, after: &Tenant) -> Vec<Write> {
        let old = before.and_then(|before| unapplied_key(&before.policy));
        let new = unapplied_key(&after.policy);
        // Nothing changes. A transaction may also not write the same item twice.
        if old == new {
            return Vec::new();
        }
        let (old, new) = (
            old.map(|key| self.table.delete(key)),
            new.map(|item| self.table.put(item)),
        );
        old.into_iter().chain(new).collect()
    }

    fn count_write(&self, tenant: TenantId, counted: &CountsChange) -> Write {
        let changed: Vec<_> = counted
            .change
            .named()
            .into_iter()
            .filter(|(_, change)| *change != 0)
            .collect();
        let terms: Vec<String> = changed
            .iter()
            .map(|(name, _)| format!("#{name} :{name}"))
            .collect();
        let update = self.table.update(
            count_key(&counted.region, tenant),
            format!("ADD {}", terms.join(", ")),
        );
        changed.into_iter().fold(update, |update, (name, change)| {
            update
                .name(format!("#{name}"), name)
                .value(format!(":{name}"), number(change))
        })
    }
}

/// The condition that an entry has not changed since it was read. A status event changes its
/// revision. An erasure happens once and sets `erased_at`.
fn entry_guard(entry: &DirectoryEntry) -> (&'static str, u64) {
    let condition = match entry.erased_at {
        None => "revision = :revision AND attribute_not_exists(erased_at)",
        Some(_) => UNCHANGED,
    };
    (condition, entry.revision)
}

/// The outbox row with the policy's event. Its age counts from the sending, however old the policy
/// is.
fn sending(outbox: &Outbox, tenant: &Tenant) -> Result<Write, StoreError> {
    let row = Row::new(Target::Home, &tenant.policy.published())
        .map_err(StoreError::malformed("a policy's event"))?;
    Ok(outbox.put(&Row {
        occurred_at: tenant.policy.sent_at,
        ..row
    }))
}
