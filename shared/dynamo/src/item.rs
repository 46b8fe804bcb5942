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

/// Makes a key with the partition key `pk` and the sort key `sk`.
pub fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    HashMap::from([
        ("pk".to_owned(), text(partition)),
        ("sk".to_owned(), text(sort)),
    ])
}

/// Whether an item has a key.
#[must_use]
pub fn has_key(item: &Item, key: &Item) -> bool {
    key.iter()
        .all(|(name, value)| item.get(name) == Some(value))
}

/// A text.
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number, in the form that its type displays.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Bytes.
pub fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(value.into())
}

/// Encodes a value as an attribute.
///
/// # Errors
/// An error of `serde_dynamo` when the value has no such form.
pub fn to_value(value: &impl Serialize) -> Result<AttributeValue, serde_dynamo::Error> {
    serde_dynamo::to_attribute_value(value)
}

/// Encodes a value as an item with a key.
///
/// # Errors
/// An error of `serde_dynamo` when the value has no named fields.
pub fn to_item(key: Item, value: &impl Serialize) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    item.extend(key);
    Ok(item)
}

/// Decodes the value of an item.
///
/// # Errors
/// An error of `serde_dynamo` when the item has another form. The error may quote the item, so it
/// must not be logged as it is.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, serde_dynamo::Error> {
    serde_dynamo::from_item(item)
}

/// Access to attributes by type. Each method returns nothing when the attribute is absent or of
/// another type.
pub trait Attributes {
    /// A text.
    fn text(&self, name: &str) -> Option<&str>;
    /// A number.
    fn number<T: FromStr>(&self, name: &str) -> Option<T>;
    /// Bytes.
    fn bytes(&self, name: &str) -> Option<&[u8]>;

    /// A text, parsed as a type.
    fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// The sort key, or the empty text if there is none.
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

/// Makes a projection expression and its names. Each name gets a placeholder, since DynamoDB
/// reserves many words.
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
