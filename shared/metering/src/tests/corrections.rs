//! Corrections in any order, including corrections of events with other content.

use super::memory::Memory;
use super::traffic::{Sent, anchor, any_sender, usage};
use super::{catalogue, now};
use crate::*;
use catalogue::{Aggregation, Catalogue};
use kernel::{SegmentId, WindowSize};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An event with one of two contents.
#[derive(Debug, Clone, Copy)]
struct Report {
    sender: Sender,
    id: u16,
    is_other: bool,
}

impl Report {
    const fn of(id: u16, is_other: bool) -> Self {
        Self {
            sender: Sender::Provider,
            id,
            is_other,
        }
    }

    const fn key(self) -> (Sender, u16) {
        (self.sender, self.id)
    }

    fn value(self) -> i64 {
        let of_tenant = i64::from(self.sender == Sender::Tenant) * 100;
        of_tenant + i64::from(self.id) * 2 + i64::from(self.is_other) + 1
    }

    fn usage(self, catalogue: &Catalogue) -> Usage<'_> {
        let meter = catalogue
            .meters
            .iter()
            .position(|meter| meter.aggregation == Aggregation::Sum)
            .unwrap();
        let Self { sender, id, .. } = self;
        usage(
            catalogue,
            &Sent {
                sender,
                id,
                meter,
                minutes_ago: 5,
                value: self.value() * 1_000,
                void: false,
            },
        )
    }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Send(Report),
    Correct(Report, Option<Report>),
}

impl Act {
    fn segment(&self, catalogue: &Catalogue, number: u128) -> Segment {
        let id = || SegmentId::from_uuid(Uuid::from_u128(number));
        match self {
            Self::Send(report) => group([report.usage(catalogue)], |_| anchor(), id).remove(0),
            Self::Correct(original, replacement) => {
                let replacement = replacement.map(|report| report.usage(catalogue));
                let correction = Correction {
                    original: original.usage(catalogue),
                    replacement,
                };
                group_corrections([correction], |_| anchor(), id).remove(0)
            }
        }
    }
}

/// The model: applies acts one after the other.
#[derive(Default)]
struct Model {
    counted: HashMap<(Sender, u16), bool>,
    voided: HashMap<(Sender, u16), bool>,
    counts: Counted,
    sum: i64,
}

impl Model {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Send(report) => self.report(report),
            Act::Correct(original, None) => self.correct(original),
            Act::Correct(original, Some(replacement)) => self.replace(original, replacement),
        }
    }

    fn report(&mut self, report: Report) {
        let (counted, voided) = (
            self.counted.get(&report.key()).copied(),
            self.voided.get(&report.key()).copied(),
        );
        if counted
            .or(voided)
            .is_some_and(|first| first != report.is_other)
        {
            self.counts.conflicts += 1;
        } else if counted.is_some() {
            self.counts.duplicates += 1;
        } else {
            self.counts.accepted += 1;
            self.counted.insert(report.key(), report.is_other);
            self.sum += if voided.is_some() { 0 } else { report.value() };
        }
    }

    fn correct(&mut self, report: Report) {
        if self.voided.contains_key(&report.key()) {
            self.counts.duplicates += 1;
        } else if self.contradicts(report) {
            self.counts.unmatched += 1;
        } else {
            self.take_back(report);
        }
    }

    fn replace(&mut self, original: Report, replacement: Report) {
        let counted = self.counted.get(&replacement.key()).copied();
        let voided = self.voided.get(&replacement.key()).copied();
        if self.voided.contains_key(&original.key()) {
            self.counts.duplicates += 1;
            match counted {
                Some(first) if first == replacement.is_other => self.counts.duplicates += 1,
                Some(_) => self.counts.replacement_used += 1,
                None => self.counts.unmatched += 1,
            }
        } else if self.contradicts(original) {
            self.counts.unmatched += 2;
        } else if counted.is_some() || voided.is_some_and(|first| first != replacement.is_other) {
            self.counts.replacement_used += 2;
        } else {
            self.take_back(original);
            self.report(replacement);
        }
    }

    fn contradicts(&self, report: Report) -> bool {
        self.counted
            .get(&report.key())
            .is_some_and(|first| *first != report.is_other)
    }

    fn take_back(&mut self, report: Report) {
        self.counts.voided += 1;
        self.sum -= if self.counted.contains_key(&report.key()) {
            report.value()
        } else {
            0
        };
        self.voided.insert(report.key(), report.is_other);
    }
}

