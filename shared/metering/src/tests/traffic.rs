//! Random events, and the segments that they are stored in.

use super::{now, tenant};
use crate::*;
use catalogue::{Aggregation, Catalogue, Meter};
use dedupe::{ContentHash, Entry};
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, UsageGroup};
use proptest::prelude::*;
use uuid::Uuid;

/// The number of meters in use, from the start of the catalogue.
const METERS: usize = 9;

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) sender: Sender,
    pub(super) id: u16,
    pub(super) meter: usize,
    pub(super) minutes_ago: i64,
    pub(super) value: i64,
    pub(super) void: bool,
}

pub(super) fn anchor() -> BillingAnchor {
    "06:30".parse().unwrap()
}

pub(super) fn usage<'c>(catalogue: &'c Catalogue, sent: &Sent) -> Usage<'c> {
    let meter = &catalogue.meters[sent.meter];
    let at = now() - SignedDuration::from_mins(sent.minutes_ago);
    let groups = meter.groups();
    let group = groups[usize::try_from(sent.value).unwrap() % groups.len()].clone();
    let measure = match meter.aggregation {
        Aggregation::Count => Measure::Number(Value::ONE),
        Aggregation::UniqueCount => Measure::Distinct(distinct_key(
            tenant(1),
            "number",
            &(sent.value % 7).to_string(),
        )),
        _ => Measure::Number(Value::new(sent.value.into(), 3).unwrap()),
    };
    let content = content_hash(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry {
        key: event_key(sent.sender, "source", &sent.id.to_string()),
        content,
    };
    Usage {
        tenant: tenant(1),
        entry,
        meter,
        group,
        at,
        measure,
    }
}

/// A service of the provider, or a client of the tenant. Both use the same ids.
pub(super) fn any_sender() -> impl Strategy<Value = Sender> {
    prop_oneof![Just(Sender::Provider), Just(Sender::Tenant)]
}

/// The content is a function of the id, unless ids are to conflict.
fn any_sent(conflicting: bool) -> impl Strategy<Value = Sent> {
    let minutes = 34 * 24 * 60_i64;
    (
        any_sender(),
        0_u16..400,
        0..METERS,
        0..minutes,
        0_i64..1_000_000,
        any::<bool>(),
    )
        .prop_map(move |(sender, id, meter, ago, value, odd)| {
            if conflicting && odd {
                return Sent {
                    sender,
                    id,
                    meter,
                    minutes_ago: ago,
                    value,
                    void: false,
                };
            }
            Sent {
                sender,
                ..any_of(id)
            }
        })
}

/// Batches of sent events, and deliveries of some segments each.
pub(super) type Traffic = (Vec<Vec<Sent>>, Vec<Vec<prop::sample::Index>>);

pub(super) fn any_traffic(conflicting: bool) -> impl Strategy<Value = Traffic> {
    (
        prop::collection::vec(prop::collection::vec(any_sent(conflicting), 1..60), 1..30),
        prop::collection::vec(
            prop::collection::vec(any::<prop::sample::Index>(), 1..12),
            0..50,
        ),
    )
}

pub(super) fn store(catalogue: &Catalogue, batches: &[Vec<Sent>]) -> Vec<Segment> {
    let mut next = 0;
    let mut ids = || {
        next += 1;
        SegmentId::from_uuid(Uuid::from_u128(next))
    };
    let mut segments = Vec::new();
    for batch in batches {
        let (voids, events): (Vec<&Sent>, Vec<&Sent>) = batch.iter().partition(|sent| sent.void);
        segments.extend(group(
            events.into_iter().map(|sent| usage(catalogue, sent)),
            |_| anchor(),
            &mut ids,
        ));
        let corrections = voids.into_iter().map(|sent| Correction {
            original: usage(catalogue, sent),
            replacement: None,
        });
        segments.extend(group_corrections(corrections, |_| anchor(), &mut ids));
    }
    segments
        .into_iter()
        .map(|segment| Segment {
            body: SegmentBody::decode(&segment.body.encode()).unwrap(),
            ..segment
        })
        .collect()
}

/// The content of an id where ids do not conflict.
pub(super) fn any_of(id: u16) -> Sent {
    let of = i64::from(id);
    let (sender, meter, minutes_ago) = (
        Sender::Provider,
        usize::from(id) % METERS,
        of * 97 % (34 * 24 * 60),
    );
    Sent {
        sender,
        id,
        meter,
        minutes_ago,
        value: of * 7 + 1,
        void: false,
    }
}

/// An event of the first summing meter.
pub(super) fn summed(catalogue: &Catalogue, id: u16, value: i64) -> Usage<'_> {
    let is_sum = |meter: &Meter| meter.aggregation == Aggregation::Sum;
    let meter = catalogue.meters.iter().position(is_sum).unwrap();
    usage(
        catalogue,
        &Sent {
            meter,
            minutes_ago: 5,
            value,
            ..any_of(id)
        },
    )
}

/// Segments of `count` events each that all count.
pub(super) fn counting(catalogue: &Catalogue, from: u32, count: u32, id: u128) -> Vec<Segment> {
    let meter = &catalogue.meters[0];
    let events = (from..from + count).map(|n| {
        let entry = Entry {
            key: event_key(Sender::Provider, "s", &n.to_string()),
            content: ContentHash::from_bytes([3; 4]),
        };
        let measure = Measure::Number(Value::ONE);
        Usage {
            tenant: tenant(1),
            entry,
            meter,
            group: UsageGroup::default(),
            at: now(),
            measure,
        }
    });
    group(
        events,
        |_| anchor(),
        || SegmentId::from_uuid(Uuid::from_u128(id)),
    )
}
