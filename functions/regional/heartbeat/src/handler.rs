//! Measures the region and publishes one heartbeat.

use crate::adapters::Adapters;
use crate::describe::is_due;
use crate::store::{HeartbeatStoreError, LastHeartbeat};
use contract::{Envelope, Stream};
use kernel::{EventId, Timestamp};
use runtime::{Failure, Scheduled};

/// Measures the region, and publishes what may leave it. A dependency that does not answer is
/// reported down. Only an outbox that cannot be written is a failure, because nothing can be
/// published then.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    adapters
        .beat(event)
        .await
        .map_err(|error| Failure::of("HeartbeatNotPublished", &error))
}

impl Adapters {
    async fn beat(&self, event: Scheduled) -> Result<(), HeartbeatStoreError> {
        let last = self.store.load_last().await?;
        if last.reported_at == Some(event.time) {
            // EventBridge may deliver a scheduled event twice.
            return Ok(());
        }
        let measured = self.gauges.read().await;
        let heartbeat = self.envelope(
            &last,
            event.time,
            self.disclosure.report(&measured, event.time),
        );
        let is_due = is_due(&last, &self.description);
        let description =
            is_due.then(|| self.envelope(&last, event.time, self.description.clone()));
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

    fn envelope<T>(&self, last: &LastHeartbeat, at: Timestamp, event: T) -> Envelope<T> {
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
