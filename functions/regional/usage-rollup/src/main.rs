//! Rolls up stored usage: each event counts once in its window, and each changed window is
//! published.
//!
//! Trigger: the usage table's stream (inserted segments), and a schedule every minute (segments
//! that the stream missed, and days that are due to be sealed). Reads: segments, the dedupe index,
//! totals. Emits: `UsageWindowUpdated.v1` and `UsageSealed.v1`, through the outbox.

mod handler;
#[cfg(test)]
mod tests;

use aws_lambda_events::event::dynamodb::Event;
use handler::handle;
use jiff::SignedDuration;
use lambda_runtime::{LambdaEvent, run, service_fn};
use outbox::Outbox;
use runtime::{Service, Trigger};
use usage_store::RollupWriter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    let region = runtime::env("AWS_REGION")?;
    let seal_after = SignedDuration::from_hours(runtime::env("SEAL_AFTER_HOURS")?);
    let memory_mb: u64 = runtime::env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?;
    let rollups = RollupWriter::new(
        &aws,
        runtime::env("USAGE_TABLE")?,
        outbox,
        region,
        seal_after,
        runtime::new_uuid,
    )
    .within_memory(memory_mb * 1024 * 1024);
    run(service_fn(|event: LambdaEvent<Trigger<Event>>| {
        handle(&rollups, event.payload, runtime::now())
    }))
    .await
}
