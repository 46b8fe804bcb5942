//! Corrections in any order, also of events that said something else.

use super::exactly_once::{Memory, Sent, anchor, usage};
use super::reading::event;
use super::{catalogue, now};
use crate::*;
use contract::catalogue::{Aggregation, Catalogue};
use kernel::{SegmentId, WindowSize};
use proptest::prelude::*;
use std::collections::HashMap;
use uuid::Uuid;

/// What one event says: one of two things.
#[derive(Debug, Clone, Copy)]
struct Said {
    id: u16,
    is_other: bool,
}

impl Said {
    fn value(self) -> i64 {
        i64::from(self.id) * 2 + i64::from(self.is_other) + 1
    }

    fn usage(self, catalogue: &Catalogue) -> Usage<'_> {
        let meter = catalogue.meters.iter().position(|meter| meter.aggregation == Aggregation::Sum).unwrap();
        usage(catalogue, &Sent { id: self.id, meter, minutes_ago: 5, value: self.value() * 1_000, void: false })
    }
}

#[derive(Debug, Clone)]
enum Act {
    Report(Said),
    Correct(Said, Option<Said>),
}

impl Act {
    fn segment(&self, catalogue: &Catalogue, number: u128) -> Segment {
        let id = || SegmentId::from_uuid(Uuid::from_u128(number));
        match self {
            Self::Report(said) => group([said.usage(catalogue)], |_| anchor(), id).remove(0),
            Self::Correct(original, replacement) => {
                let replacement = replacement.map(|said| said.usage(catalogue));
                let correction = Correction { original: original.usage(catalogue), replacement };
                group_corrections([correction], |_| anchor(), id).remove(0)
            }
        }
    }
}

/// What is to come of acts, one after the other.
#[derive(Default)]
struct Model {
    counted: HashMap<u16, bool>,
    voided: HashMap<u16, bool>,
    counts: Counted,
    sum: i64,
}

impl Model {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Report(said) => self.report(said),
            Act::Correct(original, replacement) => {
                let is_taken_back = self.take_back(original);
                match replacement {
                    Some(said) if !is_taken_back && !self.counted.contains_key(&said.id) => self.counts.unmatched += 1,
                    Some(said) => self.report(said),
                    None => {}
                }
            }
        }
    }

    fn report(&mut self, said: Said) {
        let (counted, voided) = (self.counted.get(&said.id).copied(), self.voided.get(&said.id).copied());
        if counted.or(voided).is_some_and(|first| first != said.is_other) {
            self.counts.conflicts += 1;
        } else if counted.is_some() {
            self.counts.duplicates += 1;
        } else {
            self.counts.accepted += 1;
            self.counted.insert(said.id, said.is_other);
            self.sum += if voided.is_some() { 0 } else { said.value() };
        }
    }

    fn take_back(&mut self, said: Said) -> bool {
        let counted = self.counted.get(&said.id).copied();
        if self.voided.contains_key(&said.id) {
            self.counts.duplicates += 1;
            return false;
        }
        if counted.is_some_and(|first| first != said.is_other) {
            self.counts.unmatched += 1;
            return false;
        }
        self.counts.voided += 1;
        self.voided.insert(said.id, said.is_other);
        self.sum -= if counted.is_some() { said.value() } else { 0 };
        true
    }
}

fn any_said() -> impl Strategy<Value = Said> {
    (0_u16..12, prop::bool::weighted(0.3)).prop_map(|(id, is_other)| Said { id, is_other })
}

fn any_act() -> impl Strategy<Value = Act> {
    let correction = (any_said(), prop::option::of(any_said()));
    let correction = correction.prop_map(|(original, replacement)| {
        // Who sends corrections is refused one that replaces an event by itself.
        let replacement = replacement.map(|said| Said { id: said.id + u16::from(said.id == original.id), ..said });
        Act::Correct(original, replacement)
    });
    prop_oneof![any_said().prop_map(Act::Report), correction]
}

/// The sum over all days of the meter that the acts are about.
fn sum(memory: &Memory) -> i128 {
    let days = memory.windows().into_iter().filter(|(key, _)| key.size == WindowSize::Day);
    days.map(|(_, window)| window.value.short_mantissa().unwrap()).sum()
}

fn settle_all(acts: &[Act], at_once: usize) -> Memory {
    let catalogue = catalogue();
    let segments: Vec<Segment> = acts.iter().zip(1..).map(|(act, number)| act.segment(&catalogue, number)).collect();
    let mut memory = Memory::default();
    memory.pending.extend(segments.iter().map(|segment| segment.id));
    for some in segments.chunks(at_once) {
        memory.settle(some, now());
    }
    memory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn corrections_do_what_the_model_does(acts in prop::collection::vec(any_act(), 1..80), at_once in 1_usize..20) {
        let memory = settle_all(&acts, at_once);
        let mut model = Model::default();
        acts.iter().for_each(|act| model.act(act));
        prop_assert_eq!(memory.head.counted, model.counts);
        prop_assert_eq!(sum(&memory), i128::from(model.sum));
    }
}

