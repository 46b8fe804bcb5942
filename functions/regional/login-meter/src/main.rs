//! Meters sign-ins: each becomes one usage event of its tenant, stored as a client's usage is.
//!
//! Trigger: LoginsQueue. Reads: RegionalTable (users, tenants). Writes: RegionalTable (limits),
//! UsageTable, whose stream triggers `usage-rollup`. Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;
use tenant_store::{Tally, TenantReader};
use usage_store::{SegmentWriter, TermsReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let regional_table: String = runtime::env("REGIONAL_TABLE")?;
    let tenants = TenantReader::new(&aws, regional_table.clone());
    let adapters = Adapters {
        catalogue: Catalogue::bundled()?,
        tally: Tally::new(tenants.clone()),
        tenants,
        terms: TermsReader::new(&aws, regional_table),
        segment_writer: SegmentWriter::new(&aws, runtime::env("USAGE_TABLE")?),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
