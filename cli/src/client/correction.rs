//! Taking usage back: an event is named by its key, and what came of that is read from the record.

use super::answer::ask;
use anyhow::{Context, Result};
use deployment::clients::http;
use kernel::{ReasonCode, SegmentId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An event that is taken back, and what comes in its place.
#[derive(Debug, Serialize)]
pub struct TakeBack {
    /// Which event.
    pub key: EventKey,
    /// Whose event it is.
    pub sent_by: Sender,
    /// Another event, as it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Box<RawValue>>,
    /// Why.
    pub reason: ReasonCode,
}

/// Which event, and when it was sent.
#[derive(Debug, Serialize)]
pub struct EventKey {
    /// Whose usage it is.
    pub tenant: TenantId,
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// The first moment that it may have been sent at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_from: Option<Timestamp>,
    /// The last moment that it may have been sent at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_to: Option<Timestamp>,
}

/// Who sent an event: each has ids of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A service of the provider.
    Provider,
    /// A client of the tenant's own.
    Tenant,
}

#[derive(Serialize)]
struct Request<'r> {
    corrections: [&'r TakeBack; 1],
}

#[derive(Deserialize)]
struct Taken {
    records: Vec<SegmentId>,
}

#[derive(Deserialize)]
struct Records {
    corrections: Vec<Record>,
}

/// What a region has on record of a correction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: SegmentId,
    /// What came of it; nothing until it is settled.
    pub outcome: Option<Outcome>,
    /// When, by whom, of which events and why.
    #[serde(flatten)]
    pub further: Value,
}

/// What came of a correction, by numbers of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Taken back.
    pub voided: u64,
    /// Counted in place of those.
    pub replaced: u64,
    /// Taken back, or counted, before.
    pub duplicates: u64,
    /// Not found as they were sent.
    pub unmatched: u64,
    /// Not taken back, since the id of what was to come in their place is used already.
    pub replacement_used: u64,
}

impl Outcome {
    /// Whether it is as was asked for, be it by this or before.
    pub const fn is_done(self) -> bool {
        self.unmatched == 0 && self.replacement_used == 0
    }

    /// The same in words.
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

/// Takes an event back, and waits for what comes of it; a record without an outcome where it is not
/// settled in time.
///
/// # Errors
/// When the region refuses it, or does not answer.
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
    let Taken { records } = ask(request).await?;
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
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_said_in_words() {
        let nothing = Outcome {
            voided: 0,
            replaced: 0,
            duplicates: 0,
            unmatched: 0,
            replacement_used: 0,
        };
        for (outcome, said, is_done) in [
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
            assert_eq!((outcome.as_str(), outcome.is_done()), (said, is_done));
        }
    }
}
