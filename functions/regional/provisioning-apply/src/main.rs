//! Applies the application plane's answers about a tenant's resources: provisioned, removed, or
//! failed with a reason.
//!
//! Trigger: ProvisioningQueue. Reads: RegionalTable (tenants, sign-ups). Emits:
//! TenantStatusChanged.v1, OnboardingProgressed.v1.

mod adapters;
mod answer;
mod handler;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
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
        settings: runtime::env("TENANT_SETTINGS")?,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
