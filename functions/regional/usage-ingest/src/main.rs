//! Takes usage events in: each is stored durably or refused by name before the answer goes out.
//!
//! Trigger: `POST /usage/events`. Reads: the region's tenants. Emits: nothing; the usage table's stream tells
//! `usage-rollup`.

mod handler;
mod known;
#[cfg(test)]
mod tests;

use contract::catalogue::Catalogue;
use handler::{Adapters, router};
use known::KnownTenants;
use regional_store::{Intake, TenantReader};
use runtime::Service;
use runtime::http::{Tokens, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito]).await?;
    let user_pool: String = runtime::env("USER_POOL_ID")?;
    let tokens = Tokens::new(&aws, &user_pool, runtime::env("SERVICE_CLIENT_ID")?)?;
    tokens.prefetch(runtime::now()).await;
    let adapters = Adapters {
        tokens,
        catalogue: Catalogue::bundled()?,
        tenants: KnownTenants::new(TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?)),
        intake: Intake::new(&aws, runtime::env("USAGE_TABLE")?),
    };
    serve(router(adapters)).await
}
