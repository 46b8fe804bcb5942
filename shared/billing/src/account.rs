//! A tenant as billing knows it: when it was in use, and on which plan.

use crate::LOOK_BACK_PERIODS;
use contract::TenantStatusChanged;
use kernel::{BillingPeriod, PlanCode, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What billing knows of a tenant: the changes of status that decide what it is billed for.
///
/// Changes are learned in any order and any number of times; the account says the same. Where there
/// are more than are kept, those are dropped that decide nothing, however new they are, before the
/// oldest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The tenant.
    pub tenant: TenantId,
    /// The changes by rising revision, at most [`Account::CHANGES_MAX`].
    pub changes: Vec<Change>,
}

/// One change of a tenant's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The tenant's version that it made.
    pub revision: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The tenant's region from then on.
    pub region: RegionCode,
    /// Its status from then on.
    pub status: TenantStatus,
    /// Its plan from then on.
    pub plan: PlanCode,
}

/// What a tenant can be billed for in a period, and by which plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billability<'a> {
    /// It was in use: the fee, usage, and what arrived late for earlier periods.
    InUse(&'a PlanCode),
    /// It was in use in one of the [`LOOK_BACK_PERIODS`] before, and not any more: only what
    /// arrived late for them. The plan is the last that it had.
    Left(&'a PlanCode),
}

impl<'a> Billability<'a> {
    /// The plan.
    #[must_use]
    pub const fn plan(self) -> &'a PlanCode {
        match self {
            Self::InUse(plan) | Self::Left(plan) => plan,
        }
    }
}

impl Account {
    /// How many changes are kept. Three of a period decide what it is billed for, so they reach
    /// back sixteen periods or more, however often the tenant changes.
    pub const CHANGES_MAX: usize = 48;

    /// An account of which nothing is known yet.
    #[must_use]
    pub const fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            changes: Vec::new(),
        }
    }

    /// The account with one more change, or nothing when that change is known, tells nothing that
    /// others do not, or is too old to matter.
    #[must_use]
    pub fn learn(
        &self,
        event: &TenantStatusChanged,
        region: &RegionCode,
        at: Timestamp,
    ) -> Option<Self> {
        let place = self
            .changes
            .partition_point(|change| change.revision < event.revision);
        if self
            .changes
            .get(place)
            .is_some_and(|change| change.revision == event.revision)
        {
            return None;
        }
        let mut changes = self.changes.clone();
        let change = Change {
            revision: event.revision,
            at,
            region: region.clone(),
            status: event.status,
            plan: event.plan.clone(),
        };
        changes.insert(place, change);
        if changes.len() > Self::CHANGES_MAX {
            changes.remove(least_deciding(&changes));
        }
        (changes != self.changes).then_some(Self {
            tenant: self.tenant,
            changes,
        })
    }

    /// The tenant's newest status.
    #[must_use]
    pub fn status(&self) -> Option<TenantStatus> {
        self.changes.last().map(|change| change.status)
    }

    /// What the tenant can be billed for in a period; nothing when it was not in use in it, nor
    /// shortly before.
    #[must_use]
    pub fn billability(&self, period: BillingPeriod) -> Option<Billability<'_>> {
        if let Some(plan) = self.plan_for(period) {
            return Some(Billability::InUse(plan));
        }
        let before =
            std::iter::successors(Some(period.previous()), |period| Some(period.previous()));
        before
            .take(LOOK_BACK_PERIODS)
            .find_map(|before| self.plan_for(before))
            .map(Billability::Left)
    }

    /// The regions that may state usage of the tenant which a period is billed for: those that it
    /// was in, as long as it can be billed for anything.
    #[must_use]
    pub fn usage_regions(&self, period: BillingPeriod) -> BTreeSet<&RegionCode> {
        let changes = self.billability(period).map(|_| &self.changes);
        changes
            .into_iter()
            .flatten()
            .map(|change| &change.region)
            .collect()
    }

    /// The plan that the tenant is billed by for a period: the one it ended the period with.
    /// Nothing when the tenant was not in use at any moment of the period.
    ///
    /// What happened after the period's end does not matter, so that a run means the same whenever
    /// it is repeated.
    #[must_use]
    pub fn plan_for(&self, period: BillingPeriod) -> Option<&PlanCode> {
        let by_end = || {
            self.changes
                .iter()
                .filter(|change| change.at < period.end())
        };
        let at_start = by_end().rfind(|change| change.at <= period.start());
        let during = by_end().filter(|change| change.at > period.start());
        let in_use = at_start
            .into_iter()
            .chain(during)
            .any(|change| is_in_use(change.status));
        by_end()
            .next_back()
            .filter(|_| in_use)
            .map(|change| &change.plan)
    }
}

/// The place of the oldest change that [`Account::plan_for`] does not depend on, whatever the
/// period; of the oldest of all when it depends on each.
///
/// It depends on the last change at a period's first moment, and of those later in the period on
/// the last, and on the last that leaves the tenant in use.
fn least_deciding(changes: &[Change]) -> usize {
    let mut seen = BTreeSet::new();
    let mut place = 0;
    for (index, change) in changes.iter().enumerate().rev() {
        let period = BillingPeriod::containing(change.at);
        let at_start = change.at == period.start();
        let is_last = seen.insert((period, at_start, false));
        let is_last_in_use =
            !at_start && is_in_use(change.status) && seen.insert((period, false, true));
        if !is_last && !is_last_in_use {
            place = index;
        }
    }
    place
}

/// Whether a tenant of this status pays: from activation to closing, suspended or not.
const fn is_in_use(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed => false,
    }
}
