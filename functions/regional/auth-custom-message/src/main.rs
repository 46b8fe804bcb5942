//! Words the mails with a code: in the tenant's language, with the tenant's own address. Refuses
//! those that would change the address of an account.
//!
//! Trigger: Cognito custom-message. Reads: RegionalTable (users, tenants). Writes: RegionalTable
//! (limits). Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::{Adapters, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;
use tenant_store::{MailTally, TenantReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let tenants = TenantReader::new(&aws, runtime::env("REGIONAL_TABLE")?);
    let adapters = Adapters {
        addresses: runtime::env("TENANT_ADDRESS")?,
        mails: MailTally::new(tenants.clone(), runtime::env("MAILS_PER_ADDRESS")?),
        tenants,
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
