//! Keys and items.

use crate::error::StoreError;
use dynamo::{Item, Shards, key};
use fleet::DesiredPolicy;
use kernel::{OnboardingId, RegionCode, SubdomainDigest, TenantId, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

/// The shards of a region's counts. Transactions on the same item conflict, so the counts are
/// spread over several.
const COUNT_SHARDS: Shards = Shards::new(8);
pub(crate) const REGIONS: &str = "REGIONS";
pub(crate) const DESCRIPTION: &str = "DESCRIPTION";
pub(crate) const HEALTH: &str = "HEALTH";
pub(crate) const INCIDENTS: &str = "INCIDENTS";
pub(crate) const COUNT_PREFIX: &str = "COUNT#";
pub(crate) const BILLING_PREFIX: &str = "BILLING#";

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

/// The key of the item that maps an idempotency key, by its digest, to an onboarding.
pub(crate) fn repetition_key(digest: &str) -> Item {
    key(format!("ONBOARDINGKEY#{digest}"), "ONBOARDING")
}

/// The key of the reservation of a subdomain.
pub(crate) fn reservation_key(digest: &SubdomainDigest) -> Item {
    key(reservation_partition(digest), "RESERVATION")
}

/// The key of a region's last report on a tenant's reservation.
pub(crate) fn last_report_key(digest: &SubdomainDigest, tenant: TenantId) -> Item {
    key(reservation_partition(digest), format!("TENANT#{tenant}"))
}

fn reservation_partition(digest: &SubdomainDigest) -> String {
    format!("RESERVATION#{}", digest.as_str())
}

/// The index key under which an unapplied policy waits for its next sending; `None` if it waits for
/// none.
pub(crate) fn unapplied_key(policy: &DesiredPolicy) -> Option<Item> {
    let sort = format!("{}#{}", due(policy.due_at), policy.tenant);
    policy
        .is_waiting()
        .then(|| key(unapplied_partition(&policy.region), sort))
}

/// A time as a sort key: milliseconds in thirteen digits, which sort correctly until the year 2286.
pub(crate) fn due(moment: Timestamp) -> String {
    format!("{:013}", moment.as_millisecond().max(0))
}

/// The key of the count shard that a tenant adds to.
pub(crate) fn count_key(region: &RegionCode, tenant: TenantId) -> Item {
    key(
        region_partition(region),
        format!("{COUNT_PREFIX}{}", COUNT_SHARDS.of(tenant.as_uuid())),
    )
}

/// Encodes a value as an item with a key.
pub(crate) fn to_item<T: Serialize>(
    what: &'static str,
    key: Item,
    value: &T,
) -> Result<Item, StoreError> {
    dynamo::to_item(key, value).map_err(StoreError::malformed(what))
}

/// Decodes an item.
pub(crate) fn from_item<T: DeserializeOwned>(
    what: &'static str,
    item: Item,
) -> Result<T, StoreError> {
    dynamo::from_item(item).map_err(StoreError::malformed(what))
}
