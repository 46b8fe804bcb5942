//! Heartbeats: their gapless numbers, what the region said of itself with them, and whether a table
//! answers.
//!
//! The number is kept in the outbox table, in the transaction that states the heartbeat. So a
//! heartbeat needs that table and no other, and can tell of any other one that is down.

use contract::{BusEvent, Envelope, HeartbeatReported, RegionDescribed};
use dynamo::{Attributes as _, Item, Table, Write, key, number, text};
use kernel::Timestamp;
use outbox::{Outbox, Row, Target};
use std::error::Error;

const PARTITION: &str = "HEARTBEAT";
const SORT: &str = "LAST";
/// What the table is asked to do with a heartbeat.
const STATE: &str = "state a heartbeat";

/// The region's heartbeats.
#[derive(Debug, Clone)]
pub(crate) struct HeartbeatStore {
    table: Table,
    outbox: Outbox,
}

/// The last heartbeat that was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastHeartbeat {
    /// Its number; 0 before the first.
    pub(crate) sequence: u64,
    /// The schedule's time that it was for.
    pub(crate) reported_at: Option<Timestamp>,
    /// What the region said of itself when it last did. A release that says it in another form
    /// finds nothing.
    pub(crate) described: Option<RegionDescribed>,
}

/// Why a heartbeat was not published, or a table did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeartbeatStoreError {
    /// A table was not reached, or refused.
    #[error("a table failed to {action}")]
    Unavailable {
        /// What it was asked to do.
        action: &'static str,
        /// What AWS said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is stored of the last heartbeat is not what this code wrote.
    #[error("the stored {attribute} of the last heartbeat is malformed")]
    Malformed {
        /// The attribute.
        attribute: &'static str,
    },
}

impl HeartbeatStoreError {
    fn unavailable<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |source| Self::Unavailable {
            action,
            source: source.into(),
        }
    }
}

impl HeartbeatStore {
    /// The heartbeats of an outbox table.
    #[must_use]
    pub(crate) fn new(config: &aws_types::SdkConfig, outbox_table: String) -> Self {
        let outbox = Outbox::new(config, outbox_table.clone());
        Self {
            table: Table::new(config, outbox_table),
            outbox,
        }
    }

    /// Asks a table for an item that it does not have.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn probe(&self, table: &str) -> Result<(), HeartbeatStoreError> {
        let probed = self
            .table
            .beside(table.to_owned())
            .probe(key(PARTITION, "PROBE"))
            .await;
        probed.map_err(HeartbeatStoreError::unavailable("answer a probe"))
    }

    /// Loads what the next heartbeat follows.
    ///
    /// # Errors
    /// When the outbox table fails.
    pub(crate) async fn load_last(&self) -> Result<LastHeartbeat, HeartbeatStoreError> {
        let got = self.table.get(key(PARTITION, SORT)).await;
        let got = got.map_err(HeartbeatStoreError::unavailable("load the last heartbeat"))?;
        got.map_or(Ok(LastHeartbeat::default()), |item| last_of(&item))
    }

    /// Publishes a heartbeat that follows the last one, and what the region says of itself, if it does
    /// now. Returns false when another heartbeat followed the last one meanwhile.
    ///
    /// # Errors
    /// When the outbox table fails; nothing is published then.
    pub(crate) async fn record(
        &self,
        last: &LastHeartbeat,
        heartbeat: &Envelope<HeartbeatReported>,
        description: Option<&Envelope<RegionDescribed>>,
    ) -> Result<bool, HeartbeatStoreError> {
        let described = description
            .map(|published| &published.data)
            .or(last.described.as_ref());
        let mut writes = vec![self.follow(heartbeat, described)?, self.row(heartbeat)?];
        writes.extend(
            description
                .map(|published| self.row(published))
                .transpose()?,
        );
        match self.table.transact(writes).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_lost() => Ok(false),
            Err(error) => Err(HeartbeatStoreError::unavailable(STATE)(error)),
        }
    }

    fn row<T: BusEvent>(&self, published: &Envelope<T>) -> Result<Write, HeartbeatStoreError> {
        let row = Row::new(Target::Regional, published)
            .map_err(HeartbeatStoreError::unavailable(STATE))?;
        Ok(self.outbox.put(&row))
    }

    /// Takes the next number, unless it is taken, and keeps what the region last said of itself.
    fn follow(
        &self,
        heartbeat: &Envelope<HeartbeatReported>,
        described: Option<&RegionDescribed>,
    ) -> Result<Write, HeartbeatStoreError> {
        let mut item = key(PARTITION, SORT);
        item.insert("sequence".to_owned(), number(heartbeat.sequence));
        item.insert(
            "reported_at".to_owned(),
            text(heartbeat.occurred_at.to_string()),
        );
        if let Some(described) = described {
            let document = serde_json::to_string(described)
                .map_err(HeartbeatStoreError::unavailable(STATE))?;
            item.insert("described".to_owned(), text(document));
        }
        Ok(self
            .table
            .put(item)
            .if_counter("sequence", heartbeat.sequence.saturating_sub(1)))
    }
}

fn last_of(item: &Item) -> Result<LastHeartbeat, HeartbeatStoreError> {
    let malformed = |attribute| HeartbeatStoreError::Malformed { attribute };
    Ok(LastHeartbeat {
        sequence: item
            .number("sequence")
            .ok_or_else(|| malformed("sequence"))?,
        reported_at: Some(
            item.parsed("reported_at")
                .ok_or_else(|| malformed("reported_at"))?,
        ),
        described: item
            .text("described")
            .and_then(|document| serde_json::from_str(document).ok()),
    })
}
