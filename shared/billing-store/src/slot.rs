//! Turns: what is done once a day with every tenant is done in every run with some of them.

use crate::item::SHARDS;
use dynamo::Shards;
use kernel::{TenantId, Timestamp};

/// A quarter of an hour of the day. Each tenant has its slot in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSlot(u8);

const LENGTH_S: i64 = 15 * 60;
const A_DAY: u8 = 96;

const _: () = assert!(
    A_DAY as i64 * LENGTH_S == 24 * 60 * 60,
    "the slots fill a day"
);
const _: () = assert!(
    A_DAY.is_multiple_of(SHARDS.count()),
    "the tenants of a slot are listed in one partition"
);

impl TimeSlot {
    /// The slot that a moment is in.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        let slot = moment
            .as_second()
            .div_euclid(LENGTH_S)
            .rem_euclid(A_DAY.into());
        Self(u8::try_from(slot).unwrap_or_default())
    }

    /// Whether it is the tenant's.
    #[must_use]
    pub fn is_of(self, tenant: TenantId) -> bool {
        Shards::seed(tenant.as_uuid()) % A_DAY == self.0
    }

    /// The partition that its tenants are listed in.
    pub(crate) const fn shard(self) -> u8 {
        SHARDS.at(self.0)
    }
}
