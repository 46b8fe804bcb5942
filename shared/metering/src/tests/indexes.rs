//! The index of events as it grows and as its runs expire.

use super::memory::Memory;
use super::traffic::counting;
use super::{catalogue, now};
use crate::*;
use jiff::{SignedDuration, Timestamp};

#[test]
fn the_index_stays_small_and_complete_as_it_grows() {
    for (size, rounds) in [(1, 2_000), (37, 700), (500, 150)] {
        let catalogue = catalogue();
        let mut memory = Memory::default();
        for repeat in 0..2_u32 {
            for batch in 0..rounds {
                let segments = counting(
                    &catalogue,
                    batch * size,
                    size,
                    u128::from(repeat * rounds + batch + 1),
                );
                memory
                    .pending
                    .extend(segments.iter().map(|segment| segment.id));
                memory.roll_up(&segments, now());
                let full = usize::try_from(memory.checkpoint.counted.accepted).unwrap() / 12_000;
                assert!(
                    memory.checkpoint.events.runs.len() <= 64 + 3 * 7 + full,
                    "{} runs",
                    memory.checkpoint.events.runs.len()
                );
            }
            let accepted = u64::from(size * rounds);
            let expected = Counted {
                accepted,
                duplicates: u64::from(repeat) * accepted,
                ..Counted::default()
            };
            assert_eq!(memory.checkpoint.counted, expected);
        }
    }
}

#[test]
fn event_keys_outlive_the_oldest_accepted_event() {
    assert!(
        EVENT_KEYS_KEPT >= TIME_BEHIND_MAX + TIME_AHEAD_MAX + SignedDuration::from_hours(4 * 24)
    );
    let catalogue = catalogue();
    let mut memory = Memory::default();
    let mut send = |number: u128, at: Timestamp| {
        let segments = counting(&catalogue, 1, 1, number);
        memory.pending.insert(segments[0].id);
        memory.roll_up(&segments, at);
        (
            memory.checkpoint.counted.accepted,
            memory.checkpoint.events.runs.len(),
            memory.stored.whole.len(),
        )
    };
    assert_eq!(send(1, now()), (1, 1, 1));
    assert_eq!(send(2, now() + EVENT_KEYS_KEPT), (1, 1, 1));
    assert_eq!(
        send(3, now() + EVENT_KEYS_KEPT + SignedDuration::from_secs(1)),
        (2, 1, 1),
        "the old run is dropped"
    );
}
