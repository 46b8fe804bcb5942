//! Counts of tenants and unapplied policies per region. They are stored as sums of changes, so that
//! reading them counts nothing.

use crate::directory::Tenant;
use kernel::{RegionCode, TenantStatus};
use std::ops::{Add, Sub};

/// Counts of a region's tenants by status, and of policies that it has not applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Signed up and not confirmed yet.
    pub pending: i64,
    /// In use.
    pub active: i64,
    /// All others that are not closed.
    pub other: i64,
    /// Closed for good.
    pub closed: i64,
    /// Tenants whose region has not acknowledged their policy.
    pub unapplied: i64,
    /// Tenants whose unapplied policy has been sent too often.
    pub stuck: i64,
}

impl Counts {
    /// Every count with the name of its stored attribute.
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

    /// The counts of a single tenant.
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

/// A change of a region's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountsChange {
    /// The region.
    pub region: RegionCode,
    /// The amounts to add, which may be negative.
    pub change: Counts,
}

/// The changes of counts that follow from a change of one tenant: of its region, and of the region
/// that it left.
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
