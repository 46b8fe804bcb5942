//! Ingests usage events: stores each event durably, or rejects it by its id, before it answers.
//!
//! Trigger: `POST /usage/events`, `POST /api/v1/events`, `/usage/corrections`. Reads: the region's
//! tenants, the records of corrections, and the segments of events that are corrected by key.
//! Emits: nothing; the usage table's stream triggers `usage-rollup`.

mod adapters;
mod body;
mod corrections;
mod handler;
mod known;
mod problems;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use catalogue::Catalogue;
use handler::router;
use known::KnownTenants;
use runtime::Service;
use runtime::http::{Tokens, serve};
use usage_store::{SegmentWriter, TermsReader, UsageReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let user_pool: String = runtime::env("USER_POOL_ID")?;
    let tokens = Tokens::new(&aws, &user_pool, runtime::env("SERVICE_CLIENT_ID")?)?;
    tokens.prefetch(runtime::now()).await;
    let usage_table: String = runtime::env("USAGE_TABLE")?;
    let adapters = Adapters {
        tokens,
        catalogue: Catalogue::bundled()?,
        tenants: KnownTenants::new(TermsReader::new(&aws, runtime::env("REGIONAL_TABLE")?)),
        segment_writer: SegmentWriter::new(&aws, usage_table.clone()),
        usage: UsageReader::new(&aws, usage_table),
    };
    serve(router(adapters)).await
}
