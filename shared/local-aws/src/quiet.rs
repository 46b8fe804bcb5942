//! Observes the stack from outside: work in flight, and messages in dead-letter queues.

use super::stack::Stack;
use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join_all;
use std::time::{Duration, Instant};

/// The time between two observations.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// An invocation that has received its messages and not yet written is invisible, so one empty
/// observation proves nothing.
const QUIET_POLLS: u32 = 3;

impl Stack {
    /// Waits until no work is in flight in any region: no usage to roll up, no event to publish, no
    /// message in a queue except dead letters.
    ///
    /// # Errors
    /// When that takes longer than `timeout`; the message lists the remaining work.
    pub async fn wait_until_quiet(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut quiet = 0;
        while quiet < QUIET_POLLS {
            let regions = self.deployment().regions.keys();
            let backlog = try_join_all(regions.map(async |code| self.backlog(code).await))
                .await?
                .concat();
            quiet = if backlog.is_empty() { quiet + 1 } else { 0 };
            if quiet == 0 && Instant::now() > deadline {
                bail!(
                    "work in flight after {} s: {}",
                    timeout.as_secs(),
                    backlog.join(", ")
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// How many messages are in a region's dead-letter queues.
    ///
    /// # Errors
    /// When the region does not answer.
    pub async fn dead_letters(&self, code: &str) -> Result<u64> {
        let depths = self.queue_depths(code).await?;
        Ok(depths
            .iter()
            .filter(|(name, _)| is_dead_letter(name))
            .map(|(_, depth)| depth)
            .sum())
    }

    /// Describes the work in flight in a region.
    async fn backlog(&self, code: &str) -> Result<Vec<String>> {
        let depths = self.queue_depths(code).await?;
        let mut backlog: Vec<String> = depths
            .into_iter()
            .filter(|(name, depth)| *depth > 0 && !is_dead_letter(name))
            .map(|(name, depth)| format!("{depth} in {name} of {code}"))
            .collect();
        for (table, prefix) in [("outbox", "OUTBOX#"), ("usage", "PENDING#")] {
            let count = self.count_items(code, table, prefix).await?;
            if count > 0 {
                backlog.push(format!("{count} of {prefix} in {code}"));
            }
        }
        Ok(backlog)
    }

    async fn queue_depths(&self, code: &str) -> Result<Vec<(String, u64)>> {
        let client = aws_sdk_sqs::Client::new(&self.emulator_sdk(code)?);
        let urls = client
            .list_queues()
            .send()
            .await
            .with_context(|| format!("queues of {code}"))?;
        let counted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let depths = urls.queue_urls().iter().map(async |url| {
            let request = client
                .get_queue_attributes()
                .queue_url(url)
                .set_attribute_names(Some(counted.to_vec()));
            let answer = request
                .send()
                .await
                .with_context(|| format!("the queue {url}"))?;
            let values = answer
                .attributes()
                .into_iter()
                .flat_map(|attributes| attributes.values());
            let depth = values.filter_map(|value| value.parse::<u64>().ok()).sum();
            anyhow::Ok((url.rsplit('/').next().unwrap_or_default().to_owned(), depth))
        });
        try_join_all(depths).await
    }

    async fn count_items(&self, code: &str, table: &str, prefix: &str) -> Result<u64> {
        let region = self.deployment().region(code)?;
        let name = region
            .tables
            .get(table)
            .with_context(|| format!("{code} has no {table} table"))?;
        let client = aws_sdk_dynamodb::Client::new(&self.emulator_sdk(code)?);
        let mut pages = client
            .scan()
            .table_name(name)
            .select(Select::Count)
            .filter_expression("begins_with(pk, :prefix)")
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            .into_paginator()
            .send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += u64::try_from(page?.count()).unwrap_or_default();
        }
        Ok(count)
    }
}

fn is_dead_letter(queue: &str) -> bool {
    queue
        .to_ascii_lowercase()
        .replace('-', "")
        .contains("deadletter")
}
