//! Applies home's decisions on a tenant, and reports the resulting state to home.
//!
//! Trigger: PolicyQueue. Reads: RegionalTable (tenants, subdomains). Emits: TenantPolicyApplied.v1;
//! TenantStatusChanged.v1 for a change of plan, a suspension and its end;
//! SubdomainReservationUpdated.v1 and TenantAddressChanged.v1 for a reservation.

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
        settings: runtime::env("TENANT_SETTINGS")?,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
