//! The messages in dead-letter queues.

use crate::quiet::quiet;
use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use journey::journey;
use local_aws::Stack;
use serde_json::Value;

/// The most messages that SQS returns for one receive request.
const RECEIVE_MAX: i32 = 10;

/// Counts the dead letters of some regions, each region once. A journey compares the counts before
/// and after it.
pub(crate) async fn dead_letters(stack: &Stack, regions: &[&str]) -> Result<u64> {
    let mut dead = 0;
    for (at, region) in regions.iter().enumerate() {
        if !regions[..at].contains(region) {
            dead += stack.dead_letters(region).await?;
        }
    }
    Ok(dead)
}

/// Deletes the messages that a journey has caused on purpose from a dead-letter queue, and leaves
/// all others.
pub(crate) async fn delete_expected(
    client: &aws_sdk_sqs::Client,
    queue_url: &str,
    on_purpose: &[&str],
) -> Result<()> {
    for message in all_of(client, queue_url).await? {
        if message
            .body()
            .is_some_and(|body| on_purpose.contains(&body))
        {
            let receipt = message
                .receipt_handle()
                .context("a message has its receipt")?;
            client
                .delete_message()
                .queue_url(queue_url)
                .receipt_handle(receipt)
                .send()
                .await?;
        }
    }
    Ok(())
}

/// Finds the ARN of the queue that a message of a dead-letter queue came from. The message stays in
/// the queue and is visible again at once.
pub(crate) async fn source_of(
    client: &aws_sdk_sqs::Client,
    queue_url: &str,
    body: &str,
) -> Result<Option<String>> {
    let mut source = None;
    for message in all_of(client, queue_url).await? {
        if message.body() == Some(body) {
            let attributes = message.attributes();
            source = attributes
                .and_then(|all| all.get(&MessageSystemAttributeName::DeadLetterQueueSourceArn))
                .cloned();
        }
        let receipt = message
            .receipt_handle()
            .context("a message has its receipt")?;
        let seen = client
            .change_message_visibility()
            .queue_url(queue_url)
            .receipt_handle(receipt);
        seen.visibility_timeout(0).send().await?;
    }
    Ok(source)
}

/// Runs after all journeys except those that give functions invalid input. Every dead letter of
/// every region is a scheduled run that a journey cut off.
#[journey(alone = "checks the queues after all journeys", last)]
async fn no_journey_leaves_dead_letters(stack: &Stack) -> Result<()> {
    quiet(stack).await?;
    let mut dead = Vec::new();
    for (code, region) in &stack.deployment().regions {
        let client = aws_sdk_sqs::Client::new(&stack.emulator_sdk(code)?);
        for (queue, url) in region
            .queues
            .iter()
            .filter(|(queue, _)| queue.ends_with("dead-letter"))
        {
            for message in all_of(&client, url).await? {
                let body = message.body().unwrap_or_default();
                if !is_completed_scheduled_run(stack, code, body).await? {
                    dead.push(format!("{queue} of {code}: {body}"));
                }
            }
        }
    }
    ensure!(
        dead.is_empty(),
        "{} dead letters:\n{}",
        dead.len(),
        dead.join("\n")
    );
    Ok(())
}

/// Whether a dead letter is a scheduled run, whose work a later run can do. A journey that kills a
/// function or stops a region may cut such a run off, and it is not repeated. The next run does its
/// work, so the same run is started here, and has to succeed.
async fn is_completed_scheduled_run(stack: &Stack, code: &str, body: &str) -> Result<bool> {
    let letter: Value = serde_json::from_str(body).unwrap_or_default();
    let event = &letter["requestPayload"];
    if event["detail-type"] != "Scheduled Event" {
        return Ok(false);
    }
    let arn = letter["requestContext"]["functionArn"]
        .as_str()
        .unwrap_or_default();
    let functions = &stack.deployment().region(code)?.functions;
    let cut_off = functions
        .iter()
        .find(|(_, deployed)| arn.ends_with(&format!(":{deployed}")));
    let Some((function, _)) = cut_off else {
        return Ok(false);
    };
    Ok(stack.invoke(code, function, event).await.is_ok())
}

/// Receives every visible message of a queue. They stay in the queue, and are hidden for a while.
async fn all_of(client: &aws_sdk_sqs::Client, queue_url: &str) -> Result<Vec<Message>> {
    let mut all = Vec::new();
    loop {
        let received = client
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(RECEIVE_MAX)
            .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(all);
        }
        all.extend(messages);
    }
}
