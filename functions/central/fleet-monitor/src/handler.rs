//! What regions report, and what they fail to report.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use central_store::{BillingTotal, CentralStore, Description, StoreError, UpdateError};
use contract::{BusEvent, Envelope, HeartbeatReported, RegionBillingTotaled, RegionDescribed};
use fleet::{Heartbeat, decide_incidents, decide_resend, find_conditions};
use kernel::{RegionCode, Timestamp};
use outbox::Outbox;
use runtime::queue::{self, BusMessage, MessageError};
use runtime::{Failure, Trigger};

/// How many policies of a region are sent again in one run: a region that comes back after an
/// outage is not flooded, and a run stays short.
const RESENDS_MAX: u16 = 50;

/// Takes each message on its own, or looks after every region at the schedule's time.
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
            let looked = adapters.look_after_fleet(schedule.time).await;
            looked
                .map(|()| SqsBatchResponse::default())
                .map_err(|error| Failure::of("FleetNotLookedAfter", &error))
        }
    }
}

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
}

/// Why a report was not taken, or a region not looked after.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// It is no event, or not of the shape that its type promises.
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    /// A rule sends what this function does not know.
    #[error("the message is of a type that the monitor does not take")]
    UnknownType,
    /// The table failed.
    #[error("the fleet's state is not available")]
    Store(#[source] StoreError),
    /// A policy could not be sent again; it stays due.
    #[error("a policy of {region} was not sent again")]
    NotSent {
        /// The region that has not applied it.
        region: RegionCode,
        /// Why.
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

    /// Looks after every region, whatever happens to one of them. The first failure is the run's.
    async fn look_after_fleet(&self, now: Timestamp) -> Result<(), MonitorError> {
        let regions = self
            .store
            .load_regions()
            .await
            .map_err(MonitorError::Store)?;
        let mut outcome = Ok(());
        for region in regions {
            let judged = self.judge(&region, now).await;
            let sent = self.send_again(&region, now).await;
            outcome = outcome.and(judged).and(sent);
        }
        outcome
    }

    /// Opens and clears incidents.
    async fn judge(&self, region: &RegionCode, now: Timestamp) -> Result<(), MonitorError> {
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
        if is_first {
            tracing::warn!(%region, opened = ?change.opened, cleared = ?change.cleared, "incidents changed");
        }
        Ok(())
    }

    /// Sends the policies that the region should have applied by now. One that fails stays due.
    async fn send_again(&self, region: &RegionCode, now: Timestamp) -> Result<(), MonitorError> {
        let due = self
            .store
            .load_due_tasks(region, now, RESENDS_MAX)
            .await
            .map_err(MonitorError::Store)?;
        let mut outcome = Ok(());
        for tenant in due {
            let resend = |current: Option<&fleet::Tenant>| {
                Ok(current.and_then(|tenant| decide_resend(tenant, now)))
            };
            let sent = self.store.update_tenant(&self.outbox, tenant, resend).await;
            outcome = outcome.and(sent.map(|_| ()).map_err(|source| MonitorError::NotSent {
                region: region.clone(),
                source,
            }));
        }
        outcome
    }
}
