//! A tenant's administration by its own users: profile, users, invitations, machine clients,
//! identity provider, plan, closure, audit trail; also its entitlements and its usage.
//!
//! Trigger: RegionalApi, everything under `/tenants/{tenant}`, `/entitlements` and `/usage`. Reads:
//! RegionalTable, UsageTable, the user pool's keys. Emits: TenantStatusChanged.v1,
//! PlanChangeRequested.v1, SubdomainReservationUpdated.v1, TenantAddressChanged.v1. Sends:
//! invitations through SES; notices to all people of a tenant through WorkspacesQueue.

mod access;
mod accounts;
mod adapters;
mod administrators;
mod alert_thresholds;
mod clients;
mod closure;
mod entitlements;
mod federation;
mod handler;
mod invitations;
mod notices;
mod paging;
mod problems;
mod subdomains;
mod tenant;
#[cfg(test)]
mod tests;
mod usage;
mod users;

use adapters::{Adapters, SERVICES};
use handler::router;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&SERVICES).await?;
    let adapters = Adapters::from_env(&aws)?;
    adapters.tokens.prefetch(runtime::now()).await;
    runtime::http::serve(router(adapters)).await
}
