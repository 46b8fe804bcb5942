use super::{catalogue, now, tenant};
use crate::*;
use contract::catalogue::Catalogue;
use kernel::SegmentId;
use proptest::prelude::*;
use uuid::Uuid;

fn usage(catalogue: &Catalogue, tenant_number: u128, number: u32, day: i64, value: Value) -> Usage<'_> {
    let id = number.to_string();
    let start = WindowSize::Day.start(now() - jiff::SignedDuration::from_hours(24 * day));
    let meter = &catalogue.meters[2];
    let tenant = tenant(tenant_number);
    let entry = Entry { identity: Identity::of("s", &id), digest: Digest::of("t", tenant, now(), value) };
    Usage { tenant, entry, meter, start, value }
}

fn grouped(events: Vec<Usage<'_>>) -> Vec<Segment> {
    let mut next = 0;
    group(events, || {
        next += 1;
        SegmentId::from_uuid(Uuid::from_u128(next))
    })
}

#[test]
fn segments_are_of_one_tenant_and_bounded() {
    let catalogue = catalogue();
    let many: Vec<_> = (0..2_500).map(|n| usage(&catalogue, u128::from(n % 2), n, 0, Value::ONE)).collect();
    let wide: Vec<_> = (0..130).map(|n| usage(&catalogue, 7, n, i64::from(n), Value::ONE)).collect();
    let sizes = |segments: &[Segment]| segments.iter().map(|s| s.body.events().len()).collect::<Vec<_>>();
    let mut sorted = sizes(&grouped(many));
    sorted.sort_unstable();
    assert_eq!(sorted, [250, 250, 1_000, 1_000]);
    let wide = grouped(wide);
    assert_eq!(sizes(&wide), [60, 60, 10]);
    assert!(wide.iter().all(|segment| segment.body.slots().len() <= SEGMENT_WINDOWS_MAX));
    assert_eq!(batches(wide).len(), 3, "one fact carries at most 60 windows");
}

#[test]
fn small_segments_are_settled_together() {
    let catalogue = catalogue();
    let segments: Vec<_> = (0..200).flat_map(|n| grouped(vec![usage(&catalogue, 1, n, 0, Value::ONE)])).collect();
    let sizes: Vec<_> = batches(segments).iter().map(Vec::len).collect();
    assert_eq!(sizes, [90, 90, 20]);
    assert!(batches(Vec::new()).is_empty());
}

proptest! {
    #[test]
    fn what_is_stored_is_what_was_grouped(
        rows in prop::collection::vec((0_u32..1000, 0_i64..30, any::<i64>(), 0_u8..20), 1..60),
    ) {
        let catalogue = catalogue();
        let value = |mantissa: i64, scale| Value::new(i128::from(mantissa) * 1_000_000_007, scale).unwrap();
        let events = rows.iter().map(|(id, day, mantissa, scale)| usage(&catalogue, 1, *id, *day, value(*mantissa, *scale)));
        let body = grouped(events.collect()).remove(0).body;
        let bytes = body.encode();
        prop_assert_eq!(SegmentBody::decode(&bytes), Ok(body));
        prop_assert!(SegmentBody::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn other_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SegmentBody::decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = 1;
            let _ = SegmentBody::decode(&bytes);
        }
        let _ = Run::decode(&bytes);
        let _ = Head::decode_runs(&bytes);
    }
}

#[test]
fn a_segment_takes_about_thirty_bytes_per_event() {
    let catalogue = catalogue();
    let events = (0..1_000).map(|n| usage(&catalogue, 1, n, 0, Value::new(123_456, 3).unwrap()));
    let bytes = grouped(events.collect()).remove(0).body.encode();
    assert!(bytes.len() < 30_000, "{}", bytes.len());
}
