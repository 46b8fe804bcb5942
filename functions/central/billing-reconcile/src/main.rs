//! Compares the ledger with the regions' seals, and requests missing days and the ends of usage
//! streams.
//!
//! Trigger: schedule, every 15 minutes. Reads and writes: BillingTable. Emits:
//! UsageResendRequested.v1 and UsageStreamRequested.v1.

mod handler;
#[cfg(test)]
mod tests;

use billing_store::BillingStore;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: BillingStore::new(&aws, runtime::env("BILLING_TABLE")?),
        outbox: Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?),
        region: runtime::env("AWS_REGION")?,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
