//! Mails people the list of their workspaces in this region at their request, and notifies all
//! people of a workspace that the provider has appointed a new administrator.
//!
//! Trigger: WorkspacesQueue. Reads: RegionalTable (users by address and by tenant, tenants).
//! Writes: RegionalTable (limits). Sends: mails. Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use mail::Mailer;
use runtime::Service;
use tenant_store::{MailTally, TenantReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Email]).await?;
    let tenants = TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?);
    let adapters = Adapters {
        mails: MailTally::new(tenants.clone(), runtime::env("MAILS_PER_ADDRESS")?),
        tenants,
        mailer: Mailer::new(&aws, runtime::env("MAIL_FROM")?),
        addresses: runtime::env("TENANT_ADDRESS")?,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
