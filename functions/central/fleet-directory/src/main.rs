//! Maintains the directory of tenants and publishes the policies derived from it. Records the
//! progress of onboardings that home handed over, and the tenant of each custom subdomain, by the
//! subdomain's digest.
//!
//! Trigger: DirectoryQueue. Reads: TenantStatusChanged.v1, TenantPolicyApplied.v1,
//! PlanChangeRequested.v1, TenantErased.v1, OnboardingProgressed.v1,
//! SubdomainReservationUpdated.v1. Emits: TenantPolicyPublished.v1, SubdomainReservationDecided.v1.

mod handler;

use catalogue::Catalogue;
use central_store::CentralStore;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: CentralStore::new(&aws, runtime::env("CENTRAL_TABLE")?),
        outbox: Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?),
        catalogue: Catalogue::bundled()?,
    };
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}

#[cfg(test)]
mod tests;
