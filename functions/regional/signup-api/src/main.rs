//! Sign-ups of this region's tenants: register, follow, confirm.
//!
//! Trigger: RegionalApi, `POST /signups`, `GET /signups/{id}`, `POST /signups/{id}/confirmation`.
//! Reads: RegionalTable (sign-ups, tenants), Cognito. Emits: TenantStatusChanged.v1.

mod handler;
mod problems;
#[cfg(test)]
mod tests;

use contract::catalogue::Catalogue;
use handler::{Adapters, router};
use identity::Identity;
use outbox::Outbox;
use regional_store::TenantStore;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    runtime::http::serve(router(Adapters {
        region: runtime::env("AWS_REGION")?,
        mode: runtime::env("REGION_MODE")?,
        catalogue: Catalogue::bundled()?,
        tenants: TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox),
        identity: Identity::new(&aws, runtime::env("USER_POOL_ID")?, runtime::env("CLIENT_ID")?),
    }))
    .await
}
