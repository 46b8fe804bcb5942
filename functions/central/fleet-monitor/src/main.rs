//! Records regions' descriptions, health and billing totals, detects silent regions, and sends
//! unapplied policies again.
//!
//! Trigger: MonitorQueue and a schedule. Reads: RegionDescribed.v1, HeartbeatReported.v1,
//! RegionBillingTotaled.v1. Emits: TenantPolicyPublished.v1, repeated.

mod handler;

use central_store::CentralStore;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: CentralStore::new(&aws, runtime::env("CENTRAL_TABLE")?),
        outbox: Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?),
    };
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}

#[cfg(test)]
mod tests;
