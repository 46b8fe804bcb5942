//! Applies each answer of a batch on its own.

use crate::adapters::Adapters;
use crate::answer::{self, Unread};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use kernel::EventId;
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{Context, decide_answer};
use tenant_store::{LoadOptions, TenantStoreError};

/// Applies every answer of the batch; those that cannot be applied come again, and end in the
/// dead-letter queue. An answer that comes twice or too late changes nothing, and is no error.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        apply(adapters, message).await
    })
    .await)
}

/// Why an answer is not applied.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is no answer")]
    NoAnswer(#[source] Unread),
    #[error("the answer is not stored")]
    NotStored(#[source] TenantStoreError),
}

async fn apply(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unapplied> {
    let event = BusMessage::parse(message).map_err(Unapplied::Unreadable)?;
    let (said, answer) = answer::read(&event, &adapters.settings).map_err(Unapplied::NoAnswer)?;
    let region = adapters.region.clone();
    let context = Context {
        region,
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let changed = adapters
        .tenants
        .change(answer.tenant, LoadOptions::SIGNUP, |loaded| {
            decide_answer(&loaded.state, said, &answer, &adapters.settings, &context)
        });
    let status = changed.await.map_err(Unapplied::NotStored)?.tenant.status;
    tracing::info!(tenant = %answer.tenant, ?said, attempt = answer.attempt, %status, "answer taken");
    Ok(())
}
