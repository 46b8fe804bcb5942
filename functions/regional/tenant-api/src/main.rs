//! A tenant's administration by its own users: profile, users, invitations, plan, closure, audit trail.
//!
//! Trigger: RegionalApi, everything under `/tenants/{tenant}`. Reads: RegionalTable, the user pool's keys.
//! Emits: TenantStatusChanged.v2, PlanChangeRequested.v1. Sends: invitations, by SES.

mod access;
mod adapters;
mod closure;
mod handler;
mod invitations;
mod paging;
mod problems;
mod tenant;
#[cfg(test)]
mod tests;
mod users;

use adapters::Adapters;
use contract::catalogue::Catalogue;
use handler::router;
use identity::Identity;
use mail::Mailer;
use outbox::Outbox;
use regional_store::TenantStore;
use runtime::Service;
use runtime::http::Tokens;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito, Service::Email]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let (pool, client): (String, String) = (runtime::env("USER_POOL_ID")?, runtime::env("CLIENT_ID")?);
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        catalogue: Catalogue::bundled()?,
        settings: runtime::env("TENANT_SETTINGS")?,
        tenants: TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox),
        tokens: Tokens::new(&aws, &pool, client.clone())?,
        identity: Identity::new(&aws, pool, client),
        mailer: Mailer::new(&aws, runtime::env("MAIL_FROM")?),
    };
    adapters.tokens.prefetch(runtime::now()).await;
    runtime::http::serve(router(adapters)).await
}
