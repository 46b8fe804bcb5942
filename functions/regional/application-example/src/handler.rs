//! Serves and answers each request of a batch.
//!
//! A request may be delivered twice, so every operation is idempotent. The queue redelivers a
//! request that fails; if it never succeeds, Meridian treats the missing answer as a failure. An
//! application that knows the reason answers with it.

use crate::adapters::Adapters;
use crate::resources::ResourceError;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bus::{BusError, Entry, Refused};
use contract::application::{
    ANSWER_SOURCE, Answer, TenantDeprovisioningRequested, TenantProvisioningRequested,
};
use contract::{BusEvent, Envelope};
use kernel::{Invalid, ReasonCode};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;

/// Serves every request of the batch. The queue redelivers failed requests, and moves them to the
/// dead-letter queue in the end.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        adapters.serve(message).await
    })
    .await)
}

/// A failure to serve a request.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a request")]
    OtherEvent,
    #[error("the resources could not be created or removed")]
    Resources(#[source] ResourceError),
    #[error("the reason is not a valid code")]
    Reason(#[source] Invalid),
    #[error("the answer could not be serialized")]
    Unwritable(#[source] serde_json::Error),
    #[error("the answer could not be published")]
    Unpublished(#[source] BusError),
    #[error("the bus refused the answer")]
    Refused(#[source] Refused),
}

impl Adapters {
    async fn serve(&self, message: &SqsMessage) -> Result<(), ServeError> {
        let event = BusMessage::parse(message).map_err(ServeError::Unreadable)?;
        match (event.detail_type.as_str(), event.source.as_str()) {
            (TenantProvisioningRequested::TYPE, TenantProvisioningRequested::SOURCE) => {
                let request: Envelope<_> = event.detail().map_err(ServeError::Unreadable)?;
                self.provision(request.data).await
            }
            (TenantDeprovisioningRequested::TYPE, TenantDeprovisioningRequested::SOURCE) => {
                let request: Envelope<_> = event.detail().map_err(ServeError::Unreadable)?;
                self.deprovision(request.data).await
            }
            _ => Err(ServeError::OtherEvent),
        }
    }

    async fn provision(&self, request: TenantProvisioningRequested) -> Result<(), ServeError> {
        let mut answer = Answer {
            tenant: request.tenant,
            attempt: Some(request.attempt),
            reason: None,
            retryable: None,
        };
        match self.resources.create(&request).await {
            Ok(()) => self.answer(Answer::PROVISIONED, &answer).await,
            Err(ResourceError::QuotaExceeded) => {
                answer.reason = Some(
                    "quota-exceeded"
                        .parse::<ReasonCode>()
                        .map_err(ServeError::Reason)?,
                );
                answer.retryable = Some(true);
                self.answer(Answer::PROVISIONING_FAILED, &answer).await
            }
            Err(error) => Err(ServeError::Resources(error)),
        }
    }

    async fn deprovision(&self, request: TenantDeprovisioningRequested) -> Result<(), ServeError> {
        self.resources
            .remove(request.tenant)
            .await
            .map_err(ServeError::Resources)?;
        let answer = Answer {
            tenant: request.tenant,
            attempt: Some(request.attempt),
            reason: None,
            retryable: None,
        };
        self.answer(Answer::DEPROVISIONED, &answer).await
    }

    async fn answer(&self, detail_type: &str, answer: &Answer) -> Result<(), ServeError> {
        let entry = Entry {
            source: ANSWER_SOURCE.to_owned(),
            detail_type: detail_type.to_owned(),
            detail: serde_json::to_string(answer).map_err(ServeError::Unwritable)?,
            time: runtime::now(),
        };
        let refused = self
            .bus
            .publish(&[entry])
            .await
            .map_err(ServeError::Unpublished)?;
        if let Some(refused) = refused.into_iter().next() {
            return Err(ServeError::Refused(refused));
        }
        tracing::info!(tenant = %answer.tenant, attempt = answer.attempt, detail_type, "answered a request");
        Ok(())
    }
}
