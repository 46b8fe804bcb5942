//! The reports of a tenant's usage from a region: gaps, and what is done about those that last.

use crate::retry::{Incident, IncidentKind, RetryState};
use crate::{Received, Seal, TooManyGaps};
use contract::{Envelope, UsageStreamEndReported};
use kernel::{BillingAnchor, RegionCode, TenantId, Timestamp, WindowSize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many days back a report may speak of: events are taken for 35 days, and days begin at any
/// time.
pub const REPORTED_DAYS_MAX: usize = 37;

/// Which reports have arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceTracker {
    /// Their numbers.
    #[serde(flatten)]
    pub received: Received,
    /// How far it is with those that are missing, if any are.
    #[serde(default)]
    pub retry: Option<RetryState>,
    /// Until when days are sealed, as the region last said when it was asked.
    #[serde(default)]
    pub sealed_until: Option<Timestamp>,
}

/// What the ledger knows of a tenant's days from the region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownDays {
    /// The first moments of days that it has totals of.
    pub totalled: BTreeSet<Timestamp>,
    /// The seals of days.
    pub seals: Vec<Seal>,
}

/// What follows from a look at gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileDecision {
    /// The reports from now on.
    pub tracker: SequenceTracker,
    /// The days that are asked for again, by their first moments.
    pub asked: Vec<Timestamp>,
}

impl SequenceTracker {
    /// The state with one more report, or nothing when it had arrived before.
    ///
    /// # Errors
    /// When it would open one gap too many.
    pub fn mark(&self, number: u64, now: Timestamp) -> Result<Option<Self>, TooManyGaps> {
        Ok(self
            .received
            .mark(number)?
            .map(|received| self.with(received, now)))
    }

    /// The state with the totals_event of where the reports end, or nothing when it had arrived
    /// before.
    ///
    /// # Errors
    /// When it would open one gap too many.
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

    /// The incident that there is of it.
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

/// Looks at the gaps among a tenant's reports; nothing when it changes nothing.
///
/// A report that is lost never comes. What it said is in the ledger all the same once every day
/// that it may have spoken of was sealed, or its totals and its seal were published again, under a
/// number behind the gap, and holds: then the gap is closed. Till then the days are asked for.
#[must_use]
pub fn reconcile_tracker(
    current: &SequenceTracker,
    days: &KnownDays,
    now: Timestamp,
) -> Option<ReconcileDecision> {
    let last_missing = current.received.gaps().last().map(|gap| gap.last);
    let look = |tracker: SequenceTracker, asked| {
        (tracker != *current).then_some(ReconcileDecision { tracker, asked })
    };
    let (Some(last_missing), Some(retry)) = (last_missing, current.retry) else {
        return look(current.with(current.received.clone(), now), Vec::new());
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
    let mut spoken_of = known.iter().filter(|day| **day <= retry.since).peekable();
    // A day of which nothing at all has arrived is known to the region only: every day is asked for
    // once.
    if retry.requests > 0
        && spoken_of.peek().is_some()
        && spoken_of.all(|day| published.contains(day))
    {
        return look(
            current.with(current.received.without_gaps(), now),
            Vec::new(),
        );
    }
    let a_day = known.last().copied().or(current.sealed_until);
    let asked = reported_days(a_day, retry.since)
        .into_iter()
        .filter(|day| !published.contains(day))
        .collect();
    look(
        SequenceTracker {
            retry: Some(retry.asked(now)),
            ..current.clone()
        },
        asked,
    )
}

/// The days that a report up to a moment may have spoken of, if it is known when one of them
/// begins.
fn reported_days(a_day: Option<Timestamp>, until: Timestamp) -> Vec<Timestamp> {
    // A tenant has one anchor. Where it changed lately, the newest is followed.
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
