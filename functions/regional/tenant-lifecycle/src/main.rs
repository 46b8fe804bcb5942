//! Runs scheduled tasks: unconfirmed sign-ups expire, an unanswered provisioning fails, grace
//! periods end, machine clients end, closed tenants are erased, owed mails are sent.
//!
//! Trigger: a schedule. Reads: RegionalTable (due tasks, tenants, sign-ups), UsageTable (pending
//! segments). Sends: mails. Emits: TenantStatusChanged.v1, OnboardingProgressed.v1,
//! TenantErased.v1, TenantDeprovisioningRequested.v1.

mod adapters;
mod clients;
mod erasure;
mod handler;
mod mails;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters::from_env(&aws)?;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}
