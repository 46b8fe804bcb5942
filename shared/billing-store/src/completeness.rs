//! Completeness of the ledger: seals, received reports, and the list of unreconciled subjects.

use crate::BillingStore;
use crate::error::StoreError;
use crate::item::{
    SEAL_PREFIX, SHARDS, from_item, generation, received_key, retry_key, retry_partition, seal_key,
    to_item,
};
use billing::{
    Incident, KnownDays, REPORTED_DAYS_MAX, RetryState, Seal, SequenceTracker, Subject,
    TooManyGaps, decide_sealed, reconcile_seal, reconcile_tracker,
};
use contract::{Envelope, UsageSealed, UsageStreamEndReported};
use dynamo::{Attempts, CROWD, Error, Item, Write};
use jiff::SignedDuration;
use kernel::{BillingPeriod, Generation, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// An entry in the list of unreconciled subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreconciled {
    /// The subject.
    pub subject: Subject,
    /// The time of the next check.
    pub due_at: Timestamp,
    /// The incident of the subject, if there is one.
    pub incident: Option<Incident>,
}

/// A request to a region to publish a tenant's day again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    /// The tenant.
    pub tenant: TenantId,
    /// The addressed region.
    pub region: RegionCode,
    /// The start of the day, in UTC.
    pub day: Timestamp,
    /// The request's number.
    pub number: u64,
}

/// The result of reconciling a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The requests that were made.
    pub resends: Vec<Resend>,
    /// The incident of the subject, if there is one now.
    pub incident: Option<Incident>,
}

/// A stored value with the version that guards it.
struct Held<T> {
    value: Option<T>,
    generation: Generation,
}

/// What is known of a subject from now on, over the generation that was read.
struct Change {
    item: Item,
    generation: Generation,
    /// The subject's place among what is unreconciled, if that changes.
    listing: Option<Write>,
}

impl BillingStore {
    /// Records that a usage report of a tenant was received. Call it after the report's content is
    /// stored, so that every received report is in the ledger.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written, or the report would open too many gaps.
    pub async fn record_received(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        report: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change_tracker(tenant, region, |before| before.mark(report, now))
            .await
    }

    /// Records a report of the end of a tenant's usage stream.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written, or the report would open too many gaps.
    pub async fn record_end(
        &self,
        end: &Envelope<UsageStreamEndReported>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change_tracker(end.data.tenant, &end.region, |before| {
            before.mark_end(end, now)
        })
        .await
    }

    async fn change_tracker(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        decide: impl Fn(&SequenceTracker) -> Result<Option<SequenceTracker>, TooManyGaps>,
    ) -> Result<(), StoreError> {
        let mut attempts = Attempts::of(CROWD);
        loop {
            let held = self.load_tracker(tenant, region).await?;
            let before = held.value.unwrap_or_default();
            let Some(after) = decide(&before).map_err(StoreError::Gaps)? else {
                return Ok(());
            };
            let change = self.tracker_change(tenant, region, &before, &after, held.generation)?;
            match self.save(change, Vec::new()).await {
                Ok(()) => return Ok(()),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(StoreError::write("received reports"))?,
            }
        }
    }

