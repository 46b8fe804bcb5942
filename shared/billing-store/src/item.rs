//! The keys of items, and their conversion.

use crate::error::StoreError;
use billing::Subject;
use contract::{UsageWindow, WindowPart};
use dynamo::{Attributes as _, GENERATION, Item, Shards, key};
use kernel::{
    BillingPeriod, Generation, InvoiceId, LegalEntity, RegionCode, TenantId, Timestamp, WindowSize,
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) const ACCOUNT: &str = "ACCOUNT";
/// The partitions that lists over all tenants are spread over. One partition takes 1,000 writes a
/// second.
pub(crate) const SHARDS: Shards = Shards::new(16);
pub(crate) const RECEIVED_PREFIX: &str = "RECEIVED#";
pub(crate) const WINDOW_PREFIX: &str = "WINDOW#";
pub(crate) const SEAL_PREFIX: &str = "SEAL#";
pub(crate) const INVOICE_PREFIX: &str = "INVOICE#";
/// The attribute that holds an invoice as JSON: nothing queries its insides.
pub(crate) const DOCUMENT: &str = "document";

pub(crate) fn tenant_partition(tenant: TenantId) -> String {
    format!("TENANT#{tenant}")
}

pub(crate) fn account_key(tenant: TenantId) -> Item {
    key(tenant_partition(tenant), ACCOUNT)
}

pub(crate) fn received_key(tenant: TenantId, region: &RegionCode) -> Item {
    key(
        tenant_partition(tenant),
        format!("{RECEIVED_PREFIX}{region}"),
    )
}

pub(crate) fn listing_partition(shard: u8) -> String {
    format!("ACCOUNTS#{shard}")
}

pub(crate) fn shard_of(tenant: TenantId) -> u8 {
    SHARDS.of(tenant.as_uuid())
}

pub(crate) fn listing_key(tenant: TenantId) -> Item {
    key(listing_partition(shard_of(tenant)), tenant.to_string())
}

pub(crate) fn ledger_partition(tenant: TenantId, period: BillingPeriod) -> String {
    format!("LEDGER#{tenant}#{period}")
}

pub(crate) fn window_key(tenant: TenantId, window: &UsageWindow) -> Item {
    let UsageWindow {
        meter,
        group,
        size,
        start,
        part,
        ..
    } = window;
    let part = match part {
        WindowPart::Window => "window",
        WindowPart::Adjustment => "adjustment",
    };
    let partition = ledger_partition(tenant, BillingPeriod::of_day(*start));
    key(
        partition,
        format!("{}{meter}#{part}#{group}", windows_prefix(*size, *start)),
    )
}

/// The prefix of the sort keys of one window's totals.
pub(crate) fn windows_prefix(size: WindowSize, start: Timestamp) -> String {
    format!("{WINDOW_PREFIX}{size}#{start}#")
}

pub(crate) fn seal_key(tenant: TenantId, day: Timestamp) -> Item {
    key(
        ledger_partition(tenant, BillingPeriod::of_day(day)),
        format!("{SEAL_PREFIX}{day}"),
    )
}

pub(crate) fn retry_partition(shard: u8) -> String {
    format!("WATCH#{shard}")
}

pub(crate) fn retry_key(subject: &Subject) -> Item {
    key(
        retry_partition(shard_of(subject.tenant())),
        subject.to_string(),
    )
}

pub(crate) fn invoice_key(tenant: TenantId, period: BillingPeriod) -> Item {
    key(format!("INVOICE#{tenant}"), period.to_string())
}

pub(crate) fn invoice_id_key(id: InvoiceId) -> Item {
    key(format!("INVOICE_ID#{id}"), "INVOICE")
}

pub(crate) fn period_partition(period: BillingPeriod) -> String {
    format!("PERIOD#{period}")
}

pub(crate) fn run_key(period: BillingPeriod) -> Item {
    key(period_partition(period), "RUN")
}

/// Numbers are padded to twelve digits, so that the order of keys is that of numbers.
pub(crate) fn summary_key(period: BillingPeriod, legal_entity: &LegalEntity, number: u64) -> Item {
    key(
        period_partition(period),
        format!("{INVOICE_PREFIX}{legal_entity}#{number:012}"),
    )
}

pub(crate) fn number_key(legal_entity: &LegalEntity) -> Item {
    key(format!("NUMBER#{legal_entity}"), "NUMBER")
}

pub(crate) fn totals_number_key() -> Item {
    key("STATEMENTS", "SEQUENCE")
}

/// Encodes a value as an item with a key.
pub(crate) fn to_item<T: Serialize>(
    what: &'static str,
    key: Item,
    value: &T,
) -> Result<Item, StoreError> {
    dynamo::to_item(key, value).map_err(StoreError::malformed(what))
}

/// Decodes the value of an item.
pub(crate) fn from_item<T: DeserializeOwned>(
    what: &'static str,
    item: Item,
) -> Result<T, StoreError> {
    dynamo::from_item(item).map_err(StoreError::malformed(what))
}

/// Reads a counter of an item. It is zero if there is no item yet.
pub(crate) fn counter(
    what: &'static str,
    item: Option<&Item>,
    attribute: &str,
) -> Result<u64, StoreError> {
    let malformed = || StoreError::malformed(what)("a counter is missing");
    item.map_or(Ok(0), |item| item.number(attribute).ok_or_else(malformed))
}

/// The generation of an item; none where there is no item yet.
pub(crate) fn generation(
    what: &'static str,
    item: Option<&Item>,
) -> Result<Generation, StoreError> {
    let malformed = || StoreError::malformed(what)("the generation is missing");
    item.map_or(Ok(Generation::NONE), |item| {
        item.number(GENERATION).ok_or_else(malformed)
    })
}
