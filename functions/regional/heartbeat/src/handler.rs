//! One heartbeat.

use crate::measure::Gauges;
use crate::report::Disclosure;
use contract::{Envelope, Stream};
use kernel::{EventId, RegionCode};
use regional_store::{HeartbeatStore, HeartbeatStoreError};
use runtime::{Failure, Scheduled};

/// Measures, and states what may be told. What does not answer is told as down; only an outbox that
/// cannot be written is a failure, since then nothing can be told.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    adapters.beat(event).await.map_err(|error| Failure::of("HeartbeatNotStated", &error))
}

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: HeartbeatStore,
    pub(crate) gauges: Gauges,
    pub(crate) disclosure: Disclosure,
    pub(crate) region: RegionCode,
}

impl Adapters {
    async fn beat(&self, event: Scheduled) -> Result<(), HeartbeatStoreError> {
        let last = self.store.load_last().await?;
        if last.reported_at == Some(event.time) {
            // The schedule may come twice for one time.
            return Ok(());
        }
        let measured = self.gauges.read().await;
        let heartbeat = Envelope {
            id: EventId::from_uuid(runtime::new_uuid()),
            region: self.region.clone(),
            stream: Stream::Region,
            sequence: last.sequence + 1,
            occurred_at: event.time,
            data: self.disclosure.report(&measured, event.time),
        };
        let is_stated = self.store.record(&heartbeat).await?;
        tracing::info!(sequence = heartbeat.sequence, is_stated, "heartbeat");
        Ok(())
    }
}
