//! A message that no function can read.

use crate::books::{customer, usage_file};
use crate::dead_letters::{delete_expected, source_of};
use crate::exactly_once::send_all;
use crate::quiet::quiet;
use crate::redelivery::with_short_timeout;
use anyhow::{Context, Result, ensure};
use journey::journey;
use local_aws::Stack;
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
const POISON: [&str; 2] = [
    "not JSON",
    r#"{"detail-type":"UsageWindowUpdated.v1","source":"meridian.metering","detail":{}}"#,
];
/// Longer than a queue needs to deliver a message as often as it may.
const DEAD_AFTER_MAX: Duration = Duration::from_secs(300);

/// The ledger gets unreadable messages among good ones. The good ones are entered. The others end
/// in the dead-letter queue of the ledger's function set, where each names the queue it came from.
#[journey(alone = "counts the dead letters of home")]
async fn a_poison_message_ends_in_its_dead_letter_queue(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let client = aws_sdk_sqs::Client::new(&stack.emulator_sdk(&home)?);
    let dead = stack
        .deployment()
        .region(&home)?
        .queues
        .get("central-dead-letter")
        .context("it has a dead-letter queue")?;
    // SQS delivers an unreadable message again, as often as the queue allows, before it is dead.
    let ended = with_short_timeout(
        stack,
        &home,
        "ledger",
        poisoned(stack, &home, &client, dead),
    )
    .await;
    delete_expected(&client, dead, &POISON).await?;
    ended
}

async fn poisoned(
    stack: &Stack,
    home: &str,
    client: &aws_sdk_sqs::Client,
    dead: &str,
) -> Result<()> {
    let dead_before = stack.dead_letters(home).await?;
    let queue = stack
        .deployment()
        .region(home)?
        .queues
        .get("ledger")
        .context("home has a ledger queue")?;
    for body in POISON {
        client
            .send_message()
            .queue_url(queue)
            .message_body(body)
            .send()
            .await?;
    }
    let tenant = customer(stack, REGION).await?.tenant;
    let file = usage_file(vec![tenant.clone()], 300, 41)?;
    send_all(stack, REGION, &file.path).await?;

    let deadline = Instant::now() + DEAD_AFTER_MAX;
    while stack.dead_letters(home).await? < dead_before + 2 {
        ensure!(
            Instant::now() < deadline,
            "the poison is not in the dead-letter queue after {DEAD_AFTER_MAX:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    quiet(stack).await?;
    file.ensure_counted(stack, home, &[tenant]).await?;
    ensure!(
        stack.dead_letters(home).await? == dead_before + 2,
        "more than the poison is dead"
    );
    for body in POISON {
        let source = source_of(client, dead, body).await?;
        ensure!(
            source.is_some_and(|arn| queue.ends_with(arn.rsplit(':').next().unwrap_or(":"))),
            "{body} came from the ledger's queue"
        );
    }
    Ok(())
}
