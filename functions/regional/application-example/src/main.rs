//! A worked example of an application plane: it makes and removes tenants' resources when Meridian
//! asks, and answers. Deployed with DeployApplicationExample=true only.
//!
//! An application of your own needs no crate of Meridian's: a rule on the regional bus for the
//! source `meridian.provisioning`, and `PutEvents` with the source `meridian.application` for the
//! answers. The documents are TenantProvisioningRequested.v1, TenantProvisioned.v1 and their
//! neighbours in docs/schemas.
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
