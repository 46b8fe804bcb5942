//! Reconciles the hosted zone with the region's table, for every tenant of a batch.

use crate::adapters::Adapters;
use crate::plan::{Tenants, has_one_of, leads_here, overtaken, plan_routes};
use crate::zone::ZoneError;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::application::TenantAddressChanged;
use contract::{BusEvent, Envelope, TenantStatusChanged};
use futures::future::try_join_all;
use kernel::{EventId, TenantId, Timestamp};
use runtime::queue::{BusMessage, MessageError, each};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use tenancy::{Context, Tenant, decide_routed};
use tenant_store::{LoadOptions, TenantStoreError};

/// How many rounds follow a tenant that changes while its names are written. After them, the queue
/// redelivers the message.
const ROUNDS_MAX: u32 = 3;

/// Writes the names of every tenant of the batch with one call. The queue redelivers an unreadable
/// message alone, and the whole batch where the zone or the table fails.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    let tenants = event
        .records
        .iter()
        .filter_map(|message| tenant_of(message).ok());
    let reconciled = reconcile(adapters, tenants.collect())
        .await
        .map_err(Arc::new);
    Ok(each(event, async |message: &SqsMessage| {
        result_of(message, &reconciled)
    })
    .await)
}

/// A failure to write the names of a batch's tenants.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error("the tenants could not be loaded")]
    NotLoaded(#[source] TenantStoreError),
    #[error("the names could not be written")]
    NotWritten(#[source] ZoneError),
    #[error("the tenants change faster than their names are written")]
    Contended,
    #[error("the written names could not be recorded in the sign-up")]
    NotNoted(#[source] TenantStoreError),
}

/// A failure to apply a message.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a change of a tenant's status or address")]
    OtherEvent,
    #[error("the region has no such tenant")]
    UnknownTenant,
    #[error("another record has a name of the tenant")]
    NameTaken,
    #[error("the tenant's names could not be reconciled")]
    NotReconciled(#[source] Arc<ReconcileError>),
}

/// The tenant of a message. The rest of the message is ignored, because it may be out of date.
fn tenant_of(message: &SqsMessage) -> Result<TenantId, ApplyError> {
    let event = BusMessage::parse(message).map_err(ApplyError::Unreadable)?;
    match (event.detail_type.as_str(), event.source.as_str()) {
        (TenantStatusChanged::TYPE, TenantStatusChanged::SOURCE) => {
            let event: Envelope<TenantStatusChanged> =
                event.detail().map_err(ApplyError::Unreadable)?;
            Ok(event.data.tenant)
        }
        (TenantAddressChanged::TYPE, TenantAddressChanged::SOURCE) => {
            let event: Envelope<TenantAddressChanged> =
                event.detail().map_err(ApplyError::Unreadable)?;
            Ok(event.data.tenant)
        }
        _ => Err(ApplyError::OtherEvent),
    }
}

/// Writes the names of tenants, and then loads the tenants again: with concurrent invocations, the
/// last writer has then seen the last decision. Returns the tenants that the region has, each with
/// whether the zone accepted its names.
async fn reconcile(
    adapters: &Adapters,
    tenants: Vec<TenantId>,
) -> Result<BTreeMap<TenantId, bool>, ReconcileError> {
    let known = load(adapters, tenants).await?;
    let mut pending = known.clone();
    let mut accepted: BTreeMap<TenantId, bool> =
        known.keys().map(|tenant| (*tenant, true)).collect();
    for _ in 0..ROUNDS_MAX {
        let now = runtime::now();
        let refused = adapters
            .zone
            .apply(&plan_routes(pending.values(), now))
            .await
            .map_err(ReconcileError::NotWritten)?;
        accepted.extend(
            pending
                .iter()
                .map(|(id, tenant)| (*id, !has_one_of(tenant, &refused, now))),
        );
        let loaded = load(adapters, pending.keys().copied().collect()).await?;
        pending = overtaken(&pending, loaded, now);
        if pending.is_empty() {
            tracing::info!(tenants = known.len(), "reconciled names");
            let written = known
                .values()
                .filter(|tenant| accepted.get(&tenant.id) == Some(&true));
            try_join_all(written.map(|tenant| note(adapters, tenant, now))).await?;
            return Ok(accepted);
        }
    }
    Err(ReconcileError::Contended)
}

/// Records in a tenant's sign-up that its name routes to the region: once, and after it does.
async fn note(adapters: &Adapters, tenant: &Tenant, now: Timestamp) -> Result<(), ReconcileError> {
    let context = Context {
        region: adapters.region.clone(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now,
    };
    let noted = adapters
        .tenants
        .change(tenant.id, LoadOptions::SIGNUP, |loaded| {
            Ok(decide_routed(&loaded.state, &context).filter(|_| leads_here(&loaded.state.tenant)))
        });
    noted.await.map(|_| ()).map_err(ReconcileError::NotNoted)
}

async fn load(adapters: &Adapters, ids: Vec<TenantId>) -> Result<Tenants, ReconcileError> {
    let loads = ids
        .into_iter()
        .map(|id| adapters.tenants.reader().load_tenant(id));
    let loaded = try_join_all(loads)
        .await
        .map_err(ReconcileError::NotLoaded)?;
    Ok(loaded
        .into_iter()
        .flatten()
        .map(|tenant| (tenant.id, tenant))
        .collect())
}

fn result_of(
    message: &SqsMessage,
    reconciled: &Result<BTreeMap<TenantId, bool>, Arc<ReconcileError>>,
) -> Result<(), ApplyError> {
    let tenant = tenant_of(message)?;
    let accepted = reconciled
        .as_ref()
        .map_err(|error| ApplyError::NotReconciled(Arc::clone(error)))?;
    match accepted.get(&tenant) {
        Some(true) => Ok(()),
        Some(false) => Err(ApplyError::NameTaken),
        None => Err(ApplyError::UnknownTenant),
    }
}
