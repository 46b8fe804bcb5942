//! A write, sent alone or as a part of a transaction.

use crate::call::call;
use crate::error::Error;
use crate::item::{GENERATION, Item, number};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use kernel::Generation;
use std::collections::HashMap;

/// What a step leaves behind that deletes as much as fits one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// More may be left.
    Some,
    /// Nothing is left.
    None,
}

/// A write under a condition, if any. It knows its table, so that a transaction can be on several.
#[derive(Clone)]
#[must_use]
pub struct Write {
    table: String,
    action: Action,
    condition: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
}

#[derive(Clone)]
enum Action {
    Put(Item),
    Update(Item, String),
    Delete(Item),
}

impl Write {
    pub(crate) fn put(table: &str, item: Item) -> Self {
        Self::of(table, Action::Put(item))
    }

    pub(crate) fn update(table: &str, key: Item, expression: String) -> Self {
        Self::of(table, Action::Update(key, expression))
    }

    pub(crate) fn delete(table: &str, key: Item) -> Self {
        Self::of(table, Action::Delete(key))
    }

    fn of(table: &str, action: Action) -> Self {
        Self {
            table: table.to_owned(),
            action,
            condition: None,
            names: None,
            values: None,
        }
    }

    /// Sets the condition, replacing any earlier one.
    pub fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// Writes only if there is no item.
    pub fn if_absent(self) -> Self {
        self.when("attribute_not_exists(pk)")
    }

    /// Writes only if there is an item.
    pub fn if_present(self) -> Self {
        self.when("attribute_exists(pk)")
    }

    /// Writes only if a counter has the value that was read. Zero stands for an absent item.
    pub fn if_counter(self, attribute: &str, read: u64) -> Self {
        match read {
            0 => self.if_absent(),
            _ => self
                .when("#counter = :counter")
                .name("#counter", attribute)
                .value(":counter", number(read)),
        }
    }

    /// Writes where the item is still of the generation that was read, or where there is none and
    /// none was read: the optimistic lock.
    pub fn if_generation(self, read: Generation) -> Self {
        self.if_counter(GENERATION, read.as_u64())
    }

    /// What a name in an expression stands for.
    pub fn name(mut self, placeholder: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.names
            .get_or_insert_default()
            .insert(placeholder.into(), attribute.into());
        self
    }

    /// Defines a placeholder for a value.
    pub fn value(mut self, placeholder: impl Into<String>, value: AttributeValue) -> Self {
        self.values
            .get_or_insert_default()
            .insert(placeholder.into(), value);
        self
    }

    pub(crate) async fn send(self, client: &Client) -> Result<(), Error> {
        let Self {
            table,
            action,
            condition,
            names,
            values,
        } = self;
        match action {
            Action::Put(item) => {
                let put = client
                    .put_item()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(condition);
                let put = put
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                call(put.send()).await.map(|_| ())
            }
            Action::Update(key, expression) => {
                let update = client
                    .update_item()
                    .table_name(table)
                    .set_key(Some(key))
                    .update_expression(expression);
                let update = update.set_condition_expression(condition);
                let update = update
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                call(update.send()).await.map(|_| ())
            }
            Action::Delete(key) => {
                let delete = client.delete_item().table_name(table).set_key(Some(key));
                let delete = delete.set_condition_expression(condition);
                let delete = delete
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                call(delete.send()).await.map(|_| ())
            }
        }
    }

    /// Converts the write to a part of a transaction.
    pub(crate) fn part(self) -> Result<TransactWriteItem, Error> {
        let Self {
            table,
            action,
            condition,
            names,
            values,
        } = self;
        let part = TransactWriteItem::builder();
        let part = match action {
            Action::Put(item) => {
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(condition);
                let put = put
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                part.put(put.build()?)
            }
            Action::Update(key, expression) => {
                let update = Update::builder()
                    .table_name(table)
                    .set_key(Some(key))
                    .update_expression(expression);
                let update = update.set_condition_expression(condition);
                let update = update
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                part.update(update.build()?)
            }
            Action::Delete(key) => {
                let delete = Delete::builder().table_name(table).set_key(Some(key));
                let delete = delete.set_condition_expression(condition);
                let delete = delete
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                part.delete(delete.build()?)
            }
        };
        Ok(part.build())
    }
}
