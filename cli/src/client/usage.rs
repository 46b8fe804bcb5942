//! Sending usage: a file of CloudEvents, one a line, in batches, several at a time.

use super::answer::{Refused, ask};
use crate::local::sdk::http;
use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The scope that a sender's token needs.
pub const SCOPE: &str = "usage/write";
/// What the region takes in one call.
pub const BATCH_MAX: usize = 1_000;
const ATTEMPTS_MAX: u32 = 8;

/// How to send.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The region's API.
    pub api_url: String,
    /// An access token with the scope [`SCOPE`].
    pub token: String,
    /// Events in a call, at most [`BATCH_MAX`].
    pub batch: usize,
    /// Calls at a time.
    pub parallel: usize,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Events in the file.
    pub events: u64,
    /// Stored by the region.
    pub accepted: u64,
    /// Refused by the region, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Calls that were repeated because the region did not answer or asked to wait.
    pub repeated: u64,
}

impl Sent {
    /// How many events were refused.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    fn add(mut self, other: Self) -> Self {
        self.events += other.events;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        for (reason, count) in other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        self
    }
}

#[derive(Deserialize)]
struct BatchAnswer {
    accepted: u64,
    #[serde(default)]
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    reason: String,
}

/// Reads a file of events: one JSON object a line.
///
/// # Errors
/// When it cannot be read, or a line is not JSON; the message names the line.
pub fn read(path: &Path) -> Result<Vec<Box<RawValue>>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).with_context(|| format!("{}: line {} is not JSON", path.display(), index + 1))
        })
        .collect()
}

/// Sends events; `progress` hears after each call how many more are done. A call that is not answered is
/// repeated: the region counts every event once.
///
/// # Errors
/// When the region refuses a whole call, or does not answer after several attempts.
pub async fn send(sending: &Sending, events: &[Box<RawValue>], progress: impl Fn(u64)) -> Result<Sent> {
    if sending.batch == 0 || sending.batch > BATCH_MAX {
        bail!("a batch has 1 to {BATCH_MAX} events");
    }
    let batches = stream::iter(events.chunks(sending.batch)).map(|batch| send_batch(sending, batch));
    let mut answers = batches.buffer_unordered(sending.parallel.max(1));
    let mut sent = Sent::default();
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        progress(answer.events);
        sent = sent.add(answer);
    }
    Ok(sent)
}

async fn send_batch(sending: &Sending, batch: &[Box<RawValue>]) -> Result<Sent> {
    let body = serde_json::to_vec(batch)?;
    let mut repeated = 0;
    loop {
        match post(sending, body.clone()).await {
            Ok(answer) => return Ok(summary(batch, &answer, repeated)),
            Err(error) if u64::from(ATTEMPTS_MAX) > repeated + 1 && is_passing(&error) => {
                repeated += 1;
                tokio::time::sleep(Duration::from_millis(100 << repeated.min(5))).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn post(sending: &Sending, body: Vec<u8>) -> Result<BatchAnswer> {
    let request = http()
        .post(format!("{}/usage/events", sending.api_url))
        .bearer_auth(&sending.token)
        .header("content-type", "application/cloudevents-batch+json")
        .body(body);
    match ask(request).await {
        Ok(answer) => Ok(answer),
        // A batch in which nothing could be accepted is refused as a whole, with the same list.
        Err(error) => match error.downcast_ref::<Refused>().and_then(all_refused) {
            Some(answer) => Ok(answer),
            None => Err(error),
        },
    }
}

fn all_refused(refused: &Refused) -> Option<BatchAnswer> {
    let rejected = refused.problem.get("rejected")?;
    Some(BatchAnswer { accepted: 0, rejected: serde_json::from_value(rejected.clone()).ok()? })
}

fn summary(batch: &[Box<RawValue>], answer: &BatchAnswer, repeated: u64) -> Sent {
    let mut rejected = BTreeMap::new();
    for event in &answer.rejected {
        *rejected.entry(event.reason.clone()).or_default() += 1;
    }
    Sent { events: batch.len() as u64, accepted: answer.accepted, rejected, repeated }
}

/// Whether the same call may succeed later: no answer, too many calls, or the region's own failure.
fn is_passing(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refused>() {
        Some(refused) => refused.status.is_server_error() || refused.status.as_u16() == 429,
        None => true,
    }
}
