//! The time after which SQS delivers the messages of a killed function again.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join_all;
use local_aws::Stack;
use tokio::sync::OnceCell;

/// In seconds. Shorter than the deployed minute, so that a journey waits less for the work of a
/// killed function. Longer than any function takes for its messages while several journeys run: a
/// message that is delivered again during its processing is processed again, and ends as a dead
/// letter when that repeats.
const TOGETHER_S: &str = "15";
/// In seconds. Longer than any function takes for its messages while one journey has the machine.
const ALONE_S: &str = "5";
/// In seconds. For a journey with little else under way than the repeated messages.
const SOON_S: &str = "2";

/// Sets every queue to the time for journeys side by side.
pub(crate) async fn shorten(stack: &Stack) -> Result<()> {
    set_all(stack, TOGETHER_S).await
}

/// Sets every queue to the time for a journey alone, once: after the first that has the whole stack
/// to itself, none runs beside another.
pub(crate) async fn shorten_for_one_journey(stack: &Stack) -> Result<()> {
    static DONE: OnceCell<()> = OnceCell::const_new();
    DONE.get_or_try_init(async || set_all(stack, ALONE_S).await)
        .await
        .map(|_| ())
}

/// Runs something while one queue delivers messages again sooner than usual.
pub(crate) async fn with_short_timeout<T>(
    stack: &Stack,
    region: &str,
    queue: &str,
    what: impl Future<Output = Result<T>>,
) -> Result<T> {
    let url = stack.deployment().region(region)?.queues.get(queue);
    let url = url.with_context(|| format!("{region} has no queue {queue}"))?;
    let client = aws_sdk_sqs::Client::new(&stack.emulator_sdk(region)?);
    set(&client, url, SOON_S).await?;
    let done = what.await;
    set(&client, url, ALONE_S).await?;
    done
}

async fn set_all(stack: &Stack, seconds: &str) -> Result<()> {
    for (code, region) in &stack.deployment().regions {
        let client = aws_sdk_sqs::Client::new(&stack.emulator_sdk(code)?);
        let queues = region.queues.values();
        try_join_all(queues.map(async |url| set(&client, url, seconds).await)).await?;
    }
    Ok(())
}

async fn set(client: &aws_sdk_sqs::Client, url: &str, seconds: &str) -> Result<()> {
    let timeout = QueueAttributeName::VisibilityTimeout;
    client
        .set_queue_attributes()
        .queue_url(url)
        .attributes(timeout, seconds)
        .send()
        .await?;
    Ok(())
}
