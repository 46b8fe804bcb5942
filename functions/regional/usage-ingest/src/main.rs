//! Takes usage events in: each is stored durably or refused by name before the answer goes out.
//!
//! Trigger: `POST /usage/events`, `POST /api/v1/events`, `/usage/corrections`. Reads: the region's
//! tenants, the records of corrections, and the segments of what is corrected by its key. Emits:
//! nothing; the usage table's stream tells `usage-rollup`.

mod body;
mod corrections;
mod handler;
mod known;
mod refusal;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
use handler::{Adapters, router};
use known::KnownTenants;
use regional_store::{Intake, TenantReader, UsageReader};
use runtime::Service;
use runtime::http::{Tokens, serve};

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
        tenants: KnownTenants::new(TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?)),
        intake: Intake::new(&aws, usage_table.clone()),
        usage: UsageReader::new(&aws, usage_table),
    };
    serve(router(adapters)).await
}
