//! Records one event per message. Events may arrive late, repeatedly and in any order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use billing_store::{BillingStore, StoreError};
use contract::{
    BusEvent, Envelope, Stream, TenantStatusChanged, UsageSealed, UsageStreamEndReported,
    UsageWindowUpdated,
};
use kernel::TenantId;
use runtime::queue::{self, BusMessage, MessageError};

/// Records the event of each message. A message that fails is reported, so that the queue delivers
/// it again.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, runtime::Error> {
    Ok(queue::each(event, async |message| {
        record(&adapters.store, message).await
    })
    .await)
}

/// The adapters of the function.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
}

/// The reasons why a message was not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The message is not an event.
    #[error("the message is not an event")]
    Message(#[source] MessageError),
    /// The event's detail does not have the form of its type.
    #[error("the detail of a {event} is malformed")]
    Detail {
        /// The event's type.
        event: &'static str,
        /// The position of the fault.
        #[source]
        source: MessageError,
    },
    /// The envelope's stream is not that of the event's tenant.
    #[error("a {event} has the stream of another tenant")]
    Stream {
        /// The event's type.
        event: &'static str,
    },
    /// A bus rule sends an event that billing does not handle.
    #[error("an event of this type and source is not for the ledger")]
    UnknownEvent,
    /// The table failed.
    #[error("the event was not stored")]
    Store(#[source] StoreError),
}

async fn record(store: &BillingStore, message: &SqsMessage) -> Result<(), LedgerError> {
    let message = BusMessage::parse(message).map_err(LedgerError::Message)?;
    match (message.detail_type.as_str(), message.source.as_str()) {
        (TenantStatusChanged::TYPE, TenantStatusChanged::SOURCE) => {
            record_status(store, envelope(&message)?).await
        }
        (UsageWindowUpdated::TYPE, UsageWindowUpdated::SOURCE) => {
            record_usage(store, envelope(&message)?).await
        }
        (UsageSealed::TYPE, UsageSealed::SOURCE) => record_seal(store, envelope(&message)?).await,
        (UsageStreamEndReported::TYPE, UsageStreamEndReported::SOURCE) => {
            record_end(store, envelope(&message)?).await
        }
        _ => Err(LedgerError::UnknownEvent),
    }
}

async fn record_status(
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

/// Records the windows before their report, so that the windows of every received report are in the
/// ledger, also if the function is stopped in between.
async fn record_usage(
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

/// Records the seal before its report, for the same reason.
async fn record_seal(
    store: &BillingStore,
    event: Envelope<UsageSealed>,
) -> Result<(), LedgerError> {
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

/// Records the end of the stream. Numbers missing before it are gaps from now on.
async fn record_end(
    store: &BillingStore,
    event: Envelope<UsageStreamEndReported>,
) -> Result<(), LedgerError> {
    usage_of(&event, event.data.tenant)?;
    store
        .record_end(&event, runtime::now())
        .await
        .map_err(LedgerError::Store)
}

/// Checks that an event came in the stream of its tenant's usage. A region could otherwise close
/// gaps in the stream of another tenant.
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
