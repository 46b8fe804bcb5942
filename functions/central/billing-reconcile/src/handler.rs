//! Unreconciled subjects are checked when they are due. Once a day, every tenant's sealed days are
//! compared, and its regions are requested to report the ends of their usage streams.

use billing::{Account, Incident, Seal, Subject};
use billing_store::{BillingStore, Reconciled, Resend, StoreError, TimeSlot};
use contract::{BusEvent, Envelope, Stream, UsageResendRequested, UsageStreamRequested};
use dynamo::Write;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use kernel::{BillingPeriod, EventId, RegionCode, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};
use runtime::{Failure, Scheduled};
use std::collections::BTreeSet;
use std::error::Error;

/// The number of a request for the end of a stream is the day since 1970: one request a day.
const DAY_S: i64 = 24 * 60 * 60;
/// The number of concurrent calls to the tables.
const AT_ONCE: usize = 16;

/// Requests the ends of streams, and reconciles all subjects that are due. A failure is reported
/// after all other subjects were reconciled, so that one broken item blocks no other tenant.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    let now = event.time;
    let accounts = adapters.store.load_accounts_of(TimeSlot::at(now)).await;
    let accounts = accounts.map_err(|error| failed(&ReconcileError::Store(error)))?;
    let ends = adapters.request_ends(&accounts, now).await;
    let due = adapters
        .due(&accounts, now)
        .await
        .map_err(|error| failed(&error))?;
    let checks = iter(&due)
        .map(|subject| adapters.reconcile(subject, now))
        .buffer_unordered(AT_ONCE);
    let (results, failures): (Vec<_>, Vec<_>) = checks
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .partition(Result::is_ok);
    let requested: usize = results
        .iter()
        .flatten()
        .map(|result| result.resends.len())
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
        tracing::warn!(%tenant, %region, kind = kind.as_str(), day, "the ledger differs from the region's usage");
    }
    tracing::info!(
        subjects = due.len(),
        requested,
        usage_incidents = incidents.len(),
        "reconciled the ledger"
    );
    let failure = failures.into_iter().find_map(Result::err).or(ends.err());
    failure.map_or(Ok(()), |error| Err(failed(&error)))
}

/// The adapters of the function.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The outbox of the region.
    pub(crate) outbox: Outbox,
    /// The region that bills.
    pub(crate) region: RegionCode,
}

/// The reasons why the ledger was not compared in full.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The table failed.
    #[error("the ledger was not compared")]
    Store(#[source] StoreError),
    /// The end of a usage stream was not requested.
    #[error("the end of a usage stream was not requested")]
    NotRequested(#[source] Box<dyn Error + Send + Sync>),
}

impl Adapters {
    /// Requests the end of the stream from every region that may publish usage of the accounts. The
    /// number of the answer reveals any lost event before it.
    async fn request_ends(
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
        let requests = iter(streams).map(|(tenant, region)| self.request_end(tenant, region, now));
        requests.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn request_end(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let day = now.as_second().div_euclid(DAY_S).unsigned_abs();
        let row = self.request(tenant, region, day, now, UsageStreamRequested { tenant });
        let row = row.map_err(|error| ReconcileError::NotRequested(error.into()))?;
        self.outbox
            .publish(&row)
            .await
            .map_err(|error| ReconcileError::NotRequested(error.into()))
    }

    /// The subjects to reconcile now: the unreconciled ones that are due, and every sealed day of
    /// the accounts in this billing period and the one before.
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

    async fn reconcile(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Reconciled, ReconcileError> {
        self.store
            .reconcile(subject, now, |resend| self.resend_write(resend, now))
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

    /// The outbox row of a request for a day.
    fn resend_write(&self, resend: &Resend, now: Timestamp) -> Result<Write, StoreError> {
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

    /// A request on the bus that leads to the region: its own bus if this region bills itself,
    /// otherwise home's.
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
