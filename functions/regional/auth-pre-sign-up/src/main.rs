//! Refuses accounts of people who have not registered, and for whom no tenant's own identity
//! provider vouches.
//!
//! Trigger: Cognito pre-sign-up. Reads: RegionalTable (users, tenants). Writes: RegionalTable
//! (users of a tenant's own provider). Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;
use tenant_store::TenantStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        tenants: TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
