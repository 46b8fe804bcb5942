//! A worked example of an application plane: creates and removes tenants' resources at Meridian's
//! request, and answers. Deployed with DeployApplicationExample=true only.
//!
//! An application of your own needs none of Meridian's crates. It needs a rule on the regional bus
//! for the source `meridian.provisioning`, and `PutEvents` with the source `meridian.application`
//! for the answers. docs/schemas describes TenantProvisioningRequested.v1, TenantProvisioned.v1 and
//! the related events.
//!
//! Trigger: ApplicationQueue. Reads: nothing. Emits: TenantProvisioned.v1,
//! TenantProvisioningFailed.v1, TenantDeprovisioned.v1.

mod adapters;
mod handler;
mod resources;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::EventBridge]).await?;
    let adapters = Adapters::from_env(&aws)?;
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
