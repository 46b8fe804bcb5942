//! Publishes a sealed day's totals again, or the end of a tenant's usage stream, at the request of
//! the region that bills the tenant.
//!
//! Trigger: ResendsQueue. Reads and writes: UsageTable (checkpoints, totals). Emits:
//! `UsageWindowUpdated.v1`, `UsageSealed.v1` and `UsageStreamEndReported.v1`, through the outbox.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use jiff::SignedDuration;
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;
use usage_store::RollupWriter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let region: kernel::RegionCode = runtime::env("AWS_REGION")?;
    let seal_after = SignedDuration::from_hours(runtime::env("SEAL_AFTER_HOURS")?);
    let (table, code) = (runtime::env("USAGE_TABLE")?, region.clone());
    let rollups = RollupWriter::new(&aws, table, outbox, code, seal_after, runtime::new_uuid);
    let adapters = Adapters { region, rollups };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
