//! Tables.

use crate::batch::BatchGet;
use crate::call::call;
use crate::error::Error;
use crate::item::Item;
use crate::item::projection;
use crate::query::Query;
use crate::retry::{Attempts, CONTENTION};
use crate::write::Write;
use aws_sdk_dynamodb::Client;

/// A table with the partition key `pk` and the sort key `sk`.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Table {
    /// Makes the table of a name.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Makes another table on the same connection.
    #[must_use]
    pub fn beside(&self, name: String) -> Self {
        Self {
            client: self.client.clone(),
            name,
        }
    }

    /// Reads an item consistently.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn get(&self, key: Item) -> Result<Option<Item>, Error> {
        self.get_some(key, &[]).await
    }

    /// Reads some attributes of an item consistently.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn get_some(&self, key: Item, attributes: &[&str]) -> Result<Option<Item>, Error> {
        let (expression, names) = projection(attributes);
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .consistent_read(true);
        let get = get
            .set_projection_expression(expression)
            .set_expression_attribute_names(names);
        call(get.send()).await.map(|got| got.item)
    }

    /// Checks that the table responds, by the cheapest read of a key without an item.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn probe(&self, key: Item) -> Result<(), Error> {
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key));
        call(get.send()).await.map(|_| ())
    }

    /// Prepares a read of many items by their keys.
    pub fn batch_get(&self, keys: Vec<Item>) -> BatchGet<'_> {
        BatchGet::new(self, keys)
    }

    /// Prepares a query of a partition.
    pub fn query(&self, partition: impl Into<String>) -> Query {
        Query::new(self, partition.into())
    }

    /// Prepares a write that creates or replaces an item.
    pub fn put(&self, item: Item) -> Write {
        Write::put(&self.name, item)
    }

    /// Prepares a write that changes attributes of an item, and creates the item if it is absent.
    pub fn update(&self, key: Item, expression: impl Into<String>) -> Write {
        Write::update(&self.name, key, expression.into())
    }

    /// Prepares the deletion of an item. Deleting an absent item succeeds.
    pub fn delete(&self, key: Item) -> Write {
        Write::delete(&self.name, key)
    }

    /// Sends a write. It is retried while a transaction uses the item, since transactions are
    /// short.
    ///
    /// # Errors
    /// [`Error`] when the condition fails or the table fails.
    pub async fn send(&self, write: Write) -> Result<(), Error> {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            match write.clone().send(&self.client).await {
                Err(Error::Conflict) => attempts.again(Error::Conflict).await?,
                done => return done,
            }
        }
    }
}
