//! Applies each answer of a batch on its own.

use crate::adapters::Adapters;
use crate::answer::{self, AnswerError};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use kernel::EventId;
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{Context, decide_answer};
use tenant_store::{LoadOptions, TenantStoreError};

/// Applies every answer of the batch. The queue redelivers failed answers, and moves them to the
/// dead-letter queue in the end. A duplicate or late answer changes nothing, and is no error.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        apply(adapters, message).await
    })
    .await)
}

/// A failure to apply an answer.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not an answer")]
    NoAnswer(#[source] AnswerError),
    #[error("the answer could not be stored")]
    NotStored(#[source] TenantStoreError),
}

async fn apply(adapters: &Adapters, message: &SqsMessage) -> Result<(), ApplyError> {
    let event = BusMessage::parse(message).map_err(ApplyError::Unreadable)?;
    let (said, answer) = answer::read(&event, &adapters.settings).map_err(ApplyError::NoAnswer)?;
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
    let status = changed.await.map_err(ApplyError::NotStored)?.tenant.status;
    tracing::info!(tenant = %answer.tenant, ?said, attempt = answer.attempt, %status, "applied an answer");
    Ok(())
}
