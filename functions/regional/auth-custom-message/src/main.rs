//! Words the mails with a code: in the tenant's language, with the tenant's own address. Refuses those that would
//! change the address of an account.
//!
//! Trigger: Cognito custom-message. Reads: RegionalTable (users, tenants). Emits: nothing.

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
    let adapters = Adapters {
        addresses: runtime::env("TENANT_ADDRESS")?,
        tenants: TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?),
    };
    run(service_fn(|event: LambdaEvent<_>| handle(&adapters, event.payload))).await
}
