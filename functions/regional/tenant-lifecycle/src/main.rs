//! Does what is due: sign-ups expire, silence becomes a failure, grace ends, what signed in by
//! itself ends, closed tenants are erased.
//!
//! Trigger: a schedule. Reads: RegionalTable (what is due, tenants, sign-ups), UsageTable (what waits). Emits:
//! TenantStatusChanged.v2, OnboardingProgressed.v1, TenantErased.v1, TenantDeprovisioningRequested.v1.

mod clients;
mod erasure;
mod handler;
#[cfg(test)]
mod tests;

use contract::catalogue::Catalogue;
use handler::{Adapters, handle};
use identity::Identity;
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use regional_store::{TenantStore, UsageEraser};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let tenants = TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox);
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        usage: UsageEraser::new(&aws, runtime::env("USAGE_TABLE")?, tenants.clone()),
        identity: Identity::new(&aws, runtime::env("USER_POOL_ID")?, runtime::env("CLIENT_ID")?),
        tenants,
        catalogue: Catalogue::bundled()?,
        settings: runtime::env("TENANT_SETTINGS")?,
    };
    run(service_fn(async |event: LambdaEvent<_>| handle(&adapters, event.payload).await)).await
}
