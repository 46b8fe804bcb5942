//! Applies each decision of a batch on its own: a policy, or what became of a claim to a subdomain.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{BusEvent, Envelope, SubdomainReservationDecided, TenantPolicyPublished};
use kernel::{EventId, RegionCode, TenantId};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{
    Context, Settings, SubdomainUse, Subdomains, decide_policy, decide_reservation_answer,
};
use tenant_store::{LoadOptions, TenantStore, TenantStoreError};

/// Applies every decision of the batch; those that cannot be applied come again, and end in the
/// dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        apply(adapters, message).await
    })
    .await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) settings: Settings,
}

/// Why a decision is not applied.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is no decision of home's")]
    OtherEvent,
    #[error("the decision is for the region {0}")]
    OtherRegion(RegionCode),
    #[error("what follows from the decision is not stored")]
    NotStored(#[source] TenantStoreError),
}

/// What home decided.
enum Decision {
    Policy(TenantPolicyPublished),
    Claim(SubdomainReservationDecided),
}

async fn apply(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unapplied> {
    let event = BusMessage::parse(message).map_err(Unapplied::Unreadable)?;
    let (region, decision) = decision(&event)?;
    if region != adapters.region {
        return Err(Unapplied::OtherRegion(region));
    }
    let context = Context {
        region,
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let applied = match decision {
        Decision::Policy(published) => adapters.apply_policy(&published, &context).await,
        Decision::Claim(decided) => adapters.apply_reservation(&decided, &context).await,
    };
    applied.map_err(Unapplied::NotStored)
}

impl Adapters {
    async fn apply_policy(
        &self,
        published: &TenantPolicyPublished,
        context: &Context,
    ) -> Result<(), TenantStoreError> {
        let TenantPolicyPublished { tenant, policy } = published;
        let changed = self.tenants.change(*tenant, LoadOptions::TENANT, |loaded| {
            decide_policy(&loaded.state, policy, &self.settings, context).map(Some)
        });
        let state = changed.await?;
        let (version, holds, status) = (
            policy.version,
            state.tenant.policy.version,
            state.tenant.status,
        );
        tracing::info!(%tenant, version, holds, %status, "policy acknowledged");
        Ok(())
    }

    async fn apply_reservation(
        &self,
        decided: &SubdomainReservationDecided,
        context: &Context,
    ) -> Result<(), TenantStoreError> {
        let in_use = self.subdomain_use(decided.tenant).await?;
        let changed = self
            .tenants
            .change(decided.tenant, LoadOptions::TENANT, |loaded| {
                Ok(decide_reservation_answer(
                    &loaded.state,
                    decided,
                    in_use,
                    context,
                ))
            });
        changed.await?;
        tracing::info!(tenant = %decided.tenant, decision = ?decided.decision, "claim answered");
        Ok(())
    }

    /// What the subdomain that the tenant claims is in the region apart from that. Who takes it after
    /// this look is told by the store, and the answer comes again.
    async fn subdomain_use(&self, tenant: TenantId) -> Result<SubdomainUse, TenantStoreError> {
        let reader = self.tenants.reader();
        let known = reader
            .load_tenant(tenant)
            .await?
            .ok_or(TenantStoreError::UnknownTenant)?;
        match known
            .subdomains
            .as_ref()
            .and_then(Subdomains::open_reservation)
        {
            Some(claim) => reader.subdomain_use(&claim.subdomain, tenant).await,
            None => Ok(SubdomainUse::Free),
        }
    }
}

/// The decision, and the region that it is for.
fn decision(event: &BusMessage) -> Result<(RegionCode, Decision), Unapplied> {
    match (event.detail_type.as_str(), event.source.as_str()) {
        (TenantPolicyPublished::TYPE, TenantPolicyPublished::SOURCE) => {
            let event: Envelope<TenantPolicyPublished> =
                event.detail().map_err(Unapplied::Unreadable)?;
            Ok((event.region, Decision::Policy(event.data)))
        }
        (SubdomainReservationDecided::TYPE, SubdomainReservationDecided::SOURCE) => {
            let event: Envelope<SubdomainReservationDecided> =
                event.detail().map_err(Unapplied::Unreadable)?;
            Ok((event.region, Decision::Claim(event.data)))
        }
        _ => Err(Unapplied::OtherEvent),
    }
}
