//! A run is derived from the schedule's time, so that a replay bills the same.

use crate::requests::{InvoiceQueue, SendError};
use billing::{InvoiceRequest, Run};
use billing_store::{ATTEMPTS_MAX, BillingStore, StoreError};
use kernel::{BillingPeriod, TenantId, Timestamp};
use runtime::{Failure, Scheduled};
use std::collections::BTreeSet;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(50);

/// Records the run of the period that has ended, then asks for each tenant's invoice. When it is stopped
/// half-way, doing it again completes it: a tenant that is asked for twice has one invoice.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    let period = BillingPeriod::ended_before(event.time);
    let started = start(adapters, period, event.time).await;
    started.map_err(|error| Failure::of("BillingRunFailed", &error))
}

/// What the function works with.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The queue of invoices to be made.
    pub(crate) requests: InvoiceQueue,
}

/// Why a run did not start in full.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The table did not do it.
    #[error("the run was not recorded")]
    Store(#[source] StoreError),
    /// Not every invoice was asked for.
    #[error("the run's invoices were not all asked for")]
    Send(#[source] SendError),
    /// Invoices were issued at every attempt to change the run.
    #[error("the run was changed by others at each of {ATTEMPTS_MAX} attempts")]
    Contended,
}

async fn start(adapters: &Adapters, period: BillingPeriod, now: Timestamp) -> Result<(), RunError> {
    let tenants = find_tenants(&adapters.store, period).await.map_err(RunError::Store)?;
    record(&adapters.store, period, now, tenants.len()).await?;
    tracing::info!(period = period.to_string(), tenants = tenants.len(), "billing run started");
    let requests: Vec<_> = tenants.into_iter().map(|tenant| InvoiceRequest { tenant, period }).collect();
    adapters.requests.send(&requests).await.map_err(RunError::Send)
}

/// Who is to be billed, and who has been: a later fact may say that a tenant was not in use after all,
/// but its invoice remains one of the run's.
async fn find_tenants(store: &BillingStore, period: BillingPeriod) -> Result<BTreeSet<TenantId>, StoreError> {
    let billable = store.load_accounts(|account| account.plan_for(period).map(|_| account.tenant)).await?;
    let invoiced = store.load_invoiced(period).await?;
    Ok(billable.into_iter().chain(invoiced).collect())
}

/// Records how many invoices are expected, before any is asked for: the last one must know that it is.
async fn record(store: &BillingStore, period: BillingPeriod, now: Timestamp, tenants: usize) -> Result<(), RunError> {
    let expected = u64::try_from(tenants).unwrap_or(u64::MAX);
    for _ in 0..ATTEMPTS_MAX {
        let held = store.load_run(period).await.map_err(RunError::Store)?;
        let run = match &held {
            Some(held) if held.run.expected == expected => return Ok(()),
            Some(held) => Run { expected, ..held.run.clone() },
            None => Run::new(period, now, expected),
        };
        if store.record_run(held.as_ref(), &run).await.map_err(RunError::Store)? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(RunError::Contended)
}
