//! Shows invoices, billing runs, usage and incidents of the ledger to the provider's operators.
//!
//! Trigger: operator API; its description is public. Reads: BillingTable. Emits: nothing.

mod adapters;
mod handler;
mod problems;
#[cfg(test)]
mod tests;
mod usage;

use adapters::Adapters;
use billing_store::BillingStore;
use handler::router;
use runtime::Service;
use runtime::http::{Tokens, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: BillingStore::new(&aws, runtime::env("BILLING_TABLE")?),
        tokens: Tokens::new(
            &aws,
            &runtime::env::<String>("USER_POOL_ID")?,
            runtime::env("OPERATOR_CLIENT_ID")?,
        )?,
        catalogue: catalogue::Catalogue::bundled()?,
    };
    adapters.tokens.prefetch(runtime::now()).await;
    serve(router(adapters)).await
}
