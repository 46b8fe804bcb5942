//! A tenant's administration by its own users: profile, users, invitations, machine clients,
//! identity provider, plan, closure, audit trail; its entitlements, and what it has used.
//!
//! Trigger: RegionalApi, everything under `/tenants/{tenant}`, `/entitlements` and `/usage`. Reads:
//! RegionalTable, UsageTable, the user pool's keys. Emits: TenantStatusChanged.v1,
//! PlanChangeRequested.v1, VanityClaimed.v1, TenantAddressChanged.v1. Sends: invitations, by SES;
//! notices to all people of a tenant, by WorkspacesQueue.

mod access;
mod accounts;
mod adapters;
mod administrators;
mod clients;
mod closure;
mod entitlements;
mod federation;
mod handler;
mod invitations;
mod levels;
mod notices;
mod paging;
mod problems;
mod tenant;
#[cfg(test)]
mod tests;
mod usage;
mod users;
mod vanity;

use adapters::Adapters;
use handler::router;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Sts]).await?;
    let adapters = Adapters::from_env(&aws)?;
    adapters.tokens.prefetch(runtime::now()).await;
    runtime::http::serve(router(adapters)).await
}
