//! Applies each published policy of a batch on its own.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{Envelope, Fact, TenantPolicyPublished};
use kernel::{EventId, RegionCode};
use regional_store::{TenantStore, TenantStoreError};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{Occasion, PolicyOutcome};

/// Applies every policy of the batch; those that cannot be applied come again, and end in the
/// dead-letter queue.
pub(crate) async fn handle(adapters: &Adapters, event: SqsEvent) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| apply(adapters, message).await).await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
}

/// Why a policy is not applied.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a published policy")]
    OtherEvent,
    #[error("the policy is for the region {0}")]
    OtherRegion(RegionCode),
    #[error("the policy is not stored")]
    NotStored(#[source] TenantStoreError),
}

async fn apply(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unapplied> {
    let event = BusMessage::parse(message).map_err(Unapplied::Unreadable)?;
    if event.detail_type != TenantPolicyPublished::TYPE || event.source != TenantPolicyPublished::SOURCE {
        return Err(Unapplied::OtherEvent);
    }
    let published: Envelope<TenantPolicyPublished> = event.detail().map_err(Unapplied::Unreadable)?;
    if published.region != adapters.region {
        return Err(Unapplied::OtherRegion(published.region));
    }
    let TenantPolicyPublished { tenant, policy } = published.data;
    let occasion = Occasion {
        region: adapters.region.clone(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let outcome = adapters.tenants.apply_policy(tenant, &policy, &occasion).await.map_err(Unapplied::NotStored)?;
    let applied = matches!(outcome, PolicyOutcome::Apply { .. });
    tracing::info!(%tenant, version = policy.version, applied, "policy acknowledged");
    Ok(())
}
