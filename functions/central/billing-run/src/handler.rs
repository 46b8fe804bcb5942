//! Starts billing runs. A run follows from the schedule's time, so that a replay bills the same.

use crate::adapters::Adapters;
use crate::requests::SendError;
use billing::{
    Account, Billability, InvoiceRefusal, InvoiceRequest, PriorInvoice, Run, has_late_usage,
};
use billing_store::{BillingStore, StoreError};
use dynamo::{Attempts, CROWD};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kernel::{BillingPeriod, TenantId, Timestamp};
use runtime::{Failure, Scheduled};
use std::collections::BTreeSet;

/// The number of former tenants whose usage is compared with their invoices at once.
const COMPARED_AT_ONCE: usize = 16;

/// Records the run of the period that has ended, and then requests each tenant's invoice. A
/// repetition completes a run that was interrupted: two requests for a tenant lead to one invoice.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    let period = BillingPeriod::ended_before(event.time);
    let started = start(adapters, period, event.time).await;
    started.map_err(|error| Failure::of("BillingRunFailed", &error))
}

/// Why a run did not start in full.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The table failed.
    #[error("the run was not recorded")]
    Store(#[source] StoreError),
    /// Not every invoice was requested.
    #[error("the run's invoices were not all requested")]
    Send(#[source] SendError),
    /// Other writers changed the run at every attempt.
    #[error("the run was changed by others at every attempt")]
    Contended,
}

async fn start(adapters: &Adapters, period: BillingPeriod, now: Timestamp) -> Result<(), RunError> {
    let tenants = find_tenants(adapters, period)
        .await
        .map_err(RunError::Store)?;
    record(&adapters.store, period, now, tenants.len()).await?;
    tracing::info!(
        period = period.to_string(),
        tenants = tenants.len(),
        "billing run started"
    );
    let requests: Vec<_> = tenants
        .into_iter()
        .map(|tenant| InvoiceRequest { tenant, period })
        .collect();
    adapters
        .requests
        .send(&requests)
        .await
        .map_err(RunError::Send)
}

/// The tenants to bill, and those that have an invoice: after a late event a tenant may turn out
/// not to have been in use, but its invoice still counts in the run.
async fn find_tenants(
    adapters: &Adapters,
    period: BillingPeriod,
) -> Result<BTreeSet<TenantId>, StoreError> {
    let store = &adapters.store;
    let billability = |account: &Account| {
        let billability = account.billability(period)?;
        Some((account.tenant, matches!(billability, Billability::InUse(_))))
    };
    let (in_use, left): (Vec<_>, Vec<_>) = store
        .load_accounts(billability)
        .await?
        .into_iter()
        .partition(|(_, is_in_use)| *is_in_use);
    let compared = left
        .into_iter()
        .map(|(tenant, _)| owes_late_usage(adapters, tenant, period));
    let owing: Vec<Option<TenantId>> = stream::iter(compared)
        .buffer_unordered(COMPARED_AT_ONCE)
        .try_collect()
        .await?;
    let invoiced = store.load_invoiced(period).await?;
    let in_use = in_use.into_iter().map(|(tenant, _)| tenant);
    Ok(in_use
        .chain(owing.into_iter().flatten())
        .chain(invoiced)
        .collect())
}

/// The tenant, if usage arrived after its last invoices. A tenant whose usage cannot be totalled is
/// included, so that its own invoice fails instead of the run.
async fn owes_late_usage(
    adapters: &Adapters,
    tenant: TenantId,
    period: BillingPeriod,
) -> Result<Option<TenantId>, StoreError> {
    let earlier = adapters
        .store
        .load_prior_invoices(tenant, period)
        .await?
        .into_iter();
    let earlier =
        earlier.map(|(invoice, windows)| PriorInvoice::of(&adapters.catalogue, invoice, &windows));
    let earlier: Result<Vec<PriorInvoice>, InvoiceRefusal> = earlier.collect();
    Ok(earlier
        .map_or(true, |earlier| has_late_usage(&earlier))
        .then_some(tenant))
}

/// Records the number of expected invoices before any is requested, so that the last invoice
/// completes the run.
async fn record(
    store: &BillingStore,
    period: BillingPeriod,
    now: Timestamp,
    tenants: usize,
) -> Result<(), RunError> {
    let expected = u64::try_from(tenants).unwrap_or(u64::MAX);
    let mut attempts = Attempts::of(CROWD);
    loop {
        let held = store.load_run(period).await.map_err(RunError::Store)?;
        let run = match &held {
            Some(held) if held.run.expected == expected => return Ok(()),
            Some(held) => Run {
                expected,
                ..held.run.clone()
            },
            None => Run::new(period, now, expected),
        };
        if store
            .record_run(held.as_ref(), &run)
            .await
            .map_err(RunError::Store)?
        {
            return Ok(());
        }
        if !attempts.wait().await {
            return Err(RunError::Contended);
        }
    }
}
