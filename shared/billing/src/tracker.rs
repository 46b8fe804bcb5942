//! The reports of a tenant's usage from a region: gaps, and requests to close those that last.

use crate::received::{Received, TooManyGaps};
use crate::retry::{Incident, IncidentKind, RetryState};
use crate::seal::Seal;
use contract::{Envelope, UsageStreamEndReported};
use kernel::{BillingAnchor, RegionCode, TenantId, Timestamp, WindowSize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The number of days that a report may cover: events are accepted for 35 days after their time,
/// and a tenant's days begin at any time of the day.
pub const REPORTED_DAYS_MAX: usize = 37;

/// The received reports of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceTracker {
    /// The received sequence numbers.
    #[serde(flatten)]
    pub received: Received,
    /// The state of the retries, if reports are missing.
    #[serde(default)]
    pub retry: Option<RetryState>,
    /// The end of the last sealed day, by the region's last answer.
    #[serde(default)]
    pub sealed_until: Option<Timestamp>,
}

/// The ledger's days of a tenant from the region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownDays {
    /// The starts of the days with totals.
    pub totalled: BTreeSet<Timestamp>,
    /// The seals.
    pub seals: Vec<Seal>,
}

/// The decision on a stream's gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileDecision {
    /// The new state of the tracker.
    pub tracker: SequenceTracker,
    /// The starts of the days to request again.
    pub resend_days: Vec<Timestamp>,
}

impl SequenceTracker {
    /// Adds a report. Returns nothing when the report was received before.
    ///
    /// # Errors
    /// [`TooManyGaps`] when the report would open one gap too many.
    pub fn mark(&self, number: u64, now: Timestamp) -> Result<Option<Self>, TooManyGaps> {
        Ok(self
            .received
            .mark(number)?
            .map(|received| self.with(received, now)))
    }

    /// Adds a report of the stream's end. Returns nothing when it was received before.
    ///
    /// # Errors
    /// [`TooManyGaps`] when the report would open one gap too many.
    pub fn mark_end(
        &self,
        end: &Envelope<UsageStreamEndReported>,
        now: Timestamp,
    ) -> Result<Option<Self>, TooManyGaps> {
        let sealed_until = self.sealed_until.max(end.data.sealed_until);
        Ok(self.mark(end.sequence, now)?.map(|marked| Self {
            sealed_until,
            ..marked
        }))
    }

    /// The incident of the missing reports, if there is one.
    #[must_use]
    pub fn incident(&self, tenant: TenantId, region: &RegionCode) -> Option<Incident> {
        let retry = self.retry?;
        Some(Incident {
            tenant,
            region: region.clone(),
            kind: IncidentKind::ReportsMissing,
            day: None,
            missing_reports: Some(self.received.missing()),
            since: retry.incident_since?,
            requests: retry.requests,
        })
    }

    fn with(&self, received: Received, now: Timestamp) -> Self {
        let is_whole = received.missing() == 0;
        let retry = (!is_whole).then(|| self.retry.unwrap_or_else(|| RetryState::new(now)));
        Self {
            received,
            retry,
            sealed_until: self.sealed_until,
        }
    }
}

/// Decides on the gaps among a tenant's reports. Returns nothing when nothing changes.
///
/// A lost report never arrives, but its totals can arrive otherwise. A gap is closed once every day
/// that the lost report may have covered was sealed, or published again, under a number after the
/// gap, and the ledger agrees with the seal. Until then the days are requested again.
#[must_use]
pub fn reconcile_tracker(
    current: &SequenceTracker,
    days: &KnownDays,
    now: Timestamp,
) -> Option<ReconcileDecision> {
    let last_missing = current.received.gaps().last().map(|gap| gap.last);
    let decide = |tracker: SequenceTracker, resend_days| {
        (tracker != *current).then_some(ReconcileDecision {
            tracker,
            resend_days,
        })
    };
    let (Some(last_missing), Some(retry)) = (last_missing, current.retry) else {
        return decide(current.with(current.received.clone(), now), Vec::new());
    };
    if !retry.is_due(now) {
        return None;
    }
    let published = |seal: &&Seal| seal.sequence > last_missing && seal.retry.is_none();
    let published: BTreeSet<Timestamp> = days
        .seals
        .iter()
        .filter(published)
        .map(|seal| seal.day)
        .collect();
    let known: BTreeSet<Timestamp> = days
        .totalled
        .iter()
        .copied()
        .chain(days.seals.iter().map(|seal| seal.day))
        .collect();
    let mut covered = known.iter().filter(|day| **day <= retry.since).peekable();
    // The ledger does not know of a day without any report, so every possible day is requested once
    // before the gap can close.
    if retry.requests > 0 && covered.peek().is_some() && covered.all(|day| published.contains(day))
    {
        return decide(
            current.with(current.received.without_gaps(), now),
            Vec::new(),
        );
    }
    let a_day = known.last().copied().or(current.sealed_until);
    let resend_days = reported_days(a_day, retry.since)
        .into_iter()
        .filter(|day| !published.contains(day))
        .collect();
    decide(
        SequenceTracker {
            retry: Some(retry.after_request(now)),
            ..current.clone()
        },
        resend_days,
    )
}

/// The days that a report up to a moment may have covered, or none when no start of a day is known.
fn reported_days(a_day: Option<Timestamp>, until: Timestamp) -> Vec<Timestamp> {
    // A tenant has one billing anchor, and any day shows it.
    let Some(anchor) = a_day.map(BillingAnchor::of_day) else {
        return Vec::new();
    };
    let before = |day: &Timestamp| {
        let earlier = day.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
        Some(WindowSize::Day.start(earlier, anchor))
    };
    std::iter::successors(Some(WindowSize::Day.start(until, anchor)), before)
        .take(REPORTED_DAYS_MAX)
        .collect()
}
