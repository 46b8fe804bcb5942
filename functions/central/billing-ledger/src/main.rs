//! Maintains the ledger: accounts, usage totals at their highest revision, and seals.
//!
//! Trigger: ledger queue, fed by the bus. Reads and writes: BillingTable. Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: billing_store::BillingStore::new(&aws, runtime::env("BILLING_TABLE")?),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
