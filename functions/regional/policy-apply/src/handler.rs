//! Applies each published policy of a batch on its own.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{Envelope, Fact, TenantPolicyPublished, v1};
use kernel::{EventId, RegionCode};
use regional_store::{Reach, TenantStore, TenantStoreError};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{Occasion, Settings, decide_policy};

/// Applies every policy of the batch; those that cannot be applied come again, and end in the
/// dead-letter queue.
pub(crate) async fn handle(adapters: &Adapters, event: SqsEvent) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| apply(adapters, message).await).await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) settings: Settings,
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
    let (region, TenantPolicyPublished { tenant, policy }) = published(&event)?;
    if region != adapters.region {
        return Err(Unapplied::OtherRegion(region));
    }
    let occasion = Occasion { region, event: EventId::from_uuid(runtime::new_uuid()), now: runtime::now() };
    let changed = adapters.tenants.change(tenant, Reach::TENANT, |loaded| {
        decide_policy(&loaded.state, &policy, &adapters.settings, &occasion).map(Some)
    });
    let state = changed.await.map_err(Unapplied::NotStored)?;
    let (version, holds, status) = (policy.version, state.tenant.policy.version, state.tenant.status);
    tracing::info!(%tenant, version, holds, %status, "policy acknowledged");
    Ok(())
}

/// The policy, in whichever version it was published, and the region that it is for.
fn published(event: &BusMessage) -> Result<(RegionCode, TenantPolicyPublished), Unapplied> {
    match (event.detail_type.as_str(), event.source.as_str()) {
        (TenantPolicyPublished::TYPE, TenantPolicyPublished::SOURCE) => {
            let fact: Envelope<TenantPolicyPublished> = event.detail().map_err(Unapplied::Unreadable)?;
            Ok((fact.region, fact.data))
        }
        (v1::TenantPolicyPublished::TYPE, v1::TenantPolicyPublished::SOURCE) => {
            let fact: Envelope<v1::TenantPolicyPublished> = event.detail().map_err(Unapplied::Unreadable)?;
            Ok((fact.region, fact.data.into()))
        }
        _ => Err(Unapplied::OtherEvent),
    }
}
