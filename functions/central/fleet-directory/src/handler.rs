//! Processing of tenants' events, message by message.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use catalogue::Catalogue;
use central_store::{CentralStore, StoreError, UpdateError};
use contract::{
    BusEvent, Envelope, OnboardingProgressed, PlanChangeRequested, SubdomainReservationUpdated,
    TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use fleet::{
    LastReport, Publication, Refusal, SubdomainReservation, Tenant, decide_acknowledgement,
    decide_erasure, decide_plan_change, decide_published_status, decide_reservation,
};
use kernel::{EventId, TenantId};
use outbox::Outbox;
use runtime::queue::{self, BusMessage, MessageError};
use std::convert::Infallible;

/// Processes each message on its own. A refused message is delivered again, and ends in the
/// dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(queue::each(event, async |message: &SqsMessage| {
        adapters.take(message).await
    })
    .await)
}

/// The stores and the catalogue of the function.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
    pub(crate) catalogue: Catalogue,
}

/// The reason for which a message was not processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// It is not an event, or its content does not match its type.
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    /// A rule delivers a type that this function does not know.
    #[error("the directory does not process messages of this type")]
    UnknownType,
    /// The change is refused, or was not stored.
    #[error("the directory was not changed")]
    Unchanged(#[source] UpdateError),
    /// The progress of an onboarding was not stored.
    #[error("the progress of the onboarding was not stored")]
    Progress(#[source] StoreError),
}

impl Adapters {
    async fn take(&self, message: &SqsMessage) -> Result<(), DirectoryError> {
        let event = BusMessage::parse(message).map_err(DirectoryError::Unreadable)?;
        match event.detail_type.as_str() {
            TenantStatusChanged::TYPE => self.take_status(&envelope(&event)?).await,
            TenantPolicyApplied::TYPE => self.take_acknowledgement(&envelope(&event)?).await,
            PlanChangeRequested::TYPE => self.take_request(&envelope(&event)?).await,
            TenantErased::TYPE => self.take_erasure(&envelope(&event)?).await,
            SubdomainReservationUpdated::TYPE => self.take_reservation(&envelope(&event)?).await,
            OnboardingProgressed::TYPE => self.take_progress(&envelope(&event)?).await,
            _ => Err(DirectoryError::UnknownType),
        }
    }

    async fn take_status(
        &self,
        published: &Envelope<TenantStatusChanged>,
    ) -> Result<(), DirectoryError> {
        let publication = publication();
        let decide = |tenant: Option<&Tenant>| {
            decide_published_status(tenant, published, &self.catalogue, publication)
        };
        self.update(published.data.tenant, decide).await
    }

    async fn take_acknowledgement(
        &self,
        acknowledged: &Envelope<TenantPolicyApplied>,
    ) -> Result<(), DirectoryError> {
        self.update(acknowledged.data.tenant, |tenant| {
            decide_acknowledgement(tenant, acknowledged)
        })
        .await
    }

    async fn take_request(
        &self,
        requested: &Envelope<PlanChangeRequested>,
    ) -> Result<(), DirectoryError> {
        let publication = publication();
        let decide = |tenant: Option<&Tenant>| {
            decide_plan_change(tenant, requested, &self.catalogue, publication)
        };
        self.update(requested.data.tenant, decide).await
    }

    async fn take_erasure(&self, erased: &Envelope<TenantErased>) -> Result<(), DirectoryError> {
        self.update(erased.data.tenant, |tenant| decide_erasure(tenant, erased))
            .await
    }

    /// Records the progress of an onboarding. Anybody can name an onboarding to a region's own API,
    /// so one that home did not hand over is ignored and not an error.
    async fn take_progress(
        &self,
        progressed: &Envelope<OnboardingProgressed>,
    ) -> Result<(), DirectoryError> {
        let is_recorded = self
            .store
            .record_progress(&progressed.region, &progressed.data)
            .await;
        let is_recorded = is_recorded.map_err(DirectoryError::Progress)?;
        tracing::debug!(region = %progressed.region, is_recorded, "an onboarding progressed");
        Ok(())
    }

    async fn take_reservation(
        &self,
        reserved: &Envelope<SubdomainReservationUpdated>,
    ) -> Result<(), DirectoryError> {
        let publication = publication();
        let decide = |tenant: Option<&Tenant>,
                      current: Option<&SubdomainReservation>,
                      last: Option<&LastReport>| {
            decide_reservation(tenant, current, last, reserved, publication)
        };
        let SubdomainReservationUpdated { tenant, digest, .. } = &reserved.data;
        let answered = self
            .store
            .update_reservation(&self.outbox, digest, *tenant, decide)
            .await;
        answered.map(|_| ()).map_err(DirectoryError::Unchanged)
    }

    async fn update<D>(&self, tenant: TenantId, decide: D) -> Result<(), DirectoryError>
    where
        D: Fn(Option<&Tenant>) -> Result<Option<Tenant>, Refusal>,
    {
        let updated = self.store.update_tenant(&self.outbox, tenant, decide).await;
        updated.map(|_| ()).map_err(DirectoryError::Unchanged)
    }
}

fn envelope<T: BusEvent>(event: &BusMessage) -> Result<Envelope<T>, DirectoryError> {
    event.detail().map_err(DirectoryError::Unreadable)
}

fn publication() -> Publication {
    Publication {
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    }
}
