//! Observes the stack from outside: work in flight, and messages in dead-letter queues.

use super::stack::Stack;
use anyhow::{Context, Result, bail};
use deployment::clients::http;
use futures::future::try_join_all;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// An invocation that has taken its messages and not yet written shows nowhere: look again.
const LOOKS_IN_A_ROW: u32 = 3;

/// What a region's emulator says of itself (`sitecustomize.py`).
#[derive(Deserialize)]
struct UnderWay {
    /// By queue: the messages that it holds.
    queues: BTreeMap<String, u64>,
    /// By the beginning of their partitions: the rows that wait for a function.
    rows: BTreeMap<String, u64>,
}

impl Stack {
    /// Waits until no work is in flight in any region: no usage to roll up, no event to publish, no
    /// message in a queue except dead letters.
    ///
    /// # Errors
    /// When that takes longer than `timeout`; the message lists the remaining work.
    pub async fn wait_until_quiet(&self, timeout: Duration) -> Result<()> {
        self.wait_until_quiet_about(&[], timeout).await
    }

    /// Waits until nothing is under way in any region that mentions one of some texts, such as a
    /// tenant's id; without texts, until nothing is at all.
    ///
    /// # Errors
    /// When that takes longer than `timeout`; the message says what is still waiting.
    pub async fn wait_until_quiet_about(&self, about: &[&str], timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut quiet = 0;
        while quiet < LOOKS_IN_A_ROW {
            let waiting = self.waiting(about).await?;
            quiet = if waiting.is_empty() { quiet + 1 } else { 0 };
            if quiet == 0 && Instant::now() > deadline {
                bail!(
                    "work in flight after {} s: {}",
                    timeout.as_secs(),
                    waiting.join(", ")
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// How many messages are in a region's dead-letter queues.
    ///
    /// # Errors
    /// When the region does not answer.
    pub async fn dead_letters(&self, code: &str) -> Result<u64> {
        let queues = self.under_way(code, &[]).await?.queues;
        let dead = queues.iter().filter(|(name, _)| is_dead_letter(name));
        Ok(dead.map(|(_, depth)| depth).sum())
    }

    /// What is under way and mentions one of some texts, in words.
    async fn waiting(&self, about: &[&str]) -> Result<Vec<String>> {
        let regions = self.deployment().regions.keys();
        let waiting = regions.map(async |code| {
            let UnderWay { queues, rows } = self.under_way(code, about).await?;
            let queues = queues.into_iter().filter(|(name, _)| !is_dead_letter(name));
            let waiting = queues.chain(rows).filter(|(_, depth)| *depth > 0);
            let waiting = waiting.map(|(name, depth)| format!("{depth} in {name} of {code}"));
            anyhow::Ok(waiting.collect::<Vec<_>>())
        });
        Ok(try_join_all(waiting).await?.concat())
    }

    async fn under_way(&self, code: &str, about: &[&str]) -> Result<UnderWay> {
        let url = format!(
            "{}/_meridian/under-way",
            self.local().region(code)?.emulator_url
        );
        let about: Vec<_> = about.iter().map(|text| ("about", *text)).collect();
        let url = reqwest::Url::parse_with_params(&url, about)?;
        let answer = http().get(url).send().await;
        let answer = answer
            .and_then(reqwest::Response::error_for_status)
            .with_context(|| format!("what is under way in {code}"))?;
        Ok(answer.json().await?)
    }
}

fn is_dead_letter(queue: &str) -> bool {
    queue
        .to_ascii_lowercase()
        .replace('-', "")
        .contains("deadletter")
}
