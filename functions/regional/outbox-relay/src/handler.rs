//! From the outbox to the bus.

use crate::adapters::Adapters;
use crate::recent::Progress;
use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use bus::{Bus, BusError, ENTRIES_MAX, Entry, Refused};
use dynamo::{Attributes as _, Item};
use jiff::SignedDuration;
use kernel::Timestamp;
use outbox::{OutboxError, Row, Target};
use runtime::{Failure, Trigger};

/// Rows that are younger belong to the stream.
const POLL_AGE_SECONDS: i64 = 60;
/// Rows of each of the 8 partitions that one round of a sweep takes.
const ROUND_ROWS_MAX: u16 = 50;
/// Rounds of one sweep: at most 4,000 rows a minute.
const ROUNDS_MAX: usize = 10;
/// Rows that are removed together, once they are published: as many as the stream brings. A process
/// that ends in between leaves no more than these to be published again.
const REMOVED_TOGETHER: usize = 100;

/// Publishes what the stream brings, or what a sweep finds. Fails as a whole when anything was not
/// published and removed: then the stream brings it again, and the sweep finds it again.
pub(crate) async fn handle(adapters: &Adapters, event: Trigger<Event>) -> Result<(), Failure> {
    let relayed = match event {
        Trigger::Records(event) => adapters.relay(rows_of(event)).await,
        Trigger::Schedule(schedule) => adapters.poll(schedule.time).await,
    };
    relayed.map_err(|error| Failure::of("OutboxNotRelayed", &error))
}

/// Why rows are still in the outbox.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// An event for the home bus in a region that has none: the configuration is wrong.
    #[error("{count} events are for the home bus, and this region has none")]
    NoHomeBus {
        /// How many events.
        count: usize,
    },
    /// The bus did not answer.
    #[error("the bus could not be called")]
    Call(#[source] BusError),
    /// The bus refused some entries.
    #[error("the bus refused {count} events")]
    Refused {
        /// How many events.
        count: usize,
        /// The first of them.
        #[source]
        first: Refused,
    },
    /// Some rows were published and not removed.
    #[error("published events were not removed")]
    NotRemoved(#[source] OutboxError),
    /// The sweep could not look.
    #[error("the outbox could not be swept")]
    NotSwept(#[source] OutboxError),
}

impl Adapters {
    /// Publishes rows that the stream left behind, the oldest first, a bounded number in one run.
    async fn poll(&self, now: Timestamp) -> Result<(), RelayError> {
        let age = SignedDuration::from_secs(POLL_AGE_SECONDS);
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        for _ in 0..ROUNDS_MAX {
            let rows = self
                .outbox
                .unpublished(before, ROUND_ROWS_MAX)
                .await
                .map_err(RelayError::NotSwept)?;
            if rows.is_empty() {
                break;
            }
            self.relay(rows).await?;
        }
        Ok(())
    }

    /// Publishes and removes as many rows as can be. The first failure is the whole's.
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

    /// Goes on after refused entries, and stops when the bus does not answer at all.
    async fn relay_to(&self, bus: &Bus, rows: &[Row]) -> Result<(), RelayError> {
        let (mut outcome, mut is_over) = (Ok(()), false);
        for some in rows.chunks(REMOVED_TOGETHER) {
            for entries in some.chunks(ENTRIES_MAX) {
                let published = self.publish(bus, entries).await;
                is_over = matches!(published, Err(RelayError::Call(_)));
                outcome = outcome.and(published);
                if is_over {
                    break;
                }
            }
            outcome = outcome.and(self.remove(some).await);
            if is_over {
                break;
            }
        }
        outcome
    }

    /// Publishes those rows that this process has not published yet.
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

    /// Removes those rows that are published. When the table takes only some, all of them are
    /// removed again later: which ones it took is not known.
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

/// The rows that were inserted. One that is malformed stays in the outbox, where its age is seen:
/// coming again would not mend it, and would hold up every row behind it.
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
