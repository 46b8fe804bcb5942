//! Issues a tenant's invoice for a period, and publishes a sovereign region's totals with the last
//! one.
//!
//! Trigger: invoice queue. Reads and writes: BillingTable. Emits: RegionBillingTotaled.v1.

mod handler;
#[cfg(test)]
mod tests;

use billing::DisclosureThreshold;
use billing_store::BillingStore;
use catalogue::Catalogue;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters {
        store: BillingStore::new(&aws, runtime::env("BILLING_TABLE")?),
        outbox: Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?),
        catalogue: Catalogue::bundled()?,
        legal_entity: runtime::env("LEGAL_ENTITY")?,
        region: runtime::env("AWS_REGION")?,
        disclosure: DisclosureThreshold {
            mode: runtime::env("REGION_MODE")?,
            tenants_min: runtime::env("MINIMUM_TENANTS_FOR_TOTALS")?,
        },
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
