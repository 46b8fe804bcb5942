//! Applies each decision of a batch on its own: a policy, or the answer to a subdomain reservation.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{BusEvent, Envelope, SubdomainReservationDecided, TenantPolicyPublished};
use kernel::{EventId, RegionCode, TenantId};
use runtime::queue::{BusMessage, MessageError, each};
use std::convert::Infallible;
use tenancy::{
    Context, Settings, SubdomainUse, Subdomains, decide_policy, decide_reservation_answer,
};
use tenant_store::{LoadOptions, TenantStore, TenantStoreError};

/// Applies every decision of the batch. The queue redelivers failed decisions, and moves them to
/// the dead-letter queue in the end.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        apply(adapters, message).await
    })
    .await)
}

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) settings: Settings,
}

/// A failure to apply a decision.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a decision of home")]
    OtherEvent,
    #[error("the decision is for the region {0}")]
    OtherRegion(RegionCode),
    #[error("the changes of the decision could not be stored")]
    NotStored(#[source] TenantStoreError),
}

/// A decision of home.
enum Decision {
    Policy(TenantPolicyPublished),
    Reservation(SubdomainReservationDecided),
}

async fn apply(adapters: &Adapters, message: &SqsMessage) -> Result<(), ApplyError> {
    let event = BusMessage::parse(message).map_err(ApplyError::Unreadable)?;
    let (region, decision) = decision(&event)?;
    if region != adapters.region {
        return Err(ApplyError::OtherRegion(region));
    }
    let context = Context {
        region,
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let applied = match decision {
        Decision::Policy(published) => adapters.apply_policy(&published, &context).await,
        Decision::Reservation(decided) => adapters.apply_reservation(&decided, &context).await,
    };
    applied.map_err(ApplyError::NotStored)
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
        // A late policy is not applied; the version in force is the one that is acknowledged.
        let (version, in_force, status) = (
            policy.version,
            state.tenant.policy.version,
            state.tenant.status,
        );
        tracing::info!(%tenant, version, in_force, %status, "acknowledged a policy");
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
        tracing::info!(tenant = %decided.tenant, decision = ?decided.decision, "applied a reservation's answer");
        Ok(())
    }

    /// The present use of the subdomain that the tenant is reserving. When another tenant takes it
    /// after this read, the store refuses the write, and the queue redelivers the answer.
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
            Some(open) => reader.subdomain_use(&open.subdomain, tenant).await,
            None => Ok(SubdomainUse::Free),
        }
    }
}

/// Parses a decision, and the region that it is for.
fn decision(event: &BusMessage) -> Result<(RegionCode, Decision), ApplyError> {
    match (event.detail_type.as_str(), event.source.as_str()) {
        (TenantPolicyPublished::TYPE, TenantPolicyPublished::SOURCE) => {
            let event: Envelope<TenantPolicyPublished> =
                event.detail().map_err(ApplyError::Unreadable)?;
            Ok((event.region, Decision::Policy(event.data)))
        }
        (SubdomainReservationDecided::TYPE, SubdomainReservationDecided::SOURCE) => {
            let event: Envelope<SubdomainReservationDecided> =
                event.detail().map_err(ApplyError::Unreadable)?;
            Ok((event.region, Decision::Reservation(event.data)))
        }
        _ => Err(ApplyError::OtherEvent),
    }
}
