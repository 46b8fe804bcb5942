//! How many tenants and unapplied policies a region has, kept as changes so that nobody has to
//! count.

use crate::Tenant;
use kernel::{RegionCode, TenantStatus};
use std::ops::{Add, Sub};

/// Tenants of a region by status, and policies that it has not applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Signed up and not yet confirmed.
    pub pending: i64,
    /// In use.
    pub active: i64,
    /// Everything else that is not closed.
    pub other: i64,
    /// Closed for good.
    pub closed: i64,
    /// Tenants whose region has not acknowledged their policy.
    pub unapplied: i64,
    /// Those of them that were sent again too often.
    pub stuck: i64,
}

impl Counts {
    /// Every count with the name that it is stored under.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, i64); 6] {
        [
            ("pending", self.pending),
            ("active", self.active),
            ("other", self.other),
            ("closed", self.closed),
            ("unapplied", self.unapplied),
            ("stuck", self.stuck),
        ]
    }

    /// What one tenant counts for.
    #[must_use]
    pub fn of(tenant: &Tenant) -> Self {
        let status = tenant.entry.status;
        Self {
            pending: i64::from(status == TenantStatus::Pending),
            active: i64::from(status == TenantStatus::Active),
            closed: i64::from(status == TenantStatus::Closed),
            other: i64::from(!matches!(
                status,
                TenantStatus::Pending | TenantStatus::Active | TenantStatus::Closed
            )),
            unapplied: i64::from(tenant.policy.is_waiting()),
            stuck: i64::from(tenant.policy.is_stuck()),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pending: self.pending + other.pending,
            active: self.active + other.active,
            other: self.other + other.other,
            closed: self.closed + other.closed,
            unapplied: self.unapplied + other.unapplied,
            stuck: self.stuck + other.stuck,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            pending: self.pending - other.pending,
            active: self.active - other.active,
            other: self.other - other.other,
            closed: self.closed - other.closed,
            unapplied: self.unapplied - other.unapplied,
            stuck: self.stuck - other.stuck,
        }
    }
}

/// What has to be added to a region's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountsChange {
    /// The region.
    pub region: RegionCode,
    /// What to add; negative where something is taken away.
    pub change: Counts,
}

/// What a change of one tenant adds to the counts of its region, and of the one that it left.
#[must_use]
pub fn count_change(before: Option<&Tenant>, after: &Tenant) -> Vec<CountsChange> {
    let region = after.entry.region.clone();
    let changes = match before {
        None => vec![CountsChange {
            region,
            change: Counts::of(after),
        }],
        Some(before) if before.entry.region == region => {
            vec![CountsChange {
                region,
                change: Counts::of(after) - Counts::of(before),
            }]
        }
        Some(before) => vec![
            CountsChange {
                region: before.entry.region.clone(),
                change: Counts::default() - Counts::of(before),
            },
            CountsChange {
                region,
                change: Counts::of(after),
            },
        ],
    };
    changes
        .into_iter()
        .filter(|change| change.change != Counts::default())
        .collect()
}
