//! Publishes the region's committed bus events, and removes each from the outbox once it is
//! published.
//!
//! Trigger: the outbox table's stream, and a schedule for rows that the stream missed. Reads: the
//! outbox. Emits: every bus event of the region.

mod adapters;
mod handler;
mod recent;

use adapters::Adapters;
use bus::Bus;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use recent::Recent;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::EventBridge]).await?;
    let home_bus: String = runtime::env("HOME_BUS_NAME")?;
    let adapters = Adapters {
        outbox: Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?),
        regional_bus: Bus::new(&aws, runtime::env("REGIONAL_BUS_NAME")?),
        home_bus: Some(home_bus)
            .filter(|name| !name.is_empty())
            .map(|name| Bus::new(&aws, name)),
        recent: Recent::default(),
    };
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(&adapters, event.payload).await
    }))
    .await
}

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
