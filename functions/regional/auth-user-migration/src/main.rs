//! Moves a member's account from the user pool where the tenant was before, at the first sign-in.
//! The password is passed on, and stored in the new pool only.
//!
//! Trigger: Cognito user-migration. Reads: RegionalTable (users, tenants), the former pool. Emits:
//! nothing.

mod adapters;
mod event;
mod handler;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use identity::FormerPools;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;
use tenant_store::TenantReader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        tenants: TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?),
        former: FormerPools::new(aws),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
