//! Adds the bearer's tenant to every token, and refuses tokens while nobody may sign in to the
//! tenant.
//!
//! Trigger: Cognito pre-token-generation, version 3. Reads: RegionalTable (users, machine clients,
//! tenants). Emits: nothing.

mod adapters;
mod event;
mod handler;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;
use tenant_store::TenantReader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        tenants: TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