fn any_content() -> impl Strategy<Value = Report> {
    let report = (any_sender(), 0_u16..12, prop::bool::weighted(0.3));
    report.prop_map(|(sender, id, is_other)| Report {
        sender,
        id,
        is_other,
    })
}

fn any_act() -> impl Strategy<Value = Act> {
    let correction = (any_content(), prop::option::of(any_content()));
    let correction = correction.prop_map(|(original, replacement)| {
        // A replacement is in the provider's namespace, and a correction that replaces an event by
        // itself is refused.
        let replacement = replacement.map(|report| {
            let report = Report {
                sender: Sender::Provider,
                ..report
            };
            Report {
                id: report.id + u16::from(report.key() == original.key()),
                ..report
            }
        });
        Act::Correct(original, replacement)
    });
    prop_oneof![any_content().prop_map(Act::Send), correction]
}

/// The sum over all days of the acts' meter.
fn sum(memory: &Memory) -> i128 {
    let days = memory
        .windows()
        .into_iter()
        .filter(|(key, _)| key.size == WindowSize::Day);
    days.map(|(_, window)| window.value.short_mantissa().unwrap())
        .sum()
}

fn roll_up_all(acts: &[Act], at_once: usize) -> Memory {
    let catalogue = catalogue();
    let segments: Vec<Segment> = acts
        .iter()
        .zip(1..)
        .map(|(act, number)| act.segment(&catalogue, number))
        .collect();
    let mut memory = Memory::default();
    memory
        .pending
        .extend(segments.iter().map(|segment| segment.id));
    for some in segments.chunks(at_once) {
        memory.roll_up(some, now());
    }
    memory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn corrections_match_the_model(acts in prop::collection::vec(any_act(), 1..80), at_once in 1_usize..20) {
        let memory = roll_up_all(&acts, at_once);
        let mut model = Model::default();
        acts.iter().for_each(|act| model.act(act));
        prop_assert_eq!(memory.checkpoint.counted, model.counts);
        prop_assert_eq!(sum(&memory), i128::from(model.sum));
    }
}

/// If an event and its correction have different content, the first to arrive holds, and only one
/// is billed.
#[test]
fn a_wrong_correction_never_bills_twice() {
    let (event, wrong) = (Report::of(1, false), Report::of(1, true));
    let (report, replacement) = (Act::Send(event), Report::of(2, false));
    let correct = Act::Correct(wrong, Some(replacement));
    assert_eq!(
        sum(&roll_up_all(&[report, correct], 2)),
        i128::from(event.value())
    );
    assert_eq!(
        sum(&roll_up_all(&[correct, report], 2)),
        i128::from(replacement.value())
    );
}

/// The provider's event counts although a tenant's client used its source and id, and a correction
/// of one does not touch the other.
#[test]
fn an_event_key_of_one_sender_does_not_affect_another_sender() {
    let ours = Report::of(1, false);
    for is_other in [false, true] {
        let theirs = Report {
            sender: Sender::Tenant,
            ..Report::of(1, is_other)
        };
        let reports = [Act::Send(theirs), Act::Send(ours)];
        let both = roll_up_all(&reports, 1);
        assert_eq!(
            both.checkpoint.counted,
            Counted {
                accepted: 2,
                ..Counted::default()
            }
        );
        assert_eq!(sum(&both), i128::from(ours.value() + theirs.value()));
        for (taken_back, rest) in [(ours, theirs), (theirs, ours)] {
            let acts = [&reports[..], &[Act::Correct(taken_back, None)]].concat();
            for acts in [acts.clone(), acts.into_iter().rev().collect()] {
                let memory = roll_up_all(&acts, 2);
                assert_eq!(
                    (memory.checkpoint.counted.voided, sum(&memory)),
                    (1, i128::from(rest.value())),
                    "{acts:?}"
                );
            }
        }
        // The replacement of the tenant's event may have its source and id, since it is in the
        // provider's namespace.
        let replaced = roll_up_all(&[Act::Send(theirs), Act::Correct(theirs, Some(ours))], 1);
        assert_eq!(
            (replaced.checkpoint.counted.voided, sum(&replaced)),
            (1, i128::from(ours.value()))
        );
    }
}

