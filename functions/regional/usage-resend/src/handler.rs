//! One request per message. The same request again states the same totals once more, which changes nothing.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{Envelope, Fact, Stream, UsageResendRequested};
use kernel::RegionCode;
use regional_store::{Resent, Settler, UsageStoreError};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;

/// Answers every request of the batch; those that cannot be answered come again, and end in the dead-letter queue.
pub(crate) async fn handle(adapters: &Adapters, event: SqsEvent) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| restate(adapters, message).await).await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) settler: Settler,
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
    #[error("the totals are not stated")]
    NotStated(#[source] UsageStoreError),
}

async fn restate(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unanswered> {
    let Envelope { region, stream, data, .. } = request(message)?;
    let UsageResendRequested { tenant, day } = data;
    if region != adapters.region {
        return Err(Unanswered::OtherRegion(region));
    }
    if stream != Stream::Usage(tenant) {
        return Err(Unanswered::OtherStream);
    }
    let resent = adapters.settler.resend(tenant, day, runtime::now()).await.map_err(Unanswered::NotStated)?;
    let stated = resent == Resent::Stated;
    tracing::info!(%tenant, %day, stated, "asked for a day again");
    Ok(())
}

fn request(message: &SqsMessage) -> Result<Envelope<UsageResendRequested>, Unanswered> {
    let event = BusMessage::parse(message).map_err(Unanswered::Unreadable)?;
    match (event.detail_type.as_str(), event.source.as_str()) {
        (UsageResendRequested::TYPE, UsageResendRequested::SOURCE) => event.detail().map_err(Unanswered::Unreadable),
        _ => Err(Unanswered::OtherEvent),
    }
}
