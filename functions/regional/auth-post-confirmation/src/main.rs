//! Activates a tenant, or starts its provisioning, once its administrator's address is confirmed.
//!
//! Trigger: Cognito post-confirmation. Reads: RegionalTable (users, tenants). Emits:
//! TenantStatusChanged.v1, OnboardingProgressed.v1, TenantProvisioningRequested.v1.

mod handler;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
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
        catalogue: Catalogue::bundled()?,
        settings: runtime::env("TENANT_SETTINGS")?,
        tenants: TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
