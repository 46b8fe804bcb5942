//! Answers one request per message. A repeated request publishes the same totals once more, which
//! changes nothing at the receiver.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{BusEvent, Envelope, Stream, UsageResendRequested, UsageStreamRequested};
use kernel::{RegionCode, TenantId};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use usage_store::{Resent, RollupWriter, UsageStoreError};

/// Answers every request of the batch. The queue redelivers failed requests, and moves them to the
/// dead-letter queue in the end.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        answer(adapters, message).await
    })
    .await)
}

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) rollups: RollupWriter,
}

/// A failure to answer a request.
#[derive(Debug, thiserror::Error)]
enum ResendError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a request for usage")]
    OtherEvent,
    #[error("the request is for the region {0}")]
    OtherRegion(RegionCode),
    #[error("the request came in another stream than its tenant's")]
    OtherStream,
    #[error("the usage could not be published")]
    NotPublished(#[source] UsageStoreError),
}

async fn answer(adapters: &Adapters, message: &SqsMessage) -> Result<(), ResendError> {
    let event = BusMessage::parse(message).map_err(ResendError::Unreadable)?;
    match (event.detail_type.as_str(), event.source.as_str()) {
        (UsageResendRequested::TYPE, UsageResendRequested::SOURCE) => {
            republish(
                adapters,
                request(adapters, &event, |request: &UsageResendRequested| {
                    request.tenant
                })?,
            )
            .await
        }
        (UsageStreamRequested::TYPE, UsageStreamRequested::SOURCE) => {
            report_end(
                adapters,
                request(adapters, &event, |request: &UsageStreamRequested| {
                    request.tenant
                })?,
            )
            .await
        }
        _ => Err(ResendError::OtherEvent),
    }
}

async fn republish(adapters: &Adapters, request: UsageResendRequested) -> Result<(), ResendError> {
    let UsageResendRequested { tenant, day } = request;
    let resent = adapters
        .rollups
        .resend(tenant, day, runtime::now())
        .await
        .map_err(ResendError::NotPublished)?;
    let published = resent == Resent::Published;
    tracing::info!(%tenant, %day, published, "answered a request for a day");
    Ok(())
}

async fn report_end(adapters: &Adapters, request: UsageStreamRequested) -> Result<(), ResendError> {
    let tenant = request.tenant;
    let published = adapters
        .rollups
        .report_end(tenant, runtime::now())
        .await
        .map_err(ResendError::NotPublished)?;
    tracing::info!(%tenant, published, "answered a request for the stream's end");
    Ok(())
}

/// Parses a request. Refuses one for another region, and one outside the stream of the tenant's
/// usage.
fn request<T: BusEvent>(
    adapters: &Adapters,
    event: &BusMessage,
    tenant_of: impl Fn(&T) -> TenantId,
) -> Result<T, ResendError> {
    let Envelope {
        region,
        stream,
        data,
        ..
    } = event
        .detail::<Envelope<T>>()
        .map_err(ResendError::Unreadable)?;
    if region != adapters.region {
        return Err(ResendError::OtherRegion(region));
    }
    if stream != Stream::Usage(tenant_of(&data)) {
        return Err(ResendError::OtherStream);
    }
    Ok(data)
}
