//! What does not hold is looked at when it is due. Once a day every tenant's sealed days are
//! compared, and its region is asked where its usage ends.

use billing::{Account, Incident, Seal, Subject};
use billing_store::{BillingStore, Looked, Resend, StoreError, TimeSlot};
use contract::{BusEvent, Envelope, Stream, UsageResendRequested, UsageStreamRequested};
use dynamo::Write;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use kernel::{BillingPeriod, EventId, RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use runtime::{Failure, Scheduled};
use std::collections::BTreeSet;
use std::error::Error;

const DAY_S: i64 = 24 * 60 * 60;
const AT_ONCE: usize = 16;

/// Asks where usage ends, and looks at everything that is due. What fails is reported, and does not
/// keep other looks from being taken.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    let now = event.time;
    let accounts = adapters.store.load_accounts_of(TimeSlot::at(now)).await;
    let accounts = accounts.map_err(|error| failed(&ReconcileError::Store(error)))?;
    let ends = adapters.ask_for_ends(&accounts, now).await;
    let due = adapters
        .due(&accounts, now)
        .await
        .map_err(|error| failed(&error))?;
    let looks = iter(&due)
        .map(|subject| adapters.look(subject, now))
        .buffer_unordered(AT_ONCE);
    let (looked, failures): (Vec<_>, Vec<_>) = looks
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .partition(Result::is_ok);
    let asked: usize = looked
        .iter()
        .flatten()
        .map(|looked| looked.asked.len())
        .sum();
    let incidents = adapters.incidents().await.map_err(|error| failed(&error))?;
    for Incident {
        tenant,
        region,
        kind,
        day,
        ..
    } in &incidents
    {
        let day = day.map(|day| day.to_string());
        tracing::warn!(%tenant, %region, kind = kind.as_str(), day, "the ledger lacks usage, or has other usage");
    }
    tracing::info!(
        looks = due.len(),
        asked,
        usage_incidents = incidents.len(),
        "reconciled the ledger"
    );
    let failure = failures.into_iter().find_map(Result::err).or(ends.err());
    failure.map_or(Ok(()), |error| Err(failed(&error)))
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
    /// A region was not asked where a tenant's usage ends.
    #[error("it was not asked where a tenant's usage ends")]
    Unasked(#[source] Box<dyn Error + Send + Sync>),
}

impl Adapters {
    /// Asks every region that may state usage of the accounts where the streams end. Whatever was
    /// lost there shows by the number of the answer.
    async fn ask_for_ends(
        &self,
        accounts: &[Account],
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let period = BillingPeriod::containing(now);
        let streams = accounts.iter().flat_map(|account| {
            account
                .usage_regions(period)
                .into_iter()
                .map(|region| (account.tenant, region))
        });
        let requests = iter(streams).map(|(tenant, region)| self.ask_for_end(tenant, region, now));
        requests.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn ask_for_end(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let day = now.as_second().div_euclid(DAY_S).unsigned_abs();
        let row = self.request(tenant, region, day, now, UsageStreamRequested { tenant });
        let row = row.map_err(|error| ReconcileError::Unasked(error.into()))?;
        self.outbox
            .state(&row)
            .await
            .map_err(|error| ReconcileError::Unasked(error.into()))
    }

    /// What is to be looked at now: what does not hold, and every day of the accounts that may
    /// still be billed.
    pub(crate) async fn due(
        &self,
        accounts: &[Account],
        now: Timestamp,
    ) -> Result<BTreeSet<Subject>, ReconcileError> {
        let unreconciled = self
            .store
            .load_unreconciled()
            .await
            .map_err(ReconcileError::Store)?;
        let due = unreconciled
            .into_iter()
            .filter(|unreconciled| unreconciled.due_at <= now);
        let mut subjects: BTreeSet<Subject> =
            due.map(|unreconciled| unreconciled.subject).collect();
        for Account { tenant, .. } in accounts {
            let last = BillingPeriod::containing(now);
            for period in [last.previous(), last] {
                let seals = self
                    .store
                    .load_seals(*tenant, period)
                    .await
                    .map_err(ReconcileError::Store)?;
                subjects.extend(
                    seals
                        .iter()
                        .map(|Seal { tenant, day, .. }| Subject::Day(*tenant, *day)),
                );
            }
        }
        Ok(subjects)
    }

    async fn look(&self, subject: &Subject, now: Timestamp) -> Result<Looked, ReconcileError> {
        self.store
            .look(subject, now, |resend| self.ask(resend, now))
            .await
            .map_err(ReconcileError::Store)
    }

    async fn incidents(&self) -> Result<Vec<Incident>, ReconcileError> {
        let unreconciled = self
            .store
            .load_unreconciled()
            .await
            .map_err(ReconcileError::Store)?;
        Ok(unreconciled
            .into_iter()
            .filter_map(|unreconciled| unreconciled.incident)
            .collect())
    }

    /// Publishes the request for a day.
    fn ask(&self, resend: &Resend, now: Timestamp) -> Result<Write, StoreError> {
        let Resend {
            tenant,
            region,
            day,
            number,
        } = resend;
        let request = UsageResendRequested {
            tenant: *tenant,
            day: *day,
        };
        let row = self.request(*tenant, region, *number, now, request);
        let row = row.map_err(|error| StoreError::Write {
            what: "a request for usage",
            source: error.into(),
        })?;
        Ok(self.outbox.put(&row))
    }

    /// A request, on the bus that leads to the region.
    fn request<T: BusEvent>(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        number: u64,
        now: Timestamp,
        data: T,
    ) -> Result<Row, serde_json::Error> {
        let envelope = Envelope {
            id: EventId::from_uuid(runtime::new_uuid()),
            region: region.clone(),
            stream: Stream::Usage(tenant),
            sequence: number,
            occurred_at: now,
            data,
        };
        let target = if *region == self.region {
            Target::Regional
        } else {
            Target::Home
        };
        Row::new(target, &envelope)
    }
}

fn failed(error: &ReconcileError) -> Failure {
    Failure::of("LedgerNotReconciled", error)
}
