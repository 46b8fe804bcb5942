//! What a region says of its tenants, message by message.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use central_store::{CentralStore, UpdateError};
use contract::catalogue::Catalogue;
use contract::{Envelope, Fact, TenantPolicyApplied, TenantStatusChanged};
use fleet::{Publication, decide_acknowledgement, decide_statement};
use kernel::EventId;
use outbox::Outbox;
use runtime::queue::{self, BusMessage, MessageError};
use std::convert::Infallible;

/// Takes each message on its own: one that is refused comes again, and ends in the dead-letter queue.
pub(crate) async fn handle(adapters: &Adapters, event: SqsEvent) -> Result<SqsBatchResponse, Infallible> {
    Ok(queue::each(event, async |message: &SqsMessage| adapters.take(message).await).await)
}

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
    pub(crate) catalogue: Catalogue,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// It is no event, or not of the shape that its type promises.
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    /// A rule sends what this function does not know.
    #[error("the message is of a type that the directory does not take")]
    UnknownType,
    /// The change is refused, or was not stored.
    #[error("the directory was not changed")]
    Unchanged(#[source] UpdateError),
}

impl Adapters {
    async fn take(&self, message: &SqsMessage) -> Result<(), DirectoryError> {
        let event = BusMessage::parse(message).map_err(DirectoryError::Unreadable)?;
        match event.detail_type.as_str() {
            TenantStatusChanged::TYPE => {
                self.take_statement(&event.detail().map_err(DirectoryError::Unreadable)?).await
            }
            TenantPolicyApplied::TYPE => {
                self.take_acknowledgement(&event.detail().map_err(DirectoryError::Unreadable)?).await
            }
            _ => Err(DirectoryError::UnknownType),
        }
    }

    async fn take_statement(&self, stated: &Envelope<TenantStatusChanged>) -> Result<(), DirectoryError> {
        let publication = Publication { event: EventId::from_uuid(runtime::new_uuid()), now: runtime::now() };
        let updated = self
            .store
            .update_tenant(&self.outbox, stated.data.tenant, |current| {
                decide_statement(current, stated, &self.catalogue, publication)
            })
            .await;
        updated.map(|_| ()).map_err(DirectoryError::Unchanged)
    }

    async fn take_acknowledgement(&self, word: &Envelope<TenantPolicyApplied>) -> Result<(), DirectoryError> {
        let updated = self
            .store
            .update_tenant(&self.outbox, word.data.tenant, |current| decide_acknowledgement(current, word))
            .await;
        updated.map(|_| ()).map_err(DirectoryError::Unchanged)
    }
}
