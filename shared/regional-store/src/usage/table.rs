//! Batches: what DynamoDB leaves undone is asked for again, a bounded number of times.

use super::UsageStoreError;
use super::items::Item;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeysAndAttributes, PutRequest, WriteRequest};
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use std::time::Duration;

/// The most that `BatchWriteItem` takes.
const BATCH_WRITES_MAX: usize = 25;
/// The most keys of one `BatchGetItem`. Of the largest items, an answer has some forty; the rest is asked for again.
const BATCH_KEYS_MAX: usize = 50;
const BATCHES_AT_ONCE: usize = 8;
const ROUNDS_MAX: u32 = 6;
const FIRST_WAIT_MS: u64 = 25;

/// A table, as all parts of this module use it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

/// How long to wait before a further round: twice as long each time, and not the same for everyone.
pub(super) fn wait(round: u32, seed: usize) -> Duration {
    let longest = FIRST_WAIT_MS << round.min(6);
    let spread = seed.wrapping_mul(0x9e37_79b9) as u64 % longest.max(1);
    Duration::from_millis(longest / 2 + spread / 2)
}

/// Waits before every round but the first: in all at most 775 ms.
async fn before(round: u32, seed: usize) {
    if let Some(last) = round.checked_sub(1) {
        tokio::time::sleep(wait(last, seed)).await;
    }
}

impl Table {
    pub(super) fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self { client: Client::new(config), name }
    }

    /// Puts items, in any order. When it fails, any of them may have been put.
    pub(super) async fn put_all(&self, action: &'static str, items: Vec<Item>) -> Result<(), UsageStoreError> {
        let requests: Vec<WriteRequest> = items
            .into_iter()
            .map(|item| {
                let put = PutRequest::builder().set_item(Some(item)).build()?;
                Ok(WriteRequest::builder().put_request(put).build())
            })
            .collect::<Result<_, UsageStoreError>>()?;
        let batches: Vec<Vec<WriteRequest>> = requests.chunks(BATCH_WRITES_MAX).map(<[_]>::to_vec).collect();
        iter(batches).map(Ok).try_for_each_concurrent(BATCHES_AT_ONCE, |batch| self.write_batch(action, batch)).await
    }

    async fn write_batch(&self, action: &'static str, batch: Vec<WriteRequest>) -> Result<(), UsageStoreError> {
        let mut open = batch;
        for round in 0..ROUNDS_MAX {
            before(round, open.len()).await;
            let done = self.client.batch_write_item().request_items(&self.name, open).send().await;
            let mut left = done.map_err(|error| UsageStoreError::of(action, error))?.unprocessed_items;
            open = left.as_mut().and_then(|left| left.remove(&self.name)).unwrap_or_default();
            if open.is_empty() {
                return Ok(());
            }
        }
        Err(UsageStoreError::Throttled { action })
    }

    /// Deletes an item, if it is there.
    pub(super) async fn delete(&self, action: &'static str, key: Item) -> Result<(), UsageStoreError> {
        let deleted = self.client.delete_item().table_name(&self.name).set_key(Some(key)).send().await;
        deleted.map(|_| ()).map_err(|error| UsageStoreError::of(action, error))
    }

    /// Gets the items of keys that exist, in any order, as they are now.
    pub(super) async fn get_all(&self, action: &'static str, keys: Vec<Item>) -> Result<Vec<Item>, UsageStoreError> {
        self.get_batches(action, &keys, true).await
    }

    /// The same of items that are written once and never changed: at half the price where every replica has them, which is
    /// but for the first moments.
    pub(super) async fn get_all_written(
        &self,
        action: &'static str,
        keys: &[Item],
    ) -> Result<Vec<Item>, UsageStoreError> {
        let mut found = self.get_batches(action, keys, false).await?;
        let is_found =
            |key: &&Item| found.iter().any(|item| key.iter().all(|(name, value)| item.get(name) == Some(value)));
        let unseen: Vec<Item> = keys.iter().filter(|key| !is_found(key)).cloned().collect();
        found.extend(self.get_batches(action, &unseen, true).await?);
        Ok(found)
    }

    async fn get_batches(
        &self,
        action: &'static str,
        keys: &[Item],
        is_consistent: bool,
    ) -> Result<Vec<Item>, UsageStoreError> {
        let batches: Vec<Vec<Item>> = keys.chunks(BATCH_KEYS_MAX).map(<[_]>::to_vec).collect();
        let found: Vec<Vec<Item>> = iter(batches)
            .map(|batch| self.get_batch(action, batch, is_consistent))
            .buffer_unordered(BATCHES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get_batch(
        &self,
        action: &'static str,
        keys: Vec<Item>,
        is_consistent: bool,
    ) -> Result<Vec<Item>, UsageStoreError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut open = keys;
        for round in 0..ROUNDS_MAX {
            before(round, open.len()).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(is_consistent).build()?;
            let got = self.client.batch_get_item().request_items(&self.name, wanted).send().await;
            let got = got.map_err(|error| UsageStoreError::of(action, error))?;
            let mut items = got.responses.unwrap_or_default();
            found.extend(items.remove(&self.name).unwrap_or_default());
            let mut left = got.unprocessed_keys.unwrap_or_default();
            open = left.remove(&self.name).map(|left| left.keys).unwrap_or_default();
            if open.is_empty() {
                return Ok(found);
            }
        }
        Err(UsageStoreError::Throttled { action })
    }
}
