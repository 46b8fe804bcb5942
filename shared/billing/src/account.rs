//! The account of a tenant: when it was in use, and on which plan.

use crate::invoice::LOOK_BACK_PERIODS;
use contract::TenantStatusChanged;
use kernel::{BillingPeriod, PlanCode, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The account of a tenant: the changes of status that decide what the tenant is billed for.
///
/// Changes may arrive in any order and any number of times, and lead to the same account. When
/// there are more than [`Account::CHANGES_MAX`], changes that decide nothing are dropped before the
/// oldest, however new they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The tenant.
    pub tenant: TenantId,
    /// The changes in the order of their revisions, at most [`Account::CHANGES_MAX`].
    pub changes: Vec<Change>,
}

/// One change of a tenant's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The revision of the tenant that the change led to.
    pub revision: u64,
    /// The time of the change.
    pub at: Timestamp,
    /// The tenant's region after the change.
    pub region: RegionCode,
    /// The tenant's status after the change.
    pub status: TenantStatus,
    /// The tenant's plan after the change.
    pub plan: PlanCode,
}

/// The billability of a tenant in a period, with the plan that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billability<'a> {
    /// The tenant was in use. It is billed the fee, its usage, and late usage of earlier periods.
    InUse(&'a PlanCode),
    /// The tenant was not in use in the period, but in one of the [`LOOK_BACK_PERIODS`] before. It
    /// is billed only late usage of those. The plan is its last one.
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
    /// The most changes that are stored. At most three changes of a period decide what it is billed
    /// for, so 48 changes reach back at least sixteen periods, however often the status changes.
    pub const CHANGES_MAX: usize = 48;

    /// Makes an account without changes.
    #[must_use]
    pub const fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            changes: Vec::new(),
        }
    }

    /// Adds a change. Returns nothing when the change is known, decides nothing, or is too old to
    /// matter.
    #[must_use]
    pub fn with_change(
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

    /// The billability in a period, or nothing when the tenant was in use neither in it nor in one
    /// of the [`LOOK_BACK_PERIODS`] before.
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

    /// The regions that may still publish usage of the tenant that a period is billed for: all that
    /// the tenant was in, as long as it can be billed.
    #[must_use]
    pub fn usage_regions(&self, period: BillingPeriod) -> BTreeSet<&RegionCode> {
        let changes = self.billability(period).map(|_| &self.changes);
        changes
            .into_iter()
            .flatten()
            .map(|change| &change.region)
            .collect()
    }

    /// The plan that a period is billed by: the one at the end of the period. Nothing when the
    /// tenant was not in use at any moment of the period.
    ///
    /// Changes after the end of the period are ignored, so that a repeated run has the same result.
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

/// The index of the oldest change that [`Account::plan_for`] depends on in no period, or of the
/// oldest change when it depends on all.
///
/// For a period, it depends on the last change at the period's first moment, on the last change
/// after that, and on the last change that leaves the tenant in use.
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

/// Whether a tenant of this status pays: from activation to closing, even while suspended.
const fn is_in_use(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed => false,
    }
}
