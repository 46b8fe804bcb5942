//! Accounts of tenants, singly and in lists.

use crate::BillingStore;
use crate::error::StoreError;
use crate::item::{
    ACCOUNT, RECEIVED_PREFIX, SHARDS, account_key, from_item, generation, listing_key,
    listing_partition, tenant_partition, to_item,
};
use crate::slot::TimeSlot;
use billing::{Account, SequenceTracker};
use contract::TenantStatusChanged;
use dynamo::{Attempts, Attributes as _, CROWD, Item, Write};
use kernel::{Generation, RegionCode, TenantId, Timestamp};

/// The record of a tenant, without its usage and invoices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantRecord {
    /// The account, once a change of status was recorded.
    pub account: Option<Account>,
    /// The received usage reports, one tracker per region.
    pub received: Vec<SequenceTracker>,
}

impl TenantRecord {
    /// The number of usage reports that are known to be missing.
    #[must_use]
    pub fn missing_reports(&self) -> u64 {
        self.received.iter().fold(0, |sum, tracker| {
            sum.saturating_add(tracker.received.missing())
        })
    }
}

impl BillingStore {
    /// Loads the record of a tenant.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_tenant(&self, tenant: TenantId) -> Result<TenantRecord, StoreError> {
        let what = "a tenant";
        let mut record = TenantRecord::default();
        let take = |item: Item| {
            match item.sort() {
                ACCOUNT => record.account = Some(from_item(what, item)?),
                sort if sort.starts_with(RECEIVED_PREFIX) => {
                    record.received.push(from_item(what, item)?)
                }
                _ => {}
            }
            Ok(())
        };
        self.each_item(what, tenant_partition(tenant), "", take)
            .await?;
        Ok(record)
    }

    /// Records a change of a tenant's status. Changes may arrive in any order.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written.
    pub async fn record_status(
        &self,
        event: &TenantStatusChanged,
        region: &RegionCode,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let what = "an account";
        let mut attempts = Attempts::of(CROWD);
        loop {
            let found = self.get(what, account_key(event.tenant)).await?;
            let generation = generation(what, found.as_ref())?;
            let account = found.map_or_else(
                || Ok(Account::new(event.tenant)),
                |item| from_item(what, item),
            )?;
            let Some(account) = account.with_change(event, region, at) else {
                return Ok(());
            };
            match self
                .table
                .transact(self.account_writes(&account, generation)?)
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(StoreError::write(what))?,
            }
        }
    }

    /// The account and its copy in the list of all accounts.
    fn account_writes(
        &self,
        account: &Account,
        generation: Generation,
    ) -> Result<Vec<Write>, StoreError> {
        let what = "an account";
        let item = to_item(what, account_key(account.tenant), account)?;
        let listed = to_item(what, listing_key(account.tenant), account)?;
        Ok(vec![
            self.guarded_put(item, generation),
            self.table.put(listed),
        ])
    }

    /// Loads all accounts page by page, and returns what `each` selects, so that memory does not
    /// hold every account.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_accounts<T>(
        &self,
        each: impl Fn(&Account) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut taken = Vec::new();
        for shard in SHARDS.all() {
            taken.extend(self.load_listed(shard, &each).await?);
        }
        Ok(taken)
    }

    /// Loads the accounts of a time slot.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_accounts_of(&self, slot: TimeSlot) -> Result<Vec<Account>, StoreError> {
        self.load_listed(slot.shard(), |account| {
            slot.is_of(account.tenant).then(|| account.clone())
        })
        .await
    }

    async fn load_listed<T>(
        &self,
        shard: u8,
        each: impl Fn(&Account) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let what = "accounts";
        let mut taken = Vec::new();
        let take = |item| from_item(what, item).map(|account| taken.extend(each(&account)));
        self.each_item(what, listing_partition(shard), "", take)
            .await?;
        Ok(taken)
    }
}
