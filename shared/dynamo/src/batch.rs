//! Batches. Unprocessed parts are requested again, a bounded number of times.

use crate::call::call;
use crate::error::Error;
use crate::item::projection;
use crate::item::{Item, has_key};
use crate::retry::Attempts;
use crate::retry::BATCH;
use crate::table::Table;
use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};

/// The most writes of a `BatchWriteItem`.
const WRITES_MAX: usize = 25;
/// The most keys of a `BatchGetItem`.
const KEYS_MAX: usize = 100;
/// The most keys of large items in a request. A response has at most 16 MB, some forty of the
/// largest items; further keys are returned unprocessed.
const LARGE_KEYS_MAX: usize = 50;
/// The number of concurrent requests. More would wait for connections.
const BATCHES_AT_ONCE: usize = 8;

/// A read of many items by their keys.
#[must_use]
pub struct BatchGet<'t> {
    table: &'t Table,
    keys: Vec<Item>,
    attributes: &'t [&'t str],
    keys_max: usize,
}

impl<'t> BatchGet<'t> {
    pub(crate) const fn new(table: &'t Table, keys: Vec<Item>) -> Self {
        Self {
            table,
            keys,
            attributes: &[],
            keys_max: KEYS_MAX,
        }
    }

    /// Reads only some attributes of the items.
    pub fn attributes(self, attributes: &'t [&'t str]) -> Self {
        Self { attributes, ..self }
    }

    /// Uses smaller requests, for items of tens of kilobytes or more.
    pub fn of_large_items(self) -> Self {
        Self {
            keys_max: LARGE_KEYS_MAX,
            ..self
        }
    }

    /// Reads the existing items consistently, in any order.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn send(self) -> Result<Vec<Item>, Error> {
        self.get(&self.keys, true).await
    }

    /// Reads items that are written once and never change. An eventually consistent read costs
    /// half, and only the keys that it does not find are read consistently.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn send_unchanging(self) -> Result<Vec<Item>, Error> {
        let mut found = self.get(&self.keys, false).await?;
        // A replica may lack an item for a moment after its write.
        let is_found = |key: &&Item| found.iter().any(|item| has_key(item, key));
        let unseen: Vec<Item> = self
            .keys
            .iter()
            .filter(|key| !is_found(key))
            .cloned()
            .collect();
        found.extend(self.get(&unseen, true).await?);
        Ok(found)
    }

    async fn get(&self, keys: &[Item], is_consistent: bool) -> Result<Vec<Item>, Error> {
        let batches: Vec<Vec<Item>> = keys.chunks(self.keys_max).map(<[_]>::to_vec).collect();
        let found: Vec<Vec<Item>> = iter(batches)
            .map(|batch| self.get_batch(batch, is_consistent))
            .buffer_unordered(BATCHES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get_batch(&self, keys: Vec<Item>, is_consistent: bool) -> Result<Vec<Item>, Error> {
        let Table { client, name } = self.table;
        let (expression, names) = projection(self.attributes);
        let mut found = Vec::with_capacity(keys.len());
        let (mut open, mut attempts) = (keys, Attempts::of(BATCH));
        loop {
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(open))
                .consistent_read(is_consistent)
                .set_projection_expression(expression.clone())
                .set_expression_attribute_names(names.clone())
                .build()?;
            let got = call(client.batch_get_item().request_items(name, wanted).send()).await?;
            found.extend(
                got.responses
                    .unwrap_or_default()
                    .remove(name)
                    .unwrap_or_default(),
            );
            open = got
                .unprocessed_keys
                .unwrap_or_default()
                .remove(name)
                .map(|left| left.keys)
                .unwrap_or_default();
            if open.is_empty() {
                return Ok(found);
            }
            attempts
                .again(Error::Throttled { is_repeated: false })
                .await?;
        }
    }
}

impl Table {
    /// Puts items in any order.
    ///
    /// # Errors
    /// [`Error`] when the table fails. Any of the items may have been written.
    pub async fn put_all(&self, items: Vec<Item>) -> Result<(), Error> {
        let put = |item| {
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let requests: Result<_, Error> = items.into_iter().map(put).collect();
        self.write_all(requests?).await
    }

    /// Deletes the items of keys where they are there, in any order. DynamoDB takes each key once.
    ///
    /// # Errors
    /// When the table fails; any of them may have been deleted then.
    pub async fn delete_all(&self, keys: Vec<Item>) -> Result<(), Error> {
        let delete = |key| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let requests: Result<_, Error> = keys.into_iter().map(delete).collect();
        self.write_all(requests?).await
    }

    async fn write_all(&self, requests: Vec<WriteRequest>) -> Result<(), Error> {
        let batches: Vec<Vec<WriteRequest>> =
            requests.chunks(WRITES_MAX).map(<[_]>::to_vec).collect();
        iter(batches)
            .map(Ok)
            .try_for_each_concurrent(BATCHES_AT_ONCE, |batch| self.write_batch(batch))
            .await
    }

    async fn write_batch(&self, batch: Vec<WriteRequest>) -> Result<(), Error> {
        let (mut open, mut attempts) = (batch, Attempts::of(BATCH));
        loop {
            let done = call(
                self.client
                    .batch_write_item()
                    .request_items(&self.name, open)
                    .send(),
            )
            .await?;
            let left = done.unprocessed_items;
            open = left
                .unwrap_or_default()
                .remove(&self.name)
                .unwrap_or_default();
            if open.is_empty() {
                return Ok(());
            }
            attempts
                .again(Error::Throttled { is_repeated: false })
                .await?;
        }
    }
}
