//! Stores heartbeats: their gapless sequence numbers and the last published description. Also
//! probes tables.
//!
//! The number is stored in the outbox table, in the transaction that publishes the heartbeat. So a
//! heartbeat needs no other table, and can report any other table as down.

use contract::{BusEvent, Envelope, HeartbeatReported, RegionDescribed};
use dynamo::{Attributes as _, Item, Table, Write, key, number, text};
use kernel::Timestamp;
use outbox::{Outbox, Row, Target};
use std::error::Error;

const PARTITION: &str = "HEARTBEAT";
const SORT: &str = "LAST";
/// The action that errors of [`HeartbeatStore::record`] name.
const PUBLISH: &str = "publish a heartbeat";

/// The region's heartbeats.
#[derive(Debug, Clone)]
pub(crate) struct HeartbeatStore {
    table: Table,
    outbox: Outbox,
}

/// The last heartbeat that was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LastHeartbeat {
    /// The sequence number; 0 before the first heartbeat.
    pub(crate) sequence: u64,
    /// The time of its scheduled event.
    pub(crate) reported_at: Option<Timestamp>,
    /// The last published description. None where it is stored in another release's form, so that
    /// the next heartbeat publishes it again.
    pub(crate) described: Option<RegionDescribed>,
}

/// A failure to publish a heartbeat, or of a table to answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeartbeatStoreError {
    /// A table was not reached, or it refused the request.
    #[error("a table failed to {action}")]
    Unavailable {
        /// The requested action.
        action: &'static str,
        /// The error of the AWS client.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The stored last heartbeat does not have the form that this code writes.
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

    /// Reads an item that the table does not have.
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

    /// Loads the last heartbeat, which the next one follows.
    ///
    /// # Errors
    /// When the outbox table fails.
    pub(crate) async fn load_last(&self) -> Result<LastHeartbeat, HeartbeatStoreError> {
        let got = self.table.get(key(PARTITION, SORT)).await;
        let got = got.map_err(HeartbeatStoreError::unavailable("load the last heartbeat"))?;
        got.map_or(Ok(LastHeartbeat::default()), |item| last_of(&item))
    }

    /// Publishes a heartbeat that follows the last one, with the description if there is one.
    /// Returns false when another heartbeat has followed the last one meanwhile.
    ///
    /// # Errors
    /// When the outbox table fails. Nothing is published then.
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
            Err(error) => Err(HeartbeatStoreError::unavailable(PUBLISH)(error)),
        }
    }

    fn row<T: BusEvent>(&self, published: &Envelope<T>) -> Result<Write, HeartbeatStoreError> {
        let row = Row::new(Target::Regional, published)
            .map_err(HeartbeatStoreError::unavailable(PUBLISH))?;
        Ok(self.outbox.put(&row))
    }

    /// Stores the next sequence number and the last published description, on condition that no
    /// other heartbeat has the number.
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
                .map_err(HeartbeatStoreError::unavailable(PUBLISH))?;
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
