//! Starts the billing of the month that has ended: one message per tenant, including tenants that
//! left if usage of theirs arrived late.
//!
//! Trigger: schedule. Reads and writes: BillingTable. Sends: invoice queue. Emits: nothing.

mod adapters;
mod handler;
mod requests;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Sqs]).await?;
    let adapters = Adapters {
        store: billing_store::BillingStore::new(&aws, runtime::env("BILLING_TABLE")?),
        requests: requests::InvoiceQueue::new(&aws, runtime::env("INVOICE_QUEUE_URL")?),
        catalogue: catalogue::Catalogue::bundled()?,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
