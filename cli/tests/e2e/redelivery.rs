//! How soon a message comes back that a killed function had in hand.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join_all;
use local_aws::Stack;
use tokio::sync::OnceCell;

/// Sooner than the deployed minute, so that what was killed need not be waited for so long; and
/// later than any function takes for its messages while several journeys run, whatever its timeout:
/// what comes again while it is being done is done again, and ends as a dead letter when that goes
/// on.
const TOGETHER_S: &str = "15";
/// Later than any function takes for its messages while one journey has the machine.
const ALONE_S: &str = "5";
/// For a journey that has little else under way than the messages that come again.
const SOON_S: &str = "2";

/// Messages of every queue come back after the time for journeys side by side.
pub(crate) async fn hasten(stack: &Stack) -> Result<()> {
    set_all(stack, TOGETHER_S).await
}

/// Messages of every queue come back after the time for a journey alone: from the first of these
/// on, none runs beside another.
pub(crate) async fn hasten_alone(stack: &Stack) -> Result<()> {
    static DONE: OnceCell<()> = OnceCell::const_new();
    DONE.get_or_try_init(async || set_all(stack, ALONE_S).await)
        .await
        .map(|_| ())
}

/// Does something while messages of one queue come back sooner than usual.
pub(crate) async fn soon<T>(
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
