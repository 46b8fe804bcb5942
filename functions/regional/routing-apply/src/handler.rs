//! Makes the zone say what the region's table says of every tenant of a batch.

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

/// How often a tenant may change while its names are written, until the message comes again
/// instead.
const ROUNDS_MAX: u32 = 3;

/// Writes the names of every tenant of the batch with one call. What cannot be read comes again
/// alone; where the zone or the table fails, the whole batch does.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    let asked = event
        .records
        .iter()
        .filter_map(|message| tenant_of(message).ok());
    let settled = settle(adapters, asked.collect()).await.map_err(Arc::new);
    Ok(each(event, async |message: &SqsMessage| {
        outcome_of(message, &settled)
    })
    .await)
}

/// Why the names of a batch's tenants are not written.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error("the tenants cannot be loaded")]
    NotLoaded(#[source] TenantStoreError),
    #[error("the names are not written")]
    NotWritten(#[source] ZoneError),
    #[error("the tenants change faster than their names are written")]
    Contended,
    #[error("that the names are written is not noted")]
    NotNoted(#[source] TenantStoreError),
}

/// Why a message is not done.
#[derive(Debug, thiserror::Error)]
enum Unapplied {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event is not a change of a tenant's status or address")]
    OtherEvent,
    #[error("the region knows no such tenant")]
    UnknownTenant,
    #[error("something else has a name of the tenant")]
    NameTaken,
    #[error("the tenant's names are not settled")]
    ReconcileError(#[source] Arc<ReconcileError>),
}

/// The tenant that a message is about. What the message says of it may be old, and is not looked
/// at.
fn tenant_of(message: &SqsMessage) -> Result<TenantId, Unapplied> {
    let event = BusMessage::parse(message).map_err(Unapplied::Unreadable)?;
    match (event.detail_type.as_str(), event.source.as_str()) {
        (TenantStatusChanged::TYPE, TenantStatusChanged::SOURCE) => {
            let event: Envelope<TenantStatusChanged> =
                event.detail().map_err(Unapplied::Unreadable)?;
            Ok(event.data.tenant)
        }
        (TenantAddressChanged::TYPE, TenantAddressChanged::SOURCE) => {
            let event: Envelope<TenantAddressChanged> =
                event.detail().map_err(Unapplied::Unreadable)?;
            Ok(event.data.tenant)
        }
        _ => Err(Unapplied::OtherEvent),
    }
}

/// Writes the names of tenants, and looks again: whoever writes last has then seen what was decided
/// last, however many work on the same tenant at a time. Returns the tenants that the region knows,
/// each with whether the zone took its names.
async fn settle(
    adapters: &Adapters,
    asked: Vec<TenantId>,
) -> Result<BTreeMap<TenantId, bool>, ReconcileError> {
    let known = load(adapters, asked).await?;
    let mut pending = known.clone();
    let mut taken: BTreeMap<TenantId, bool> = known.keys().map(|tenant| (*tenant, true)).collect();
    for _ in 0..ROUNDS_MAX {
        let now = runtime::now();
        let refused = adapters
            .zone
            .apply(&plan_routes(pending.values(), now))
            .await
            .map_err(ReconcileError::NotWritten)?;
        taken.extend(
            pending
                .iter()
                .map(|(id, tenant)| (*id, !has_one_of(tenant, &refused, now))),
        );
        let loaded = load(adapters, pending.keys().copied().collect()).await?;
        pending = overtaken(&pending, loaded, now);
        if pending.is_empty() {
            tracing::info!(tenants = known.len(), "names settled");
            let written = known
                .values()
                .filter(|tenant| taken.get(&tenant.id) == Some(&true));
            try_join_all(written.map(|tenant| note(adapters, tenant, now))).await?;
            return Ok(taken);
        }
    }
    Err(ReconcileError::Contended)
}

/// Notes in its sign-up that a tenant's name leads to the region: once, and not before it does.
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

fn outcome_of(
    message: &SqsMessage,
    settled: &Result<BTreeMap<TenantId, bool>, Arc<ReconcileError>>,
) -> Result<(), Unapplied> {
    let tenant = tenant_of(message)?;
    let settled = settled
        .as_ref()
        .map_err(|error| Unapplied::ReconcileError(Arc::clone(error)))?;
    match settled.get(&tenant) {
        Some(true) => Ok(()),
        Some(false) => Err(Unapplied::NameTaken),
        None => Err(Unapplied::UnknownTenant),
    }
}
