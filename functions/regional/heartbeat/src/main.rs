//! Reports the region's health home, once a minute, and what the region is when that changed.
//!
//! Trigger: a schedule. Reads: the regional, usage and outbox tables. Emits: HeartbeatReported.v1,
//! RegionDescribed.v1.

mod describe;
mod handler;
mod measure;
mod report;
mod store;

use contract::RegionDescribed;
use describe::{Capacity, Place};
use handler::{Adapters, handle};
use kernel::Mode;
use lambda_runtime::{LambdaEvent, run, service_fn};
use measure::Gauges;
use report::Disclosure;
use runtime::Service;
use store::HeartbeatStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox_table: String = runtime::env("OUTBOX_TABLE")?;
    let mode: Mode = runtime::env("REGION_MODE")?;
    let adapters = Adapters {
        store: HeartbeatStore::new(&aws, outbox_table.clone()),
        gauges: Gauges::new(
            &aws,
            runtime::env("REGIONAL_TABLE")?,
            runtime::env("USAGE_TABLE")?,
            outbox_table,
        ),
        disclosure: Disclosure {
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
    };
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}

#[cfg(test)]
mod tests;
