use super::*;
use crate::item::shard_of;
use jiff::SignedDuration;

/// A slot reads one partition, so that partition has to list all tenants of the slot.
#[test]
fn every_tenant_has_one_slot_a_day_in_the_partition_that_lists_it() {
    let quarter = SignedDuration::from_mins(15);
    let moments: Vec<Timestamp> = (0..96)
        .map(|n| moment("2026-10-10T06:40:00Z") + quarter * n)
        .collect();
    for tenant in (0..=255).map(tenant) {
        let slots: Vec<TimeSlot> = moments
            .iter()
            .map(|at| TimeSlot::at(*at))
            .filter(|slot| slot.is_of(tenant))
            .collect();
        let [slot] = slots[..] else {
            panic!("{tenant} has {} slots", slots.len())
        };
        assert_eq!(slot.shard(), shard_of(tenant), "{tenant}");
    }
    assert_eq!(
        TimeSlot::at(moment("2026-10-10T00:29:59Z")),
        TimeSlot::at(moment("2026-10-11T00:15:00Z"))
    );
}
