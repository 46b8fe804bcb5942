//! The EventBridge adapter.
//!
//! Invariant: an entry counts as published only if EventBridge reports so for that entry.
//! `PutEvents` answers with status 200 even if it refuses entries, so the adapter reads the result
//! of each.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use kernel::Timestamp;

/// The largest number of entries per call (AWS: `PutEvents`, at most 10).
pub const ENTRIES_MAX: usize = 10;

/// A bus of the region.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

/// An event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's `source`.
    pub source: String,
    /// The event's `detail-type`.
    pub detail_type: String,
    /// The event's `detail`, as JSON.
    pub detail: String,
    /// The event's `time`.
    pub time: Timestamp,
}

/// An entry that EventBridge refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("EventBridge refused entry {index}: {code}")]
pub struct Refused {
    /// The index of the entry, from 0.
    pub index: usize,
    /// EventBridge's error code.
    pub code: String,
}

/// The reason why a call published nothing.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// More entries than one call accepts.
    #[error("{count} entries are more than one call takes ({ENTRIES_MAX})")]
    TooMany {
        /// The number of entries.
        count: usize,
    },
    /// The call failed.
    #[error("the bus did not answer")]
    Call(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Bus {
    /// The bus with this name.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Publishes at most [`ENTRIES_MAX`] entries; returns those that were refused.
    ///
    /// # Errors
    /// When the call failed. Any number of the entries may have been published then.
    pub async fn publish(&self, entries: &[Entry]) -> Result<Vec<Refused>, BusError> {
        if entries.len() > ENTRIES_MAX {
            return Err(BusError::TooMany {
                count: entries.len(),
            });
        }
        let requests = entries.iter().map(|entry| self.request(entry)).collect();
        let answer = self
            .client
            .put_events()
            .set_entries(Some(requests))
            .send()
            .await;
        let answer = answer.map_err(|error| BusError::Call(error.into()))?;
        let refused = answer
            .entries()
            .iter()
            .enumerate()
            .filter_map(|(index, result)| {
                result.error_code().map(|code| Refused {
                    index,
                    code: code.to_owned(),
                })
            });
        Ok(refused.collect())
    }

    fn request(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(&entry.source)
            .detail_type(&entry.detail_type)
            .detail(&entry.detail)
            .time(DateTime::from_millis(entry.time.as_millisecond()))
            .build()
    }
}

#[cfg(test)]
mod tests;
