//! A table.

use crate::call::call;
use crate::item::projection;
use crate::{Attempts, BatchGet, CONTENTION, Error, Item, Query, Write};
use aws_sdk_dynamodb::Client;

/// A table with the keys `pk` and `sk`.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Table {
    /// The table of a name.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Another table, over the same connection.
    #[must_use]
    pub fn beside(&self, name: String) -> Self {
        Self {
            client: self.client.clone(),
            name,
        }
    }

    /// The item of a key, as it is now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn get(&self, key: Item) -> Result<Option<Item>, Error> {
        self.get_some(key, &[]).await
    }

    /// Some attributes of the item of a key, as it is now.
    ///
    /// # Errors
    /// When the table fails.
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

    /// Asks for the item of a key that is not there, at the lowest price: whether the table
    /// answers.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn probe(&self, key: Item) -> Result<(), Error> {
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key));
        call(get.send()).await.map(|_| ())
    }

    /// The items of keys, by requests of as many as one takes.
    pub fn batch_get(&self, keys: Vec<Item>) -> BatchGet<'_> {
        BatchGet::new(self, keys)
    }

    /// The items of a partition.
    pub fn query(&self, partition: impl Into<String>) -> Query {
        Query::new(self, partition.into())
    }

    /// Puts an item, over one that may be there.
    pub fn put(&self, item: Item) -> Write {
        Write::put(&self.name, item)
    }

    /// Changes attributes of an item, and makes it where it is not there.
    pub fn update(&self, key: Item, expression: impl Into<String>) -> Write {
        Write::update(&self.name, key, expression.into())
    }

    /// Deletes an item, if it is there.
    pub fn delete(&self, key: Item) -> Write {
        Write::delete(&self.name, key)
    }

    /// Sends one write. It is repeated while a transaction is on the item, because that is over
    /// soon.
    ///
    /// # Errors
    /// When its condition does not hold, or the table fails.
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
