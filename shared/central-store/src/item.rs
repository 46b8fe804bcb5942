//! Keys and items.

use crate::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use fleet::DesiredPolicy;
use kernel::{ClaimDigest, OnboardingId, RegionCode, TenantId, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// An item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const COUNT_SHARDS: u8 = 8;
pub(crate) const REGIONS: &str = "REGIONS";
pub(crate) const DESCRIPTION: &str = "DESCRIPTION";
pub(crate) const HEALTH: &str = "HEALTH";
pub(crate) const INCIDENTS: &str = "INCIDENTS";
pub(crate) const COUNT_PREFIX: &str = "COUNT#";
pub(crate) const BILLING_PREFIX: &str = "BILLING#";

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    HashMap::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}

pub(crate) fn directory_key(tenant: TenantId) -> Item {
    key(format!("TENANT#{tenant}"), "DIRECTORY")
}

pub(crate) fn policy_key(tenant: TenantId) -> Item {
    key(format!("POLICY#{tenant}"), "DESIRED")
}

pub(crate) fn region_partition(region: &RegionCode) -> String {
    format!("REGION#{region}")
}

pub(crate) fn unapplied_partition(region: &RegionCode) -> String {
    format!("UNAPPLIED#{region}")
}

pub(crate) fn onboarding_key(id: OnboardingId) -> Item {
    key(format!("ONBOARDING#{id}"), "ONBOARDING")
}

/// Where the onboarding of an idempotency key is found, by the key's digest.
pub(crate) fn repetition_key(digest: &str) -> Item {
    key(format!("ONBOARDINGKEY#{digest}"), "ONBOARDING")
}

/// Of the claim to a label.
pub(crate) fn claim_key(claim: &ClaimDigest) -> Item {
    key(claim_partition(claim), "CLAIM")
}

/// Of what a tenant's region said last of a claim.
pub(crate) fn last_word_key(claim: &ClaimDigest, tenant: TenantId) -> Item {
    key(claim_partition(claim), format!("TENANT#{tenant}"))
}

fn claim_partition(claim: &ClaimDigest) -> String {
    format!("CLAIM#{}", claim.as_str())
}

/// Where an unapplied policy waits for its next sending; nothing when nobody waits for it.
pub(crate) fn unapplied_key(policy: &DesiredPolicy) -> Option<Item> {
    let sort = format!("{}#{}", due(policy.due_at), policy.tenant);
    policy.is_waiting().then(|| key(unapplied_partition(&policy.region), sort))
}

/// A moment as a sort key: thirteen digits keep the order until the year 2286.
pub(crate) fn due(moment: Timestamp) -> String {
    format!("{:013}", moment.as_millisecond().max(0))
}

/// The part of a region's counts that a tenant adds to. The last byte of a tenant id is random.
pub(crate) fn count_key(region: &RegionCode, tenant: TenantId) -> Item {
    let shard = tenant.as_uuid().as_bytes()[15] % COUNT_SHARDS;
    key(region_partition(region), format!("{COUNT_PREFIX}{shard}"))
}

/// A value as an item under a key.
pub(crate) fn to_item<T: Serialize>(what: &'static str, key: Item, value: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::malformed(what)(error.into()))?;
    item.extend(key);
    Ok(item)
}

/// The value that an item holds.
pub(crate) fn from_item<T: DeserializeOwned>(what: &'static str, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(what)(error.into()))
}

/// The sort key of an item, empty when it has none.
pub(crate) fn sort_of(item: &Item) -> &str {
    item.get("sk").and_then(|sort| sort.as_s().ok()).map_or("", String::as_str)
}
