//! Time slots: each run of a schedule handles the tenants of one slot, so that every tenant is
//! handled once a day.

use crate::item::SHARDS;
use dynamo::Shards;
use kernel::{TenantId, Timestamp};

/// A quarter of an hour of the day. Each tenant has one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSlot(u8);

/// The interval of the schedule of `billing-reconcile`.
const LENGTH_S: i64 = 15 * 60;
/// The number of slots in a day, one for each run of the schedule.
const SLOTS_OF_DAY: u8 = 96;

const _: () = assert!(
    SLOTS_OF_DAY as i64 * LENGTH_S == 24 * 60 * 60,
    "the slots fill a day"
);
const _: () = assert!(
    SLOTS_OF_DAY.is_multiple_of(SHARDS.count()),
    "the tenants of a slot are listed in one partition"
);

impl TimeSlot {
    /// The slot of a moment.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        let slot = moment
            .as_second()
            .div_euclid(LENGTH_S)
            .rem_euclid(SLOTS_OF_DAY.into());
        Self(u8::try_from(slot).unwrap_or_default())
    }

    /// Whether the slot is the tenant's.
    #[must_use]
    pub fn is_of(self, tenant: TenantId) -> bool {
        Shards::seed(tenant.as_uuid()) % SLOTS_OF_DAY == self.0
    }

    /// The partition that lists the slot's tenants.
    pub(crate) const fn shard(self) -> u8 {
        SHARDS.at(self.0)
    }
}
