//! Reports the region's health home once a minute, and the region's description when it changed and
//! once an hour.
//!
//! Trigger: a schedule. Reads: the regional, usage and outbox tables. Emits: HeartbeatReported.v1,
//! RegionDescribed.v1.

mod adapters;
mod describe;
mod handler;
mod measure;
mod report;
mod store;
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
