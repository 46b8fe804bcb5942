//! The reports of a tenant's usage from a region: gaps, and what is done about those that last.

use crate::watch::{Incident, IncidentKind, Watch};
use crate::{Received, Seal, TooManyGaps};
use contract::{Envelope, UsageStreamStated};
use kernel::{BillingAnchor, RegionCode, TenantId, Timestamp, WindowSize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many days back a report may speak of: events are taken for 35 days, and days begin at any
/// time.
pub const REPORTED_DAYS_MAX: usize = 37;

/// Which reports have arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reception {
    /// Their numbers.
    #[serde(flatten)]
    pub received: Received,
    /// How far it is with those that are missing, if any are.
    #[serde(default)]
    pub watch: Option<Watch>,
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
pub struct ReceptionLook {
    /// The reports from now on.
    pub reception: Reception,
    /// The days that are asked for again, by their first moments.
    pub asked: Vec<Timestamp>,
}

impl Reception {
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

    /// The state with the statement of where the reports end, or nothing when it had arrived
    /// before.
    ///
    /// # Errors
    /// When it would open one gap too many.
    pub fn mark_end(
        &self,
        end: &Envelope<UsageStreamStated>,
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
        let watch = self.watch?;
        Some(Incident {
            tenant,
            region: region.clone(),
            kind: IncidentKind::ReportsMissing,
            day: None,
            missing_reports: Some(self.received.missing()),
            since: watch.incident_since?,
            requests: watch.requests,
        })
    }

    fn with(&self, received: Received, now: Timestamp) -> Self {
        let is_whole = received.missing() == 0;
        let watch = (!is_whole).then(|| self.watch.unwrap_or_else(|| Watch::new(now)));
        Self {
            received,
            watch,
            sealed_until: self.sealed_until,
        }
    }
}

/// Looks at the gaps among a tenant's reports; nothing when it changes nothing.
///
/// A report that is lost never comes. What it said is in the ledger all the same once every day
/// that it may have spoken of was sealed, or its totals and its seal were stated again, under a
/// number behind the gap, and holds: then the gap is closed. Till then the days are asked for.
#[must_use]
pub fn look_at_reception(
    current: &Reception,
    days: &KnownDays,
    now: Timestamp,
) -> Option<ReceptionLook> {
    let last_missing = current.received.gaps().last().map(|gap| gap.last);
    let look = |reception: Reception, asked| {
        (reception != *current).then_some(ReceptionLook { reception, asked })
    };
    let (Some(last_missing), Some(watch)) = (last_missing, current.watch) else {
        return look(current.with(current.received.clone(), now), Vec::new());
    };
    if !watch.is_due(now) {
        return None;
    }
    let stated = |seal: &&Seal| seal.sequence > last_missing && seal.watch.is_none();
    let stated: BTreeSet<Timestamp> = days
        .seals
        .iter()
        .filter(stated)
        .map(|seal| seal.day)
        .collect();
    let known: BTreeSet<Timestamp> = days
        .totalled
        .iter()
        .copied()
        .chain(days.seals.iter().map(|seal| seal.day))
        .collect();
    let mut spoken_of = known.iter().filter(|day| **day <= watch.since).peekable();
    // A day of which nothing at all has arrived is known to the region only: every day is asked for
    // once.
    if watch.requests > 0 && spoken_of.peek().is_some() && spoken_of.all(|day| stated.contains(day))
    {
        return look(
            current.with(current.received.without_gaps(), now),
            Vec::new(),
        );
    }
    let a_day = known.last().copied().or(current.sealed_until);
    let asked = reported_days(a_day, watch.since)
        .into_iter()
        .filter(|day| !stated.contains(day))
        .collect();
    look(
        Reception {
            watch: Some(watch.asked(now)),
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
