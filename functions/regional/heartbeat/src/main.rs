//! Reports the region's health home, once a minute.
//!
//! Trigger: a schedule. Reads: the regional, usage and outbox tables. Emits: HeartbeatReported.v1.

mod handler;
mod measure;
mod report;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use measure::Gauges;
use regional_store::HeartbeatStore;
use report::Disclosure;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox_table: String = runtime::env("OUTBOX_TABLE")?;
    let adapters = Adapters {
        store: HeartbeatStore::new(&aws, outbox_table.clone()),
        gauges: Gauges::new(&aws, runtime::env("REGIONAL_TABLE")?, runtime::env("USAGE_TABLE")?, outbox_table),
        disclosure: Disclosure {
            mode: runtime::env("REGION_MODE")?,
            tenants_min: runtime::env("MINIMUM_TENANTS_FOR_TOTALS")?,
        },
        region: runtime::env("AWS_REGION")?,
    };
    run(service_fn(async |event: LambdaEvent<_>| handle(&adapters, event.payload).await)).await
}

#[cfg(test)]
mod tests;
