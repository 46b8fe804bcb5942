//! The items of the regional table.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `SIGNUP#<id>` | `SIGNUP` | the course of a sign-up |
//! | `KEY#<digest>` | `KEY` | which sign-up an idempotency key stands for |
//! | `TENANT#<id>` | `TENANT` | a tenant, with its organisation's name |
//! | `ALIAS#<alias>` | `ALIAS` | which tenant an alias stands for |
//! | `USER#<username>` | `USER` | a user, with name and address |
//! | `STATS#<shard>` | `REGION` | how many tenants there are in each status |

use super::TenantStoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{Alias, SignupId, TenantId, TenantStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use tenancy::{KeyDigest, SignUp, Username};

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// How many items the counts of tenants are spread over, so that many sign-ups at once do not wait for
/// one another. Few enough for one `BatchGetItem`.
pub(super) const STATS_SHARDS: u8 = 32;

pub(super) fn signup_key(id: SignupId) -> Item {
    key(format!("SIGNUP#{id}"), "SIGNUP")
}

pub(super) fn idempotency_key(digest: &KeyDigest) -> Item {
    key(format!("KEY#{}", digest.as_str()), "KEY")
}

pub(super) fn tenant_key(id: TenantId) -> Item {
    key(format!("TENANT#{id}"), "TENANT")
}

pub(super) fn alias_key(alias: &Alias) -> Item {
    key(format!("ALIAS#{alias}"), "ALIAS")
}

pub(super) fn user_key(username: Username) -> Item {
    key(format!("USER#{username}"), "USER")
}

pub(super) fn stats_key(shard: u8) -> Item {
    key(format!("STATS#{shard}"), "REGION")
}

/// The counter item of a tenant. The last byte of a UUID is random in every version that we use.
pub(super) fn stats_shard(tenant: TenantId) -> u8 {
    tenant.as_uuid().as_bytes()[15] % STATS_SHARDS
}

fn key(partition: String, sort: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}

/// A text attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The status as an attribute.
pub(super) fn status(value: TenantStatus) -> AttributeValue {
    text(value.as_str())
}

/// An item made of its key and of what is stored under it.
pub(super) fn item(key: Item, stored: &impl Serialize) -> Result<Item, TenantStoreError> {
    let mut item: Item = serde_dynamo::to_item(stored).map_err(TenantStoreError::unwritable)?;
    item.extend(key);
    Ok(item)
}

/// What is stored in an item. The parser's own words are dropped: they may quote the item.
pub(super) fn stored<T: DeserializeOwned>(item: Item, entity: &'static str) -> Result<T, TenantStoreError> {
    serde_dynamo::from_item(item).map_err(|_| TenantStoreError::Malformed { entity })
}

/// The item of a new tenant: the only place where its organisation's name is.
pub(super) fn tenant_item(made: &SignUp) -> Result<Item, TenantStoreError> {
    let mut item = item(tenant_key(made.tenant.id), &made.tenant)?;
    item.insert("organisation".to_owned(), text(made.organisation.expose()));
    Ok(item)
}

/// The item of a user, with everything personal that we know of one.
pub(super) fn user_item(made: &SignUp) -> Item {
    let user = &made.user;
    let mut item = user_key(user.username);
    item.insert("tenant".to_owned(), text(user.tenant.to_string()));
    item.insert("signup".to_owned(), text(user.signup.to_string()));
    item.insert("role".to_owned(), text(user.role.as_str()));
    item.insert("name".to_owned(), text(user.name.expose()));
    item.insert("email".to_owned(), text(user.email.expose()));
    item
}