/// An event and a correction of it that says something else: whichever comes first is right, and one is billed.
#[test]
fn a_wrong_correction_never_bills_twice() {
    let (event, wrong) = (Said { id: 1, is_other: false }, Said { id: 1, is_other: true });
    let (report, replacement) = (Act::Report(event), Said { id: 2, is_other: false });
    let correct = Act::Correct(wrong, Some(replacement));
    assert_eq!(sum(&settle_all(&[report.clone(), correct.clone()], 2)), i128::from(event.value()));
    assert_eq!(sum(&settle_all(&[correct, report], 2)), i128::from(replacement.value()));
}

/// What became of each correction of a request: nothing is refused of a valid one.
fn read_all(corrections: &[String]) -> Result<Vec<Option<Reason>>, BodyError> {
    let (body, catalogue) = (format!(r#"{{"corrections":[{}]}}"#, corrections.join(",")), catalogue());
    let reading = read_corrections(body.as_bytes(), &catalogue, now())?;
    assert_eq!(reading.valid.len() + reading.refused.len(), corrections.len());
    let refused: HashMap<usize, Reason> = reading.refused.iter().map(|r| (r.index, r.reason)).collect();
    Ok((0..corrections.len()).map(|index| refused.get(&index).copied()).collect())
}

/// A member that is there twice refuses its correction, and what is not read of an event refuses nothing.
#[test]
fn corrections_are_read_as_events_are() {
    let (sent, other) = (event(""), event("e-1 => e-2"));
    let reason = r#""reason":"wrong-unit""#;
    let of = |edit: &str| format!(r#"{{"event":{},{reason}}}"#, event(edit));
    let with = |edit: &str| {
        format!(r#"{{"event":{sent},"replacement":{},{reason}}}"#, event(&format!("e-1\" => e-2\"{edit}")))
    };
    let twice = Some(Reason::DuplicateField);
    let rows = [
        (of(""), None),
        (with(""), None),
        (format!(r#"{{{reason},"replacement":null,"event":{sent}}}"#), None),
        (format!(r#"{{"event":{sent},"replacement":{other},"replacement":{other},{reason}}}"#), twice),
        (format!(r#"{{"event":{sent},"replacement":null,"replacement":{other},{reason}}}"#), twice),
        (format!(r#"{{"event":{sent},"replacement":{other},"replac\u0065ment":null,{reason}}}"#), twice),
        (format!(r#"{{"event":{sent},"event":{sent},{reason}}}"#), twice),
        (format!(r#"{{"event":{sent},{reason},{reason}}}"#), twice),
        (of(r#":1.5 => :1.5,"gigabytes":null"#), twice),
        (of(r#":1.5 => :1.5,"direction":"in","direction":"in""#), twice),
        (of(r#""id":"e-1" => "id":null,"\u0069d":"e-1""#), twice),
        (with(r#","id":"e-3""#), twice),
        (with(r#","data":null"#), twice),
        (of(r#":1.5 => :1.5,"\ud800":1e999"#), None),
        (with(r#","\ud800":[1e999]"#), None),
        (of(r#""id":"e-1" => "id":"\ud800""#), Some(Reason::WrongType)),
        (format!(r#"{{"event":"\ud800",{reason}}}"#), Some(Reason::NotAnObject)),
        (format!(r#"{{"event":1e999,{reason}}}"#), Some(Reason::NotAnObject)),
        (format!(r#"{{"event":{sent},"replacement":[],{reason}}}"#), Some(Reason::NotAnObject)),
        (format!(r#"{{"event":{sent},"reason":"\ud800"}}"#), Some(Reason::InvalidReason)),
        (format!(r#"{{"event":{sent},"reason":"Jane Doe"}}"#), Some(Reason::InvalidReason)),
        (format!(r#"{{"event":{sent},"replacement":{sent},{reason}}}"#), Some(Reason::SameIdentity)),
    ];
    let (sent_all, expected): (Vec<String>, Vec<Option<Reason>>) = rows.into_iter().unzip();
    // All in one request, and each alone.
    assert_eq!(read_all(&sent_all).as_ref(), Ok(&expected));
    for (correction, expected) in sent_all.iter().zip(expected) {
        assert_eq!(read_all(std::slice::from_ref(correction)), Ok(vec![expected]), "{correction}");
    }
    // What has not the shape of a correction could mean something else than it seems to.
    for odd in [
        format!(r#"{{"event":{sent},"replacment":{other},{reason}}}"#),
        format!(r#"{{"event":{sent},"\ud800":1,{reason}}}"#),
        format!(r#"{{"event":{sent}}}"#),
        format!(r#"{{"event":{sent},"reason":5}}"#),
        format!("{{{reason}}}"),
        "[]".to_owned(),
        "1e999".to_owned(),
        r#""\ud800""#.to_owned(),
    ] {
        let wrong = BodyError::WrongShape { expected: "a list of corrections" };
        assert_eq!(read_all(&[of(""), odd.clone()]), Err(wrong), "{odd}");
    }
}