    /// Records a seal. Seals and totals may arrive in any order.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written.
    pub async fn record_sealed(
        &self,
        published: &Envelope<UsageSealed>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let UsageSealed { tenant, day, .. } = published.data;
        let mut attempts = Attempts::of(CROWD);
        loop {
            let held = self.load_seal(tenant, day).await?;
            let totals = self.load_day(tenant, day).await?;
            let Some(seal) = decide_sealed(held.value.as_ref(), published, &totals, now) else {
                return Ok(());
            };
            match self
                .save(
                    self.seal_change(held.value.as_ref(), &seal, held.generation)?,
                    Vec::new(),
                )
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(StoreError::write("a seal"))?,
            }
        }
    }

    /// Loads all unreconciled subjects.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_unreconciled(&self) -> Result<Vec<Unreconciled>, StoreError> {
        let what = "unreconciled subjects";
        let mut unreconciled = Vec::new();
        for shard in SHARDS.all() {
            let take = |item| from_item(what, item).map(|found| unreconciled.push(found));
            self.each_item(what, retry_partition(shard), "", take)
                .await?;
        }
        Ok(unreconciled)
    }

    /// Loads the seals of a tenant's period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_seals(
        &self,
        tenant: TenantId,
        period: BillingPeriod,
    ) -> Result<Vec<Seal>, StoreError> {
        self.load_ledger("seals", tenant, period, SEAL_PREFIX).await
    }

    /// Reconciles a subject: compares it with the ledger, and requests days again when a retry is
    /// due. `request` makes the outbox row of a request, which is written in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be written.
    pub async fn reconcile(
        &self,
        subject: &Subject,
        now: Timestamp,
        request: impl Fn(&Resend) -> Result<Write, StoreError>,
    ) -> Result<Reconciled, StoreError> {
        let mut attempts = Attempts::of(CROWD);
        loop {
            let (change, result) = match subject {
                Subject::Day(tenant, day) => self.reconcile_day(*tenant, *day, now).await?,
                Subject::Reports(tenant, region) => {
                    self.reconcile_reports(*tenant, region, now).await?
                }
            };
            let Some(change) = change else {
                return Ok(result);
            };
            let requests = result
                .resends
                .iter()
                .map(&request)
                .collect::<Result<_, _>>()?;
            match self.save(change, requests).await {
                Ok(()) => return Ok(result),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(StoreError::write("the reconciliation of the ledger"))?,
            }
        }
    }

    async fn reconcile_day(
        &self,
        tenant: TenantId,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<(Option<Change>, Reconciled), StoreError> {
        let Held {
            value: Some(before),
            generation,
        } = self.load_seal(tenant, day).await?
        else {
            return Ok(Default::default());
        };
        let totals = self.load_day(tenant, day).await?;
        let Some(decision) = reconcile_seal(&before, &totals, now) else {
            return Ok((
                None,
                Reconciled {
                    resends: Vec::new(),
                    incident: before.incident(),
                },
            ));
        };
        let resend = |retry: RetryState| Resend {
            tenant,
            region: before.region.clone(),
            day,
            number: retry.requests.into(),
        };
        let resends = decision
            .seal
            .retry
            .filter(|_| decision.is_requested)
            .map(resend)
            .into_iter()
            .collect();
        let change = self.seal_change(Some(&before), &decision.seal, generation)?;
        Ok((
            Some(change),
            Reconciled {
                resends,
                incident: decision.seal.incident(),
            },
        ))
    }

    async fn reconcile_reports(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        now: Timestamp,
    ) -> Result<(Option<Change>, Reconciled), StoreError> {
        let Held {
            value: Some(before),
            generation,
        } = self.load_tracker(tenant, region).await?
        else {
            return Ok(Default::default());
        };
        let days = self.load_days(tenant, now).await?;
        let Some(decision) = reconcile_tracker(&before, &days, now) else {
            return Ok((
                None,
                Reconciled {
                    resends: Vec::new(),
                    incident: before.incident(tenant, region),
                },
            ));
        };
        let number = decision
            .tracker
            .retry
            .map_or(0, |retry| retry.requests.into());
        let resends = decision
            .resend_days
            .iter()
            .map(|day| Resend {
                tenant,
                region: region.clone(),
                day: *day,
                number,
            })
            .collect();
        let change = self.tracker_change(tenant, region, &before, &decision.tracker, generation)?;
        Ok((
            Some(change),
            Reconciled {
                resends,
                incident: decision.tracker.incident(tenant, region),
            },
        ))
    }

    /// The days that a recent report may cover.
    async fn load_days(&self, tenant: TenantId, now: Timestamp) -> Result<KnownDays, StoreError> {
        let reported_days = i64::try_from(REPORTED_DAYS_MAX).unwrap_or(i64::MAX);
        let from = now
            .saturating_sub(SignedDuration::from_hours(24 * reported_days))
            .unwrap_or(now);
        let (mut period, last) = (BillingPeriod::containing(from), BillingPeriod::of_day(now));
        let mut days = KnownDays::default();
        while period <= last {
            let windows = self.load_windows(tenant, period).await?;
            days.totalled.extend(
                windows
                    .iter()
                    .filter(|window| window.size == kernel::WindowSize::Day)
                    .map(|w| w.start),
            );
            days.seals.extend(self.load_seals(tenant, period).await?);
            period = period.next();
        }
        days.totalled.retain(|day| *day >= from);
        days.seals.retain(|seal| seal.day >= from);
        Ok(days)
    }

    async fn load_tracker(
        &self,
        tenant: TenantId,
        region: &RegionCode,
    ) -> Result<Held<SequenceTracker>, StoreError> {
        let what = "received reports";
        let found = self.get(what, received_key(tenant, region)).await?;
        let generation = generation(what, found.as_ref())?;
        Ok(Held {
            value: found.map(|item| from_item(what, item)).transpose()?,
            generation,
        })
    }

    async fn load_seal(&self, tenant: TenantId, day: Timestamp) -> Result<Held<Seal>, StoreError> {
        let what = "a seal";
        let found = self.get(what, seal_key(tenant, day)).await?;
        let generation = generation(what, found.as_ref())?;
        Ok(Held {
            value: found.map(|item| from_item(what, item)).transpose()?,
            generation,
        })
    }

    fn tracker_change(
        &self,
        tenant: TenantId,
        region: &RegionCode,
        before: &SequenceTracker,
        after: &SequenceTracker,
        generation: Generation,
    ) -> Result<Change, StoreError> {
        let what = "received reports";
        let item = to_item(what, received_key(tenant, region), after)?;
        let subject = Subject::Reports(tenant, region.clone());
        let listing = self.listing_write(
            subject,
            before.retry,
            after.retry,
            after.incident(tenant, region),
        )?;
        Ok(Change {
            item,
            generation,
            listing,
        })
    }

    fn seal_change(
        &self,
        before: Option<&Seal>,
        after: &Seal,
        generation: Generation,
    ) -> Result<Change, StoreError> {
        let what = "a seal";
        let item = to_item(what, seal_key(after.tenant, after.day), after)?;
        let subject = Subject::Day(after.tenant, after.day);
        let listing = self.listing_write(
            subject,
            before.and_then(|seal| seal.retry),
            after.retry,
            after.incident(),
        )?;
        Ok(Change {
            item,
            generation,
            listing,
        })
    }

    /// Writes or removes the subject's entry in the list of unreconciled subjects, or does nothing
    /// when it had none and gets none.
    fn listing_write(
        &self,
        subject: Subject,
        before: Option<RetryState>,
        after: Option<RetryState>,
        incident: Option<Incident>,
    ) -> Result<Option<Write>, StoreError> {
        let what = "unreconciled subjects";
        let key = retry_key(&subject);
        Ok(match (before, after) {
            (_, Some(retry)) => {
                let unreconciled = Unreconciled {
                    subject,
                    due_at: retry.due_at,
                    incident,
                };
                Some(self.table.put(to_item(what, key, &unreconciled)?))
            }
            (Some(_), None) => Some(self.table.delete(key)),
            (None, None) => None,
        })
    }

    /// Writes a change, the subject's entry in the list, and the requests that follow.
    async fn save(&self, change: Change, requests: Vec<Write>) -> Result<(), Error> {
        let Change {
            item,
            generation,
            listing,
        } = change;
        let first = self.guarded_put(item, generation);
        let beside: Vec<Write> = listing.into_iter().chain(requests).collect();
        // What is not unreconciled, as nearly every seal and report, costs half of what a transaction
        // does.
        if beside.is_empty() {
            return self.table.send(first).await;
        }
        self.table.transact([vec![first], beside].concat()).await
    }
}
