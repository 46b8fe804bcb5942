//! What does not hold is looked at when it is due; every tenant's sealed days are compared once a day.

use aws_sdk_dynamodb::types::TransactWriteItem;
use billing::{Incident, Seal, Subject};
use billing_store::{BillingStore, Looked, Resend, StoreError};
use contract::{Envelope, Stream, UsageResendRequested};
use futures::stream::{StreamExt as _, iter};
use kernel::{BillingPeriod, EventId, Invalid, RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use runtime::{Failure, Scheduled};
use std::collections::BTreeSet;

/// How long a run is from the next, as the template schedules them.
const PAUSE_MIN: i64 = 15;
/// How many runs a day has. The partitions of tenants divide them.
const RUNS_A_DAY: i64 = 24 * 60 / PAUSE_MIN;
const LOOKS_AT_ONCE: usize = 16;

/// Looks at everything that is due. One look that fails is reported, and does not keep the others from being taken.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    let due = adapters.due(event.time).await.map_err(|error| failed(&error))?;
    let looks = iter(&due).map(|subject| adapters.look(subject, event.time)).buffer_unordered(LOOKS_AT_ONCE);
    let (looked, failures): (Vec<_>, Vec<_>) = looks.collect::<Vec<_>>().await.into_iter().partition(Result::is_ok);
    let asked: usize = looked.iter().flatten().map(|looked| looked.asked.len()).sum();
    let incidents = adapters.incidents().await.map_err(|error| failed(&error))?;
    for Incident { tenant, region, kind, day, .. } in &incidents {
        let day = day.map(|day| day.to_string());
        tracing::warn!(%tenant, %region, kind = kind.as_str(), day, "the ledger lacks usage, or has other usage");
    }
    tracing::info!(looks = due.len(), asked, usage_incidents = incidents.len(), "reconciled the ledger");
    failures.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(failed(&error)))
}

/// What the function works with.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The outbox of the region.
    pub(crate) outbox: Outbox,
    /// The region that bills.
    pub(crate) region: RegionCode,
}

/// Why the ledger was not compared in full.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The table did not do it.
    #[error("the ledger was not compared")]
    Store(#[source] StoreError),
    /// The list of what is watched has something else in it.
    #[error("what is watched is no subject")]
    Subject(#[source] Invalid),
}

impl Adapters {
    /// What is to be looked at now.
    pub(crate) async fn due(&self, now: Timestamp) -> Result<BTreeSet<Subject>, ReconcileError> {
        let watched = self.store.load_watched().await.map_err(ReconcileError::Store)?;
        let due = watched.iter().filter(|watched| watched.due_at <= now);
        let mut subjects: BTreeSet<Subject> =
            due.map(|watched| watched.subject.parse().map_err(ReconcileError::Subject)).collect::<Result<_, _>>()?;
        for tenant in self.tenants_of_run(now).await.map_err(ReconcileError::Store)? {
            let last = BillingPeriod::containing(now);
            for period in [last.previous(), last] {
                let seals = self.store.load_seals(tenant, period).await.map_err(ReconcileError::Store)?;
                subjects.extend(seals.iter().map(|Seal { tenant, day, .. }| Subject::Day(*tenant, *day)));
            }
        }
        Ok(subjects)
    }

    /// The tenants whose sealed days are compared by this run: each is by one run of a day.
    async fn tenants_of_run(&self, now: Timestamp) -> Result<Vec<TenantId>, StoreError> {
        let run = now.as_second().div_euclid(60 * PAUSE_MIN).rem_euclid(RUNS_A_DAY);
        let is_of_run = |tenant: TenantId| i64::from(tenant.as_uuid().as_bytes()[15]) % RUNS_A_DAY == run;
        let Ok(shard) = u8::try_from(run % i64::from(BillingStore::SHARDS)) else {
            return Ok(Vec::new());
        };
        self.store.load_accounts_of(shard, |account| is_of_run(account.tenant).then_some(account.tenant)).await
    }

    async fn look(&self, subject: &Subject, now: Timestamp) -> Result<Looked, ReconcileError> {
        self.store.look(subject, now, |resend| self.ask(resend, now)).await.map_err(ReconcileError::Store)
    }

    async fn incidents(&self) -> Result<Vec<Incident>, ReconcileError> {
        let watched = self.store.load_watched().await.map_err(ReconcileError::Store)?;
        Ok(watched.into_iter().filter_map(|watched| watched.incident).collect())
    }

    /// States the request, on the bus that leads to the region.
    fn ask(&self, resend: &Resend, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let Resend { tenant, region, day, number } = resend;
        let envelope = Envelope {
            id: EventId::from_uuid(runtime::new_uuid()),
            region: region.clone(),
            stream: Stream::Usage(*tenant),
            sequence: *number,
            occurred_at: now,
            data: UsageResendRequested { tenant: *tenant, day: *day },
        };
        let target = if *region == self.region { Target::Regional } else { Target::Home };
        let unwritable = |source| StoreError::Write { what: "a request for usage", source };
        let row = Row::new(target, &envelope).map_err(|error| unwritable(error.into()))?;
        self.outbox.put(&row).map_err(|error| unwritable(error.into()))
    }
}

fn failed(error: &ReconcileError) -> Failure {
    Failure::of("LedgerNotReconciled", error)
}
