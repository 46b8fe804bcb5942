//! Corrections of usage: an event is named by its key, and the result is read from the region's
//! record of the correction.

use super::answer::ask;
use anyhow::{Context, Result};
use deployment::clients::http;
use kernel::{ReasonCode, SegmentId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A correction: the event that is taken back, and its replacement.
#[derive(Debug, Serialize)]
pub struct TakeBack {
    /// The event's key.
    pub key: EventKey,
    /// The sender of the event.
    pub sent_by: Sender,
    /// The replacement, as a client would send it; `None` takes the event back without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Box<RawValue>>,
    /// The reason, from the API's list.
    pub reason: ReasonCode,
}

/// The key of an event, and the time range in which it was sent.
#[derive(Debug, Serialize)]
pub struct EventKey {
    /// The tenant whose usage it is.
    pub tenant: TenantId,
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// The earliest time at which it may have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_from: Option<Timestamp>,
    /// The latest time at which it may have been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_to: Option<Timestamp>,
}

/// The sender of an event. Each sender has its own space of sources and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A service of the provider.
    Provider,
    /// One of the tenant's own clients.
    Tenant,
}

#[derive(Serialize)]
struct Request<'r> {
    corrections: [&'r TakeBack; 1],
}

#[derive(Deserialize)]
struct Accepted {
    records: Vec<SegmentId>,
}

#[derive(Deserialize)]
struct Records {
    corrections: Vec<Record>,
}

/// A region's record of a correction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: SegmentId,
    /// The result; `None` until the correction is rolled up.
    pub outcome: Option<Outcome>,
    /// The other members: the time, the author, the events and the reason.
    #[serde(flatten)]
    pub further: Value,
}

/// The result of a correction, as numbers of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Events that were taken back.
    pub voided: u64,
    /// Replacements that were counted.
    pub replaced: u64,
    /// Events that an earlier correction took back, or replacements that were counted before.
    pub duplicates: u64,
    /// Events whose key counts with other content than the correction names.
    pub unmatched: u64,
    /// Events that were not taken back, because the replacement's id is used already.
    pub replacement_used: u64,
}

impl Outcome {
    /// Whether usage now is as requested, by this correction or by an earlier one.
    pub const fn is_done(self) -> bool {
        self.unmatched == 0 && self.replacement_used == 0
    }

    /// The result as a sentence for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self {
                replacement_used: 1..,
                ..
            } => "nothing is changed: the id of the replacement is used already",
            Self { unmatched: 1.., .. } => {
                "nothing is changed: what counts under this key said something else"
            }
            Self {
                duplicates: 1.., ..
            } => "nothing is changed: it was taken back before",
            Self { replaced: 1.., .. } => "replaced",
            _ => "taken back",
        }
    }
}

/// Takes an event back and waits for the result. Returns a record without an outcome when the
/// correction is not rolled up within `wait_max`.
///
/// # Errors
/// When the region refuses the correction or does not answer.
pub async fn take_back(
    api_url: &str,
    token: &str,
    take_back: &TakeBack,
    wait_max: Duration,
) -> Result<Record> {
    let url = format!("{api_url}/usage/corrections");
    let request = http().post(&url).bearer_auth(token).json(&Request {
        corrections: [take_back],
    });
    let Accepted { records } = ask(request).await?;
    let id = *records.first().context("the region names no record")?;
    let until = Instant::now() + wait_max;
    loop {
        let request = http()
            .get(format!("{url}?tenant={}", take_back.key.tenant))
            .bearer_auth(token);
        let Records { corrections } = ask(request).await?;
        let record = corrections.into_iter().find(|record| record.id == id);
        let record = record.context("the region does not have the record that it named")?;
        if record.outcome.is_some() || Instant::now() >= until {
            return Ok(record);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_described_in_words() {
        let nothing = Outcome {
            voided: 0,
            replaced: 0,
            duplicates: 0,
            unmatched: 0,
            replacement_used: 0,
        };
        for (outcome, text, is_done) in [
            (
                Outcome {
                    voided: 1,
                    ..nothing
                },
                "taken back",
                true,
            ),
            (
                Outcome {
                    voided: 1,
                    replaced: 1,
                    ..nothing
                },
                "replaced",
                true,
            ),
            (
                Outcome {
                    duplicates: 2,
                    ..nothing
                },
                "nothing is changed: it was taken back before",
                true,
            ),
            (
                Outcome {
                    unmatched: 2,
                    ..nothing
                },
                "nothing is changed: what counts under this key said something else",
                false,
            ),
            (
                Outcome {
                    duplicates: 1,
                    replacement_used: 1,
                    ..nothing
                },
                "nothing is changed: the id of the replacement is used already",
                false,
            ),
        ] {
            assert_eq!((outcome.as_str(), outcome.is_done()), (text, is_done));
        }
    }
}
