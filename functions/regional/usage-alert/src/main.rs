//! Notifies the application once when a tenant's usage reaches an alert threshold, of its plan or
//! of its own.
//!
//! Trigger: AlertsQueue. Reads: RegionalTable (a tenant's plan and thresholds), UsageTable
//! (totals). Writes: UsageTable (marks of published thresholds). Emits:
//! `UsageThresholdReached.v1`, which stays in the region.

mod handler;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::Service;
use usage_store::{TermsReader, UsageAlerts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let (region, usage_table) = (runtime::env("AWS_REGION")?, runtime::env("USAGE_TABLE")?);
    let adapters = Adapters {
        catalogue: Catalogue::bundled()?,
        terms: TermsReader::new(&aws, runtime::env("REGIONAL_TABLE")?),
        thresholds: UsageAlerts::new(&aws, usage_table, outbox, region, runtime::new_uuid),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
