//! Tenants: directory, policy, index, counts and event in one transaction.

use crate::item::{
    count_key, directory_key, due, from_item, policy_key, to_item, unapplied_key,
    unapplied_partition,
};
use crate::{CentralStore, StoreError, UpdateError};
use dynamo::{Attempts, Attributes as _, CONTENTION, Item, Write, number};
use fleet::{CountsChange, DirectoryEntry, Refusal, Tenant, count_change};
use kernel::{RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use std::time::Duration;

/// That nobody changed an item since it was read.
const UNCHANGED: &str = "revision = :revision";

impl CentralStore {
    /// What home holds of a tenant.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_tenant(&self, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
        let keys = vec![directory_key(tenant), policy_key(tenant)];
        let mut attempts = Attempts::of(CONTENTION);
        // Entry and policy are read as they were at one moment: a policy that is older than the
        // entry would look as if it still had to change, or no longer.
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

    /// Changes a tenant as `decide` says: loads it, decides, and writes what changed together with
    /// the event for the region if the policy is to be sent. Decides anew when somebody else was
    /// faster.
    ///
    /// Returns whether anything changed.
    ///
    /// # Errors
    /// When `decide` refuses, or the table does not do it.
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

    /// The tenants of a region whose policy is due for being sent again, the longest overdue first.
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
        // The sort key of a moment is less than any of its rows', so the end is the millisecond
        // after.
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

    /// All that a change writes.
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

    /// The entry and the policy, each if it changed: the entry under its revision, the policy under its
    /// generation.
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

    /// Writes an item where there is none, or under a condition on the revision that was read.
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

/// That nobody changed an entry since it was read: a statement changes its revision, and an
/// erasure, of which there is one, changes that it is not erased.
fn entry_guard(entry: &DirectoryEntry) -> (&'static str, u64) {
    let condition = match entry.erased_at {
        None => "revision = :revision AND attribute_not_exists(erased_at)",
        Some(_) => UNCHANGED,
    };
    (condition, entry.revision)
}

/// The outbox row that tells the region. It waits since it was sent, however old the policy is.
fn sending(outbox: &Outbox, tenant: &Tenant) -> Result<Write, StoreError> {
    let row = Row::new(Target::Home, &tenant.policy.published())
        .map_err(StoreError::malformed("a policy's event"))?;
    Ok(outbox.put(&Row {
        occurred_at: tenant.policy.sent_at,
        ..row
    }))
}
