//! Sends usage: a file of CloudEvents, one on each line, in batches, several batches at a time.

use super::answer::{Printable, Refused, ask};
use anyhow::{Context, Result, bail};
use deployment::clients::http;
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The scope that a token needs for sending usage.
pub const SCOPE: &str = "usage/write";
/// The most events that the region takes in one call.
pub const BATCH_MAX: usize = 1_000;
/// With the waits between them, eight attempts outlast a failure of about 12 s.
const ATTEMPTS_MAX: u32 = 8;

/// The settings for sending.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The region's API.
    pub api_url: String,
    /// An access token with the scope [`SCOPE`].
    pub token: String,
    /// The number of events in a call, at most [`BATCH_MAX`].
    pub batch: usize,
    /// The number of calls at a time.
    pub parallel: usize,
}

/// The result of sending a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The number of events in the file.
    pub events: u64,
    /// The number of events that the region stored.
    pub accepted: u64,
    /// The numbers of events that the region refused, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Each refused event, in the order of the file.
    pub refused: Vec<RefusedEvent>,
    /// The number of repeated calls, after the region did not answer or asked to wait.
    pub repeated: u64,
}

/// An event that the region refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RefusedEvent {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Its id, where the region names it.
    pub id: Option<String>,
    /// The reason, as a short code.
    pub reason: String,
    /// The rule that it broke.
    pub detail: String,
}

impl fmt::Display for RefusedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(id) = &self.id {
            write!(f, " (id {})", Printable(id))?;
        }
        write!(
            f,
            ": {}: {}",
            Printable(&self.reason),
            Printable(&self.detail)
        )
    }
}

/// An event of a file.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its line, from 1.
    pub line: usize,
    /// The event, as it is sent.
    pub json: Box<RawValue>,
}

impl Sent {
    /// The number of refused events.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    fn add(mut self, other: Self) -> Self {
        self.events += other.events;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        self.refused.extend(other.refused);
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
    index: usize,
    #[serde(default)]
    id: Option<String>,
    reason: String,
    detail: String,
}

/// Reads a file of events: one JSON object a line.
///
/// # Errors
/// When it cannot be read, or a line is not JSON; the message names the line.
pub fn read(path: &Path) -> Result<Vec<Event>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let json = serde_json::from_str(line);
            let json = json
                .with_context(|| format!("{}: line {} is not JSON", path.display(), index + 1))?;
            Ok(Event {
                line: index + 1,
                json,
            })
        })
        .collect()
}

/// Sends events, and calls `progress` after each call with the number of events that it had. A call
/// without an answer is repeated, which is safe because the region counts every event once.
///
/// # Errors
/// When the region refuses a whole call, or does not answer after several attempts.
pub async fn send(sending: &Sending, events: &[Event], progress: impl Fn(u64)) -> Result<Sent> {
    if sending.batch == 0 || sending.batch > BATCH_MAX {
        bail!("a batch has 1 to {BATCH_MAX} events");
    }
    let batches =
        stream::iter(events.chunks(sending.batch)).map(|batch| send_batch(sending, batch));
    let mut answers = batches.buffer_unordered(sending.parallel.max(1));
    let mut sent = Sent::default();
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        progress(answer.events);
        sent = sent.add(answer);
    }
    // Calls that run at a time end in any order.
    sent.refused.sort();
    Ok(sent)
}

async fn send_batch(sending: &Sending, batch: &[Event]) -> Result<Sent> {
    let body = serde_json::to_vec(&batch.iter().map(|event| &event.json).collect::<Vec<_>>())?;
    let mut repeated = 0;
    loop {
        match post(sending, body.clone()).await {
            Ok(answer) => return Ok(summary(batch, answer, repeated)),
            Err(error) if u64::from(ATTEMPTS_MAX) > repeated + 1 && is_retryable(&error) => {
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
    Some(BatchAnswer {
        accepted: 0,
        rejected: serde_json::from_value(rejected.clone()).ok()?,
    })
}

fn summary(batch: &[Event], answer: BatchAnswer, repeated: u64) -> Sent {
    let mut sent = Sent {
        events: batch.len() as u64,
        accepted: answer.accepted,
        repeated,
        ..Sent::default()
    };
    for Rejected {
        index,
        id,
        reason,
        detail,
    } in answer.rejected
    {
        *sent.rejected.entry(reason.clone()).or_default() += 1;
        // The region names the place in the call; the line of the file is what its sender can look
        // up.
        let line = batch.get(index).map_or(0, |event| event.line);
        sent.refused.push(RefusedEvent {
            line,
            id,
            reason,
            detail,
        });
    }
    sent
}

/// Whether the same call may succeed later: after no answer, too many calls, or a failure of the
/// region itself.
fn is_retryable(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refused>() {
        Some(refused) => refused.status.is_server_error() || refused.status.as_u16() == 429,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_event_is_named_by_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "{\"id\":\"a\"}\n\n{\"id\":\"b\"}\n  \n{\"id\":\"c\"}\n",
        )
        .unwrap();
        let events = read(file.path()).unwrap();
        assert_eq!(
            events.iter().map(|event| event.line).collect::<Vec<_>>(),
            [1, 3, 5]
        );
        let answer = r#"{ "accepted": 1, "rejected": [
            { "index": 2, "reason": "missing-field", "detail": "type is missing" },
            { "index": 1, "id": "b\u0007", "reason": "unknown-meter", "detail": "type is not the event type of a meter" }] }"#;
        let mut sent = summary(&events, serde_json::from_str(answer).unwrap(), 0);
        sent.refused.sort();
        let lines: Vec<String> = sent.refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "line 3 (id b\\u{7}): unknown-meter: type is not the event type of a meter",
                "line 5: missing-field: type is missing"
            ]
        );
        assert_eq!((sent.rejected_total(), sent.accepted), (2, 1));
        let json = serde_json::to_value(&sent).unwrap();
        assert_eq!(
            (&json["refused"][0]["line"], &json["refused"][0]["reason"]),
            (&3.into(), &"unknown-meter".into())
        );
    }
}
