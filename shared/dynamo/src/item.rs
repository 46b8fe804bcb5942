//! Items and their attributes.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::str::FromStr;

/// The attribute that holds the generation of an item which several writers change.
pub const GENERATION: &str = "generation";

/// An item of a table, or the key of one.
pub type Item = HashMap<String, AttributeValue>;

/// A key of a table whose partitions are named `pk`, and whose sort keys are named `sk`.
pub fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    HashMap::from([
        ("pk".to_owned(), text(partition)),
        ("sk".to_owned(), text(sort)),
    ])
}

/// Whether an item is the one of a key.
#[must_use]
pub fn has_key(item: &Item, key: &Item) -> bool {
    key.iter()
        .all(|(name, value)| item.get(name) == Some(value))
}

/// A text.
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number, as its type writes it.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Bytes.
pub fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(value.into())
}

/// A value as an attribute.
///
/// # Errors
/// When it has no form that an attribute has.
pub fn to_value(value: &impl Serialize) -> Result<AttributeValue, serde_dynamo::Error> {
    serde_dynamo::to_attribute_value(value)
}

/// A value as an item under a key.
///
/// # Errors
/// When the value is none with named fields.
pub fn to_item(key: Item, value: &impl Serialize) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    item.extend(key);
    Ok(item)
}

/// The value that an item holds.
///
/// # Errors
/// When the item has another form. The error may quote the item.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, serde_dynamo::Error> {
    serde_dynamo::from_item(item)
}

/// Reads attributes of an item by their type: nothing where one is absent or of another type.
pub trait Attributes {
    /// A text.
    fn text(&self, name: &str) -> Option<&str>;
    /// A number.
    fn number<T: FromStr>(&self, name: &str) -> Option<T>;
    /// Bytes.
    fn bytes(&self, name: &str) -> Option<&[u8]>;

    /// A text, in the form of a type.
    fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// The sort key; empty where there is none.
    fn sort(&self) -> &str {
        self.text("sk").unwrap_or_default()
    }
}

impl Attributes for Item {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_s().ok().map(String::as_str)
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.as_n().ok()?.parse().ok()
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.get(name)?.as_b().ok().map(AsRef::as_ref)
    }
}

/// A list of attributes' names, as an expression and the names that it stands for. Each name gets a
/// placeholder, since many words are reserved in DynamoDB.
pub(crate) fn projection(names: &[&str]) -> (Option<String>, Option<HashMap<String, String>>) {
    if names.is_empty() {
        return (None, None);
    }
    let placeholders: Vec<String> = names.iter().map(|name| format!("#{name}")).collect();
    let expression = placeholders.join(", ");
    let names = placeholders
        .into_iter()
        .zip(names.iter().map(|name| (*name).to_owned()))
        .collect();
    (Some(expression), Some(names))
}
