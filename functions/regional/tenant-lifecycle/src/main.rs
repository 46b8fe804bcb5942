//! Does what is due: sign-ups expire, silence becomes a failure, grace ends, what signed in by
//! itself ends, closed tenants are erased, mails that had to wait go out.
//!
//! Trigger: a schedule. Reads: RegionalTable (what is due, tenants, sign-ups), UsageTable (what
//! waits). Sends: mails. Emits: TenantStatusChanged.v1, OnboardingProgressed.v1, TenantErased.v1,
//! TenantDeprovisioningRequested.v1.

mod clients;
mod erasure;
mod handler;
mod mails;
#[cfg(test)]
mod tests;

use catalogue::Catalogue;
use handler::{Adapters, handle};
use identity::Identity;
use lambda_runtime::{LambdaEvent, run, service_fn};
use mail::Mailer;
use outbox::Outbox;
use regional_store::{MailTally, TenantStore, UsageEraser};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let tenants = TenantStore::new(&aws, runtime::env("REGIONAL_TABLE")?, outbox);
    let adapters = Adapters {
        region: runtime::env("AWS_REGION")?,
        usage: UsageEraser::new(&aws, runtime::env("USAGE_TABLE")?, tenants.clone()),
        identity: Identity::new(
            &aws,
            runtime::env("USER_POOL_ID")?,
            runtime::env("CLIENT_ID")?,
        ),
        mails: MailTally::new(tenants.reader().clone(), runtime::env("MAILS_PER_ADDRESS")?),
        tenants,
        catalogue: Catalogue::bundled()?,
        settings: runtime::env("TENANT_SETTINGS")?,
        mailer: Mailer::new(&aws, runtime::env("MAIL_FROM")?),
        addresses: runtime::env("TENANT_ADDRESS")?,
    };
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}
