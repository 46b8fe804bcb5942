//! How soon a message comes back that a killed function had in hand.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use local_aws::Stack;

/// Sooner than the deployed minute, so that what was killed need not be waited for so long; and
/// later than any function takes for its messages on a busy machine, whatever its timeout: what
/// comes again while it is being done is done again, and ends as a dead letter when that goes on.
const USUAL_S: &str = "15";
/// For a journey that kills a function at each of its calls and has nothing else under way: the
/// message comes again for each kill, and only the one.
const SOON_S: &str = "5";

/// Messages of every queue come back after the usual time.
pub(crate) async fn hasten(stack: &Stack) -> Result<()> {
    for (code, region) in &stack.deployment().regions {
        let client = aws_sdk_sqs::Client::new(&stack.emulator_sdk(code)?);
        for url in region.queues.values() {
            set(&client, url, USUAL_S).await?;
        }
    }
    Ok(())
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
    set(&client, url, USUAL_S).await?;
    done
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
