//! Relays rows of the outbox to the buses.

use crate::adapters::Adapters;
use crate::recent::Progress;
use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use bus::{Bus, BusError, ENTRIES_MAX, Entry, Refused};
use dynamo::{Attributes as _, Item};
use jiff::SignedDuration;
use kernel::Timestamp;
use outbox::{OutboxError, Row, Target};
use runtime::{Failure, Trigger};

/// The age at which the poll publishes a row. Until then the stream is expected to.
const POLL_AGE_SECONDS: i64 = 60;
/// The most rows of each of the 8 partitions in one round of a poll.
const ROUND_ROWS_MAX: u16 = 50;
/// The most rounds of one poll, which publish at most 4,000 rows a minute.
const ROUNDS_MAX: usize = 10;
/// The rows that are removed together after they are published: as many as a stream batch has. A
/// process that ends in between leaves at most these rows to be published again.
const REMOVED_TOGETHER: usize = 100;

/// Publishes the rows of stream records, or those that a poll finds. Fails as a whole when any row
/// was not published and removed: the stream then delivers the batch again, or the next poll finds
/// the row again.
pub(crate) async fn handle(adapters: &Adapters, event: Trigger<Event>) -> Result<(), Failure> {
    let relayed = match event {
        Trigger::Records(event) => adapters.relay(rows_of(event)).await,
        Trigger::Schedule(schedule) => adapters.poll(schedule.time).await,
    };
    relayed.map_err(|error| Failure::of("OutboxNotRelayed", &error))
}

/// A failure that leaves rows in the outbox.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// An event for the home bus in a region that has none: the configuration is wrong.
    #[error("{count} events are for the home bus, and this region has none")]
    NoHomeBus {
        /// The number of events.
        count: usize,
    },
    /// The bus did not answer.
    #[error("the bus could not be called")]
    Call(#[source] BusError),
    /// The bus refused some entries.
    #[error("the bus refused {count} events")]
    Refused {
        /// The number of refused events.
        count: usize,
        /// The first of them.
        #[source]
        first: Refused,
    },
    /// Some rows were published but not removed.
    #[error("published events were not removed")]
    NotRemoved(#[source] OutboxError),
    /// The poll could not list the outbox.
    #[error("the outbox could not be polled")]
    NotPolled(#[source] OutboxError),
}

impl Adapters {
    /// Publishes rows that the stream missed, the oldest first, a bounded number per invocation.
    async fn poll(&self, now: Timestamp) -> Result<(), RelayError> {
        let age = SignedDuration::from_secs(POLL_AGE_SECONDS);
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        for _ in 0..ROUNDS_MAX {
            let rows = self
                .outbox
                .unpublished(before, ROUND_ROWS_MAX)
                .await
                .map_err(RelayError::NotPolled)?;
            if rows.is_empty() {
                break;
            }
            self.relay(rows).await?;
        }
        Ok(())
    }

    /// Publishes and removes as many rows as possible. Returns the first failure.
    async fn relay(&self, rows: Vec<Row>) -> Result<(), RelayError> {
        let (home, regional): (Vec<Row>, Vec<Row>) = rows
            .into_iter()
            .filter(|row| self.recent.progress(row) != Some(Progress::Removed))
            .partition(|row| row.target == Target::Home);
        let regional = self.relay_to(&self.regional_bus, &regional).await;
        let home = match &self.home_bus {
            Some(bus) => self.relay_to(bus, &home).await,
            None if home.is_empty() => Ok(()),
            None => Err(RelayError::NoHomeBus { count: home.len() }),
        };
        regional.and(home)
    }

    /// Publishes and removes rows of one bus. Continues after refused entries, and stops when the
    /// bus does not answer at all: further calls would only wait.
    async fn relay_to(&self, bus: &Bus, rows: &[Row]) -> Result<(), RelayError> {
        let (mut result, mut is_over) = (Ok(()), false);
        for some in rows.chunks(REMOVED_TOGETHER) {
            for entries in some.chunks(ENTRIES_MAX) {
                let published = self.publish(bus, entries).await;
                is_over = matches!(published, Err(RelayError::Call(_)));
                result = result.and(published);
                if is_over {
                    break;
                }
            }
            // Published rows are removed also after a failure, so that they are not sent again.
            result = result.and(self.remove(some).await);
            if is_over {
                break;
            }
        }
        result
    }

    /// Publishes the rows that this process has not published yet.
    async fn publish(&self, bus: &Bus, rows: &[Row]) -> Result<(), RelayError> {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| self.recent.progress(row).is_none())
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> = rows.iter().map(|row| entry(row)).collect();
        let refused = bus.publish(&entries).await.map_err(RelayError::Call)?;
        for (index, row) in rows.iter().enumerate() {
            if refused.iter().all(|refused| refused.index != index) {
                self.recent.note(row, Progress::Published);
            }
        }
        let count = refused.len();
        refused
            .into_iter()
            .next()
            .map_or(Ok(()), |first| Err(RelayError::Refused { count, first }))
    }

    /// Removes the published rows. When the table removes only some, all are removed again later,
    /// because the answer does not name them.
    async fn remove(&self, rows: &[Row]) -> Result<(), RelayError> {
        let published: Vec<&Row> = rows
            .iter()
            .filter(|row| self.recent.progress(row) == Some(Progress::Published))
            .collect();
        let removed = self.outbox.remove(&published).await;
        removed.map_err(RelayError::NotRemoved)?;
        for row in published {
            self.recent.note(row, Progress::Removed);
        }
        Ok(())
    }
}

/// The inserted rows of a batch. A malformed row is logged and stays in the outbox, where the
/// backlog's age shows it: a redelivery would fail again, and would block every row behind it.
fn rows_of(event: Event) -> Vec<Row> {
    let inserted = event
        .records
        .into_iter()
        .filter(|record| record.event_name == "INSERT");
    inserted.filter_map(row_of).collect()
}

fn row_of(record: EventRecord) -> Option<Row> {
    let image: Item = record.change.new_image.into();
    if !image
        .text("pk")
        .is_some_and(|partition| partition.starts_with("OUTBOX#"))
    {
        return None;
    }
    Row::from_item(&image)
        .inspect_err(|error| {
            tracing::error!(
                error = error.to_string(),
                record = record.event_id,
                "malformed outbox row"
            )
        })
        .ok()
}

fn entry(row: &Row) -> Entry {
    Entry {
        source: row.source.clone(),
        detail_type: row.detail_type.clone(),
        detail: row.detail.clone(),
        time: row.occurred_at,
    }
}
