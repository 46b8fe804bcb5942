//! Regions' reports, and checks of regions that do not report.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use central_store::{BillingTotal, CentralStore, Description, StoreError, UpdateError};
use contract::{BusEvent, Envelope, HeartbeatReported, RegionBillingTotaled, RegionDescribed};
use fleet::{Heartbeat, decide_incidents, decide_resend, find_conditions};
use kernel::{RegionCode, Timestamp};
use outbox::Outbox;
use runtime::queue::{self, BusMessage, MessageError};
use runtime::{Failure, Trigger};

/// The most policies of a region that are sent again in one run, so that a region is not flooded
/// after an outage and the run stays short.
const RESENDS_MAX: u16 = 50;

/// Processes each message on its own, or checks every region when the schedule fires.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: Trigger<SqsEvent>,
) -> Result<SqsBatchResponse, Failure> {
    match event {
        Trigger::Records(event) => Ok(queue::each(event, async |message: &SqsMessage| {
            adapters.take(message).await
        })
        .await),
        Trigger::Schedule(schedule) => {
            let checked = adapters.check_fleet(schedule.time).await;
            checked
                .map(|()| SqsBatchResponse::default())
                .map_err(|error| Failure::of("FleetNotChecked", &error))
        }
    }
}

/// The stores of the function.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
}

/// The reason for which a report was not processed or a region not checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// It is not an event, or its content does not match its type.
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    /// A rule delivers a type that this function does not know.
    #[error("the monitor does not process messages of this type")]
    UnknownType,
    /// The table could not be read or written.
    #[error("the state of the fleet is not available")]
    Store(#[source] StoreError),
    /// A policy could not be sent again. It stays due.
    #[error("a policy of {region} was not sent again")]
    NotSent {
        /// The region that has not applied it.
        region: RegionCode,
        /// The cause.
        #[source]
        source: UpdateError,
    },
}

impl Adapters {
    async fn take(&self, message: &SqsMessage) -> Result<(), MonitorError> {
        let event = BusMessage::parse(message).map_err(MonitorError::Unreadable)?;
        match event.detail_type.as_str() {
            HeartbeatReported::TYPE => {
                self.take_heartbeat(event.detail().map_err(MonitorError::Unreadable)?)
                    .await
            }
            RegionDescribed::TYPE => {
                self.take_description(event.detail().map_err(MonitorError::Unreadable)?)
                    .await
            }
            RegionBillingTotaled::TYPE => {
                self.take_billing_total(event.detail().map_err(MonitorError::Unreadable)?)
                    .await
            }
            _ => Err(MonitorError::UnknownType),
        }
    }

    async fn take_heartbeat(
        &self,
        reported: Envelope<HeartbeatReported>,
    ) -> Result<(), MonitorError> {
        let Envelope {
            region,
            sequence,
            occurred_at,
            data: report,
            ..
        } = reported;
        let heartbeat = Heartbeat {
            sequence,
            occurred_at,
            report,
        };
        self.store
            .record_heartbeat(&region, &heartbeat)
            .await
            .map(|_| ())
            .map_err(MonitorError::Store)
    }

    async fn take_description(
        &self,
        described: Envelope<RegionDescribed>,
    ) -> Result<(), MonitorError> {
        let published = Description {
            sequence: described.sequence,
            described: described.data,
        };
        self.store
            .record_description(&described.region, &published)
            .await
            .map(|_| ())
            .map_err(MonitorError::Store)
    }

    async fn take_billing_total(
        &self,
        totaled: Envelope<RegionBillingTotaled>,
    ) -> Result<(), MonitorError> {
        let published = BillingTotal {
            sequence: totaled.sequence,
            total: totaled.data,
        };
        self.store
            .record_billing_total(&totaled.region, &published)
            .await
            .map(|_| ())
            .map_err(MonitorError::Store)
    }

    /// Checks every region, even if another one fails. Returns the first error.
    async fn check_fleet(&self, now: Timestamp) -> Result<(), MonitorError> {
        let regions = self
            .store
            .load_regions()
            .await
            .map_err(MonitorError::Store)?;
        let mut result = Ok(());
        for region in regions {
            let incidents = self.update_incidents(&region, now).await;
            let sent = self.resend_policies(&region, now).await;
            result = result.and(incidents).and(sent);
        }
        result
    }

    /// Opens and clears incidents of a region.
    async fn update_incidents(
        &self,
        region: &RegionCode,
        now: Timestamp,
    ) -> Result<(), MonitorError> {
        let record = self
            .store
            .load_region(region.clone())
            .await
            .map_err(MonitorError::Store)?;
        let found = find_conditions(record.heartbeat.as_ref(), record.counts.stuck, now);
        let Some(change) = decide_incidents(&record.incidents, &found, now) else {
            return Ok(());
        };
        let is_first = self
            .store
            .record_incidents(region, &change.after)
            .await
            .map_err(MonitorError::Store)?;
        // A concurrent run that recorded the change first has logged it too.
        if is_first {
            tracing::warn!(%region, opened = ?change.opened, cleared = ?change.cleared, "incidents changed");
        }
        Ok(())
    }

    /// Sends the policies again whose acknowledgement is overdue. A policy that fails stays due.
    async fn resend_policies(
        &self,
        region: &RegionCode,
        now: Timestamp,
    ) -> Result<(), MonitorError> {
        let due = self
            .store
            .load_due_tasks(region, now, RESENDS_MAX)
            .await
            .map_err(MonitorError::Store)?;
        let mut result = Ok(());
        for tenant in due {
            let resend = |current: Option<&fleet::Tenant>| {
                Ok(current.and_then(|tenant| decide_resend(tenant, now)))
            };
            let sent = self.store.update_tenant(&self.outbox, tenant, resend).await;
            result = result.and(sent.map(|_| ()).map_err(|source| MonitorError::NotSent {
                region: region.clone(),
                source,
            }));
        }
        result
    }
}
