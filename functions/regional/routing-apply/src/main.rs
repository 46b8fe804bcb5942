//! Makes the names of tenants lead to the region, as long as they live there.
//!
//! Trigger: RoutingQueue. Reads: RegionalTable (tenants, sign-ups). Emits: records of the hosted
//! zone, OnboardingProgressed.v1.

mod handler;
mod plan;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod zone;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;
use tenant_store::TenantStore;
use zone::{Target, Zone};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Route53]).await?;
    let target = Target {
        host: runtime::env("ROUTE_TARGET")?,
        zone: runtime::env("ROUTE_TARGET_ZONE_ID")?,
    };
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        tenants: TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox),
        zone: Zone::new(
            &aws,
            runtime::env("HOSTED_ZONE_ID")?,
            runtime::env("TENANT_DOMAIN")?,
            target,
        ),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
