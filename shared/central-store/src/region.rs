//! Regions: description, health, incidents, counts and billing totals. Each region has one
//! partition.

use crate::CentralStore;
use crate::error::StoreError;
use crate::item::{
    BILLING_PREFIX, COUNT_PREFIX, DESCRIPTION, HEALTH, INCIDENTS, REGIONS, from_item,
    region_partition, to_item,
};
use contract::{RegionBillingTotaled, RegionDescribed};
use dynamo::{Attributes as _, Item, key, number};
use fleet::{Counts, Heartbeat, Incidents};
use futures::{StreamExt, TryStreamExt, stream};
use kernel::RegionCode;
use serde::{Deserialize, Serialize};

/// The most queries at once when the whole fleet is loaded.
const QUERIES_AT_ONCE_MAX: usize = 8;

/// The record of a region at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionRecord {
    /// The region.
    pub region: RegionCode,
    /// Its description, if it ever sent one.
    pub description: Option<Description>,
    /// Its latest heartbeat, if it ever sent one.
    pub heartbeat: Option<Heartbeat>,
    /// Its open incidents.
    pub incidents: Incidents,
    /// The counts of its tenants and unapplied policies.
    pub counts: Counts,
    /// Its billing totals, in ascending order of periods. Empty if home bills its tenants.
    pub billing: Vec<BillingTotal>,
}

/// A region's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The number of the heartbeat published with it: the highest one is current.
    pub sequence: u64,
    /// The description.
    pub described: RegionDescribed,
}

/// A region's published billing total of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingTotal {
    /// The number of the event: the highest one is current.
    pub sequence: u64,
    /// The totals.
    pub total: RegionBillingTotaled,
}

