//! One heartbeat.

use crate::adapters::Adapters;
use crate::describe::is_due;
use crate::store::{HeartbeatStoreError, LastHeartbeat};
use contract::{Envelope, Stream};
use kernel::{EventId, Timestamp};
use runtime::{Failure, Scheduled};

/// Measures, and states what may be told. What does not answer is told as down; only an outbox that
/// cannot be written is a failure, since then nothing can be told.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    adapters
        .beat(event)
        .await
        .map_err(|error| Failure::of("HeartbeatNotStated", &error))
}

impl Adapters {
    async fn beat(&self, event: Scheduled) -> Result<(), HeartbeatStoreError> {
        let last = self.store.load_last().await?;
        if last.reported_at == Some(event.time) {
            // The schedule may come twice for one time.
            return Ok(());
        }
        let measured = self.gauges.read().await;
        let heartbeat = self.state(
            &last,
            event.time,
            self.disclosure.report(&measured, event.time),
        );
        let is_due = is_due(&last, &self.description);
        let description = is_due.then(|| self.state(&last, event.time, self.description.clone()));
        let is_published = self
            .store
            .record(&last, &heartbeat, description.as_ref())
            .await?;
        tracing::info!(
            sequence = heartbeat.sequence,
            is_published,
            is_described = is_due,
            "heartbeat"
        );
        Ok(())
    }

    fn state<T>(&self, last: &LastHeartbeat, at: Timestamp, event: T) -> Envelope<T> {
        Envelope {
            id: EventId::from_uuid(runtime::new_uuid()),
            region: self.region.clone(),
            stream: Stream::Region,
            sequence: last.sequence + 1,
            occurred_at: at,
            data: event,
        }
    }
}
