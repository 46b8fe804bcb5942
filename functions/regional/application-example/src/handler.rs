//! Does what each request of a batch asks for, and answers it.
//!
//! A request may come twice: everything here can be done twice. What fails and may pass comes again
//! with its message; if it never passes, Meridian takes the silence for a failure. An application
//! that knows better says so.

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

/// Serves every request of the batch; those that cannot be served come again, and end in the
/// dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        adapters.serve(message).await
    })
    .await)
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
enum Unserved {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is no request")]
    OtherEvent,
    #[error("the resources are not as they should be")]
    Resources(#[source] ResourceError),
    #[error("the reason is no code")]
    Reason(#[source] Invalid),
    #[error("the answer cannot be written")]
    Unwritable(#[source] serde_json::Error),
    #[error("the answer is not published")]
    Unpublished(#[source] BusError),
    #[error("the bus refused the answer")]
    Refused(#[source] Refused),
}

impl Adapters {
    async fn serve(&self, message: &SqsMessage) -> Result<(), Unserved> {
        let event = BusMessage::parse(message).map_err(Unserved::Unreadable)?;
        match (event.detail_type.as_str(), event.source.as_str()) {
            (TenantProvisioningRequested::TYPE, TenantProvisioningRequested::SOURCE) => {
                let request: Envelope<_> = event.detail().map_err(Unserved::Unreadable)?;
                self.provision(request.data).await
            }
            (TenantDeprovisioningRequested::TYPE, TenantDeprovisioningRequested::SOURCE) => {
                let request: Envelope<_> = event.detail().map_err(Unserved::Unreadable)?;
                self.deprovision(request.data).await
            }
            _ => Err(Unserved::OtherEvent),
        }
    }

    async fn provision(&self, request: TenantProvisioningRequested) -> Result<(), Unserved> {
        let mut answer = Answer {
            tenant: request.tenant,
            attempt: Some(request.attempt),
            reason: None,
            retryable: None,
        };
        match self.resources.make(&request).await {
            Ok(()) => self.answer(Answer::PROVISIONED, &answer).await,
            Err(ResourceError::QuotaExceeded) => {
                answer.reason = Some(
                    "quota-exceeded"
                        .parse::<ReasonCode>()
                        .map_err(Unserved::Reason)?,
                );
                answer.retryable = Some(true);
                self.answer(Answer::PROVISIONING_FAILED, &answer).await
            }
            Err(error) => Err(Unserved::Resources(error)),
        }
    }

    async fn deprovision(&self, request: TenantDeprovisioningRequested) -> Result<(), Unserved> {
        self.resources
            .remove(request.tenant)
            .await
            .map_err(Unserved::Resources)?;
        let answer = Answer {
            tenant: request.tenant,
            attempt: Some(request.attempt),
            reason: None,
            retryable: None,
        };
        self.answer(Answer::DEPROVISIONED, &answer).await
    }

    async fn answer(&self, detail_type: &str, answer: &Answer) -> Result<(), Unserved> {
        let entry = Entry {
            source: ANSWER_SOURCE.to_owned(),
            detail_type: detail_type.to_owned(),
            detail: serde_json::to_string(answer).map_err(Unserved::Unwritable)?,
            time: runtime::now(),
        };
        let refused = self
            .bus
            .publish(&[entry])
            .await
            .map_err(Unserved::Unpublished)?;
        if let Some(refused) = refused.into_iter().next() {
            return Err(Unserved::Refused(refused));
        }
        tracing::info!(tenant = %answer.tenant, attempt = answer.attempt, detail_type, "answered");
        Ok(())
    }
}