impl CentralStore {
    /// Loads all regions from which home has received an event, in order of their codes.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_regions(&self) -> Result<Vec<RegionCode>, StoreError> {
        let what = "the list of regions";
        let region = |item: &Item| {
            item.sort()
                .parse()
                .map_err(|error: kernel::Invalid| StoreError::malformed(what)(error))
        };
        let items = self.load_partition(what, REGIONS.to_owned()).await?;
        items.iter().map(region).collect()
    }

    /// Loads the records of all regions, in order of their codes.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_fleet(&self) -> Result<Vec<RegionRecord>, StoreError> {
        let regions = self.load_regions().await?;
        let records = regions.into_iter().map(|region| self.load_region(region));
        stream::iter(records)
            .buffered(QUERIES_AT_ONCE_MAX)
            .try_collect()
            .await
    }

    /// Loads the record of one region.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_region(&self, region: RegionCode) -> Result<RegionRecord, StoreError> {
        let items = self
            .load_partition("a region", region_partition(&region))
            .await?;
        let mut record = RegionRecord {
            region,
            description: None,
            heartbeat: None,
            incidents: Incidents::default(),
            counts: Counts::default(),
            billing: Vec::new(),
        };
        for item in items {
            match item.sort() {
                DESCRIPTION => {
                    record.description = Some(from_item("a region's description", item)?)
                }
                HEALTH => record.heartbeat = Some(from_item("a heartbeat", item)?),
                INCIDENTS => record.incidents = from_item("incidents", item)?,
                sort if sort.starts_with(COUNT_PREFIX) => {
                    record.counts = record.counts + counts_of(&item)
                }
                sort if sort.starts_with(BILLING_PREFIX) => {
                    record.billing.push(from_item("a billing total", item)?)
                }
                _ => {}
            }
        }
        Ok(record)
    }

    /// Loads only the descriptions of all regions, in order of their codes.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_descriptions(
        &self,
    ) -> Result<Vec<(RegionCode, RegionDescribed)>, StoreError> {
        let load = async |region: RegionCode| {
            let published = self.load_description(&region).await?;
            Ok(published.map(|published| (region, published.described)))
        };
        let loads = self.load_regions().await?.into_iter().map(load);
        let published: Vec<_> = stream::iter(loads)
            .buffered(QUERIES_AT_ONCE_MAX)
            .try_collect()
            .await?;
        Ok(published.into_iter().flatten().collect())
    }

    /// Loads the description of a region, if it ever sent one.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_description(
        &self,
        region: &RegionCode,
    ) -> Result<Option<Description>, StoreError> {
        let what = "a region's description";
        let found = self
            .load_item(what, key(region_partition(region), DESCRIPTION))
            .await?;
        found.map(|item| from_item(what, item)).transpose()
    }

    /// Stores a heartbeat if it is later than the stored one. Returns whether it was stored.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_heartbeat(
        &self,
        region: &RegionCode,
        heartbeat: &Heartbeat,
    ) -> Result<bool, StoreError> {
        self.list_region(region).await?;
        let what = "a heartbeat";
        let item = to_item(what, key(region_partition(region), HEALTH), heartbeat)?;
        self.put_later(what, item, heartbeat.sequence).await
    }

    /// Stores a region's description if it is later than the stored one. Returns whether it was
    /// stored.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_description(
        &self,
        region: &RegionCode,
        published: &Description,
    ) -> Result<bool, StoreError> {
        self.list_region(region).await?;
        let what = "a region's description";
        let item = to_item(what, key(region_partition(region), DESCRIPTION), published)?;
        self.put_later(what, item, published.sequence).await
    }

    /// Stores a region's billing total of a period if it is later than the stored one. Returns
    /// whether it was stored.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_billing_total(
        &self,
        region: &RegionCode,
        published: &BillingTotal,
    ) -> Result<bool, StoreError> {
        self.list_region(region).await?;
        let what = "a billing total";
        let sort = format!("{BILLING_PREFIX}{}", published.total.period);
        let item = to_item(what, key(region_partition(region), sort), published)?;
        self.put_later(what, item, published.sequence).await
    }

    /// Stores a region's incidents if they have not changed since they were loaded. Returns whether
    /// they were stored.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_incidents(
        &self,
        region: &RegionCode,
        after: &Incidents,
    ) -> Result<bool, StoreError> {
        let what = "incidents";
        let item = to_item(what, key(region_partition(region), INCIDENTS), after)?;
        let put = self.table.put(item);
        self.send(what, put.if_generation(after.generation.previous()))
            .await
    }

    /// Adds a region to the list, once per process. Listing it before its first record is harmless:
    /// it shows as unknown.
    pub(crate) async fn list_region(&self, region: &RegionCode) -> Result<(), StoreError> {
        if self
            .listed
            .lock()
            .is_ok_and(|listed| listed.contains(region))
        {
            return Ok(());
        }
        let what = "the list of regions";
        let item = key(REGIONS, region.as_str());
        self.table
            .send(self.table.put(item))
            .await
            .map_err(StoreError::write(what))?;
        if let Ok(mut listed) = self.listed.lock() {
            listed.insert(region.clone());
        }
        Ok(())
    }

    async fn put_later(
        &self,
        what: &'static str,
        item: Item,
        sequence: u64,
    ) -> Result<bool, StoreError> {
        let put = self
            .table
            .put(item)
            .when("attribute_not_exists(pk) OR #sequence < :sequence");
        self.send(
            what,
            put.name("#sequence", "sequence")
                .value(":sequence", number(sequence)),
        )
        .await
    }

    async fn load_partition(
        &self,
        what: &'static str,
        partition: String,
    ) -> Result<Vec<Item>, StoreError> {
        self.table
            .query(partition)
            .all()
            .await
            .map_err(StoreError::read(what))
    }
}

fn counts_of(item: &Item) -> Counts {
    let count = |name: &str| item.number(name).unwrap_or_default();
    Counts {
        pending: count("pending"),
        active: count("active"),
        other: count("other"),
        closed: count("closed"),
        unapplied: count("unapplied"),
        stuck: count("stuck"),
    }
}
