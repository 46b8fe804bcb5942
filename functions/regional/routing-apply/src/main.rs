//! Routes the names of tenants to the region, as long as they live there.
//!
//! Trigger: RoutingQueue. Reads: RegionalTable (tenants, sign-ups). Emits: records of the hosted
//! zone, OnboardingProgressed.v1.

mod adapters;
mod handler;
mod plan;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod zone;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Route53]).await?;
    let adapters = Adapters::from_env(&aws)?;
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
