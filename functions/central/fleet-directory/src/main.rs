//! Keeps the directory of tenants, and publishes the policy that follows from it.
//!
//! Trigger: DirectoryQueue. Reads: TenantStatusChanged.v1, TenantPolicyApplied.v1.
//! Emits: TenantPolicyPublished.v1.

mod handler;

use central_store::CentralStore;
use contract::catalogue::Catalogue;
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
        catalogue: Catalogue::bundled()?,
    };
    run(service_fn(async |event: LambdaEvent<_>| handle(&adapters, event.payload).await)).await
}

#[cfg(test)]
mod tests;
