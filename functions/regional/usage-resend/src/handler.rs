//! One request per message. The same request again states the same once more, which changes
//! nothing.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{BusEvent, Envelope, Stream, UsageResendRequested, UsageStreamRequested};
use kernel::{RegionCode, TenantId};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use usage_store::{Resent, RollupWriter, UsageStoreError};

/// Answers every request of the batch; those that cannot be answered come again, and end in the
/// dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        answer(adapters, message).await
    })
    .await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) rollups: RollupWriter,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is no request for usage")]
    OtherEvent,
    #[error("the request is for the region {0}")]
    OtherRegion(RegionCode),
    #[error("the request came in another stream than its tenant's")]
    OtherStream,
    #[error("what is asked for is not published")]
    NotStated(#[source] UsageStoreError),
}

async fn answer(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unanswered> {
    let event = BusMessage::parse(message).map_err(Unanswered::Unreadable)?;
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
        _ => Err(Unanswered::OtherEvent),
    }
}

async fn republish(adapters: &Adapters, request: UsageResendRequested) -> Result<(), Unanswered> {
    let UsageResendRequested { tenant, day } = request;
    let resent = adapters
        .rollups
        .resend(tenant, day, runtime::now())
        .await
        .map_err(Unanswered::NotStated)?;
    let published = resent == Resent::Published;
    tracing::info!(%tenant, %day, published, "asked for a day again");
    Ok(())
}

async fn report_end(adapters: &Adapters, request: UsageStreamRequested) -> Result<(), Unanswered> {
    let tenant = request.tenant;
    let published = adapters
        .rollups
        .report_end(tenant, runtime::now())
        .await
        .map_err(Unanswered::NotStated)?;
    tracing::info!(%tenant, published, "asked where the usage ends");
    Ok(())
}

/// What is asked, if it is asked of this region and in the stream of the tenant's usage.
fn request<T: BusEvent>(
    adapters: &Adapters,
    event: &BusMessage,
    tenant_of: impl Fn(&T) -> TenantId,
) -> Result<T, Unanswered> {
    let Envelope {
        region,
        stream,
        data,
        ..
    } = event
        .detail::<Envelope<T>>()
        .map_err(Unanswered::Unreadable)?;
    if region != adapters.region {
        return Err(Unanswered::OtherRegion(region));
    }
    if stream != Stream::Usage(tenant_of(&data)) {
        return Err(Unanswered::OtherStream);
    }
    Ok(data)
}
