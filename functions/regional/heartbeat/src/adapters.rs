//! The clients and the configuration of the function.

use crate::describe::{Capacity, Place};
use crate::measure::Gauges;
use crate::report::DisclosureThreshold;
use crate::store::HeartbeatStore;
use aws_types::SdkConfig;
use contract::RegionDescribed;
use kernel::{Mode, RegionCode};

/// The function's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) store: HeartbeatStore,
    pub(crate) gauges: Gauges,
    pub(crate) disclosure: DisclosureThreshold,
    pub(crate) region: RegionCode,
    pub(crate) description: RegionDescribed,
}

impl Adapters {
    /// Reads the configuration that the template sets.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let outbox_table: String = runtime::env("OUTBOX_TABLE")?;
        let mode: Mode = runtime::env("REGION_MODE")?;
        Ok(Self {
            store: HeartbeatStore::new(aws, outbox_table.clone()),
            gauges: Gauges::new(
                aws,
                runtime::env("REGIONAL_TABLE")?,
                runtime::env("USAGE_TABLE")?,
                outbox_table,
            ),
            disclosure: DisclosureThreshold {
                mode,
                tenants_min: runtime::env("MINIMUM_TENANTS_FOR_TOTALS")?,
            },
            region: runtime::env("AWS_REGION")?,
            description: RegionDescribed {
                name: runtime::env("REGION_NAME")?,
                jurisdiction: runtime::env("JURISDICTION")?,
                mode,
                signup_url: runtime::env("SIGNUP_URL")?,
                accepts_new_tenants: runtime::env("ACCEPTS_NEW_TENANTS")?,
                capacity_tenants: runtime::env::<Capacity>("CAPACITY_TENANTS")?.0,
                location: runtime::env::<Place>("REGION_LOCATION")?.0,
            },
        })
    }
}
