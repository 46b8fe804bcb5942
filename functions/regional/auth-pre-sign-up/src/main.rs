//! Lets nobody make an account who has not registered.
//!
//! Trigger: Cognito pre-sign-up. Reads: RegionalTable (users). Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use regional_store::TenantReader;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters { tenants: TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?) };
    run(service_fn(|event: LambdaEvent<_>| handle(&adapters, event.payload))).await
}
