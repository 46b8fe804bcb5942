//! One event per message; each can come late, twice and in any order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use billing_store::{BillingStore, StoreError};
use contract::{
    BusEvent, Envelope, Stream, TenantStatusChanged, UsageSealed, UsageStreamEndReported,
    UsageWindowUpdated,
};
use kernel::TenantId;
use runtime::queue::{self, BusMessage, MessageError};

/// Learns what each message of a batch says; one that cannot be learned is reported and comes
/// again.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, runtime::Error> {
    Ok(queue::each(event, async |message| learn(&adapters.store, message).await).await)
}

/// What the function works with.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
}

/// Why a message was not learned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// It is no event.
    #[error("the message is not an event")]
    Message(#[source] MessageError),
    /// The event's detail is not what its type promises.
    #[error("the detail of a {event} is malformed")]
    Detail {
        /// The event's type.
        event: &'static str,
        /// Where.
        #[source]
        source: MessageError,
    },
    /// The envelope is of another stream than the event in it.
    #[error("a {event} came in another stream than its tenant's")]
    Stream {
        /// The event's type.
        event: &'static str,
    },
    /// A rule sends what billing has no use for.
    #[error("an event of this type and source is not for the ledger")]
    UnknownFact,
    /// The table did not do it.
    #[error("the event was not stored")]
    Store(#[source] StoreError),
}

async fn learn(store: &BillingStore, message: &SqsMessage) -> Result<(), LedgerError> {
    let message = BusMessage::parse(message).map_err(LedgerError::Message)?;
    match (message.detail_type.as_str(), message.source.as_str()) {
        (TenantStatusChanged::TYPE, TenantStatusChanged::SOURCE) => {
            learn_status(store, envelope(&message)?).await
        }
        (UsageWindowUpdated::TYPE, UsageWindowUpdated::SOURCE) => {
            learn_usage(store, envelope(&message)?).await
        }
        (UsageSealed::TYPE, UsageSealed::SOURCE) => learn_seal(store, envelope(&message)?).await,
        (UsageStreamEndReported::TYPE, UsageStreamEndReported::SOURCE) => {
            learn_end(store, envelope(&message)?).await
        }
        _ => Err(LedgerError::UnknownFact),
    }
}

async fn learn_status(
    store: &BillingStore,
    event: Envelope<TenantStatusChanged>,
) -> Result<(), LedgerError> {
    if event.stream != Stream::Tenant(event.data.tenant) {
        return Err(LedgerError::Stream {
            event: TenantStatusChanged::TYPE,
        });
    }
    store
        .record_status(&event.data, &event.region, event.occurred_at)
        .await
        .map_err(LedgerError::Store)
}

/// Records the windows before their report: what counts as received is in the ledger.
async fn learn_usage(
    store: &BillingStore,
    event: Envelope<UsageWindowUpdated>,
) -> Result<(), LedgerError> {
    let tenant = usage_of(&event, event.data.tenant)?;
    store
        .record_windows(&event.data)
        .await
        .map_err(LedgerError::Store)?;
    store
        .record_received(tenant, &event.region, event.sequence, runtime::now())
        .await
        .map_err(LedgerError::Store)
}

/// Records the seal before its report, as the totals before theirs.
async fn learn_seal(store: &BillingStore, event: Envelope<UsageSealed>) -> Result<(), LedgerError> {
    let (tenant, now) = (usage_of(&event, event.data.tenant)?, runtime::now());
    store
        .record_sealed(&event, now)
        .await
        .map_err(LedgerError::Store)?;
    store
        .record_received(tenant, &event.region, event.sequence, now)
        .await
        .map_err(LedgerError::Store)
}

/// Records where the stream ends. What is missing before it is a gap from now on.
async fn learn_end(
    store: &BillingStore,
    event: Envelope<UsageStreamEndReported>,
) -> Result<(), LedgerError> {
    usage_of(&event, event.data.tenant)?;
    store
        .record_end(&event, runtime::now())
        .await
        .map_err(LedgerError::Store)
}

/// The tenant that an event is about, if it came in the stream of that tenant's usage.
fn usage_of<T: BusEvent>(event: &Envelope<T>, tenant: TenantId) -> Result<TenantId, LedgerError> {
    if event.stream == Stream::Usage(tenant) {
        Ok(tenant)
    } else {
        Err(LedgerError::Stream { event: T::TYPE })
    }
}

fn envelope<T: BusEvent>(message: &BusMessage) -> Result<Envelope<T>, LedgerError> {
    message.detail().map_err(|source| LedgerError::Detail {
        event: T::TYPE,
        source,
    })
}