#[test]
fn a_correction_with_a_used_replacement_id_changes_nothing() {
    let (event, replacement) = (Report::of(1, false), Report::of(2, false));
    let correct = Act::Correct(event, Some(replacement));
    // The id is used by an event with the same content, by one with other content, and by the
    // replacement of another correction.
    for used in [
        Act::Send(replacement),
        Act::Send(Report::of(2, true)),
        Act::Correct(Report::of(3, false), Some(replacement)),
    ] {
        for at_once in [1, 4] {
            let before = roll_up_all(
                &[Act::Send(event), Act::Send(Report::of(3, false)), used],
                at_once,
            );
            let after = roll_up_all(
                &[
                    Act::Send(event),
                    Act::Send(Report::of(3, false)),
                    used,
                    correct,
                    correct,
                ],
                at_once,
            );
            assert_eq!(
                (after.checkpoint.counted.replacement_used, sum(&after)),
                (4, sum(&before)),
                "{used:?}"
            );
            assert_eq!(
                after.checkpoint.counted.voided,
                before.checkpoint.counted.voided
            );
        }
    }
}

/// An event of the law below. Its value is a power of eight, so that the sum shows which events
/// count.
fn of_power(catalogue: &Catalogue, id: u16, power: u32) -> Usage<'_> {
    let meter = catalogue
        .meters
        .iter()
        .position(|meter| meter.aggregation == Aggregation::Sum)
        .unwrap();
    let value = 8_i64.pow(power) * 1_000;
    usage(
        catalogue,
        &Sent {
            sender: Sender::Provider,
            id,
            meter,
            minutes_ago: 5,
            value,
            void: false,
        },
    )
}

const PAIRS: u16 = 6;

/// A step of a pair: the event, its correction with one of the replacement ids, or an event with
/// that id.
fn any_step() -> impl Strategy<Value = (u16, u8)> {
    (0..PAIRS, 0_u8..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Once an event has arrived, exactly one of it and its replacement counts: whatever else uses
    /// the replacement ids, in any order, with any repetition, and in rollups of any size.
    #[test]
    fn an_event_and_its_replacement_change_together_or_not_at_all(
        replaced_by in prop::collection::vec(0_u16..4, usize::from(PAIRS)),
        steps in prop::collection::vec(any_step(), 0..40),
        at_once in 1_usize..20,
    ) {
        let catalogue = catalogue();
        let events = (0..PAIRS).map(|pair| (pair, 0)).collect::<Vec<_>>();
        let mut corrected: BTreeMap<u16, bool> = BTreeMap::new();
        let segments: Vec<Segment> = steps.iter().chain(&events).zip(1..).map(|((pair, what), number)| {
            let id = || SegmentId::from_uuid(Uuid::from_u128(number));
            let of = replaced_by[usize::from(*pair)];
            let original = of_power(&catalogue, *pair, u32::from(*pair));
            match what {
                0 => group([original], |_| anchor(), id).remove(0),
                1 => {
                    corrected.insert(*pair, true);
                    let replacement = of_power(&catalogue, 100 + of, u32::from(PAIRS + pair));
                    let correction = Correction { original, replacement: Some(replacement) };
                    group_corrections([correction], |_| anchor(), id).remove(0)
                }
                _ => group([of_power(&catalogue, 100 + of, u32::from(2 * PAIRS))], |_| anchor(), id).remove(0),
            }
        }).collect();
        let mut memory = Memory::default();
        memory.pending.extend(segments.iter().map(|segment| segment.id));
        for some in segments.chunks(at_once) {
            memory.roll_up(some, now());
        }
        let total = sum(&memory);
        let counts = |power: u16| total / 8_i128.pow(power.into()) % 8;
        for pair in 0..PAIRS {
            let (event, replacement) = (counts(pair), counts(PAIRS + pair));
            prop_assert_eq!(event + replacement, 1, "pair {} in {}", pair, total);
            prop_assert!(replacement == 0 || corrected.contains_key(&pair));
        }
    }
}
