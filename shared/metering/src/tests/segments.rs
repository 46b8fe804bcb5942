use super::{catalogue, now, tenant};
use crate::*;
use contract::WindowPart;
use contract::catalogue::Catalogue;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, WindowSize};
use proptest::prelude::*;
use uuid::Uuid;

/// An event of a meter, by its place in the catalogue.
fn usage(catalogue: &Catalogue, meter: usize, number: u32, hours_ago: i64, value: Value) -> Usage<'_> {
    let meter = &catalogue.meters[meter];
    let groups = meter.groups();
    let group = groups[usize::try_from(number).unwrap() % groups.len()].clone();
    let at = now() - SignedDuration::from_hours(hours_ago);
    let measure = match meter.aggregation {
        contract::catalogue::Aggregation::Count => Measure::Number(Value::ONE),
        contract::catalogue::Aggregation::UniqueCount => {
            Measure::Member(Identity::of_member(tenant(1), "number", &value.to_string()))
        }
        _ => Measure::Number(value),
    };
    let digest = Digest::of(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry { identity: Identity::of(Sender::Provider, "s", &number.to_string()), digest };
    Usage { tenant: tenant(1), entry, meter, group, at, measure }
}

fn ids() -> impl FnMut() -> SegmentId {
    let mut next = 0;
    move || {
        next += 1;
        SegmentId::from_uuid(Uuid::from_u128(next))
    }
}

fn grouped(events: Vec<Usage<'_>>) -> Vec<Segment> {
    group(events, |_| "06:30".parse().unwrap(), ids())
}

fn sizes(segments: &[Segment]) -> Vec<usize> {
    segments.iter().map(|segment| segment.body.events().len()).collect()
}

#[test]
fn segments_are_of_one_tenant_and_bounded() {
    let catalogue = catalogue();
    let of = |n: u32| Usage { tenant: tenant(u128::from(n % 2)), ..usage(&catalogue, 3, n, 0, Value::ONE) };
    let mut sorted = sizes(&grouped((0..2_500).map(of).collect()));
    sorted.sort_unstable();
    assert_eq!(sorted, [250, 250, 1_000, 1_000]);
    // Of a meter with daily windows, sixty days are as many totals as one fact may carry.
    let daily = grouped((0..130).map(|n| usage(&catalogue, 1, n, i64::from(n) * 24, Value::ONE)).collect());
    assert_eq!(sizes(&daily), [60, 60, 10]);
    assert_eq!(batches(daily).len(), 3);
    // One with hourly windows changes a page for each day, and one for each month.
    let hourly = grouped((0..60).map(|n| usage(&catalogue, 3, n, i64::from(n) * 24, Value::ONE)).collect());
    assert!(hourly.iter().all(|segment| touched_pages(std::slice::from_ref(segment)).len() <= SEGMENT_PAGES_MAX));
    assert_eq!(hourly.iter().map(|segment| segment.body.events().len()).sum::<usize>(), 60);
    assert!(hourly.len() >= 2 && batches(hourly.clone()).len() == hourly.len());
}

#[test]
fn small_segments_are_settled_together() {
    let catalogue = catalogue();
    let segments: Vec<_> = (0..200).flat_map(|n| grouped(vec![usage(&catalogue, 3, n, 0, Value::ONE)])).collect();
    let sizes: Vec<_> = batches(segments).iter().map(Vec::len).collect();
    assert_eq!(sizes, [60, 60, 60, 20]);
    assert!(batches(Vec::new()).is_empty());
}

#[test]
fn what_is_taken_back_is_stored_with_what_comes_instead() {
    let catalogue = catalogue();
    let correction = |n: u32| Correction {
        original: usage(&catalogue, 3, n, 0, Value::ONE),
        replacement: Some(usage(&catalogue, 3, 10_000 + n, 24, Value::ONE)),
    };
    let segments = group_corrections((0..501).map(correction), |_| BillingAnchor::default(), ids());
    assert_eq!(sizes(&segments), [1_000, 2]);
    for segment in &segments {
        let voids = segment.body.slots().iter().filter(|slot| slot.purpose == Purpose::Void).count();
        assert_eq!((segment.body.slots().len(), voids), (2, 1));
        assert_eq!(SegmentBody::decode(&segment.body.encode()).as_ref(), Ok(&segment.body));
    }
}

proptest! {
    #[test]
    fn what_is_stored_is_what_was_grouped(
        rows in prop::collection::vec((0_usize..9, 0_u32..1000, 0_i64..800, any::<i64>(), 0_u8..20), 1..400),
    ) {
        let catalogue = catalogue();
        let value = |mantissa: i64, scale| Value::new(i128::from(mantissa) * 1_000_000_007, scale).unwrap();
        let events = rows.iter().map(|(meter, id, hours, mantissa, scale)| {
            usage(&catalogue, *meter, *id, *hours, value(*mantissa, *scale))
        });
        let segments = grouped(events.collect());
        prop_assert_eq!(sizes(&segments).iter().sum::<usize>(), rows.len());
        for segment in segments {
            let bytes = segment.body.encode();
            prop_assert_eq!(SegmentBody::decode(&bytes), Ok(segment.body));
            prop_assert!(SegmentBody::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_page_is_read_as_it_was_written(
        rows in prop::collection::btree_map((0_i64..60, 0_usize..6, any::<bool>()), (any::<i64>(), any::<i64>(), any::<u64>(), any::<Option<u32>>()), 0..200),
    ) {
        let catalogue = catalogue();
        let meter = &catalogue.meters[4];
        let groups = meter.groups();
        let mut page = Page::default();
        let start = WindowSize::Hour.start(now(), BillingAnchor::default());
        let key = PageKey::of(&meter.code, WindowSize::Minute, start);
        for ((minute, group, adjusts), (mantissa, events, revision, latest)) in rows {
            let window = WindowKey {
                meter: meter.code.clone(),
                group: groups[group].clone(),
                size: WindowSize::Minute,
                start: start + SignedDuration::from_mins(minute),
                part: if adjusts { WindowPart::Adjustment } else { WindowPart::Window },
            };
            prop_assert_eq!(&window.page(), &key);
            let latest_at = latest.map(|second| jiff::Timestamp::from_second(second.into()).unwrap());
            page.set(&window, Window { value: Value::new(mantissa.into(), 3).unwrap(), events, latest_at, revision });
        }
        let bytes = page.encode(&key);
        prop_assert_eq!(Page::decode(&key, &bytes), Ok(page));
        prop_assert!(Page::decode(&key, &bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn other_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = PageKey::of(&"a".parse().unwrap(), WindowSize::Day, now());
        for version in [0, 1, 2] {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let _ = SegmentBody::decode(&bytes);
            let _ = Page::decode(&key, &bytes);
        }
        let _ = Run::decode(&bytes);
        let _ = Head::decode_runs(&bytes, None).is_some() || Head::decode_runs(&bytes, Some(1)).is_some();
    }
}

#[test]
fn a_segment_takes_about_twenty_bytes_per_event() {
    let catalogue = catalogue();
    let bytes = |meter| {
        let events = (0..1_000).map(|n| usage(&catalogue, meter, n, 0, Value::new(123_456, 3).unwrap()));
        grouped(events.collect()).remove(0).body.encode().len()
    };
    assert!(bytes(3) < 21_100, "{}", bytes(3));
    assert!(bytes(0) < 17_100, "{}", bytes(0));
}

#[test]
fn pages_begin_where_their_windows_do() {
    let page = |size: WindowSize, start: &str| PageKey::of(&"m".parse().unwrap(), size, start.parse().unwrap());
    let rows = [
        (WindowSize::Minute, "2026-11-15T12:31:00Z", WindowSize::Hour, "2026-11-15T12:00:00Z"),
        (WindowSize::Hour, "2026-11-15T00:30:00Z", WindowSize::Day, "2026-11-15T00:30:00Z"),
        (WindowSize::Hour, "2026-11-15T23:30:00Z", WindowSize::Day, "2026-11-15T00:30:00Z"),
        (WindowSize::Day, "2026-11-15T06:30:00Z", WindowSize::Month, "2026-11-01T06:30:00Z"),
        (WindowSize::Month, "2026-11-01T06:30:00Z", WindowSize::Month, "2026-11-01T06:30:00Z"),
    ];
    for (size, start, span, begins) in rows {
        let page = page(size, start);
        assert_eq!((page.span, page.start), (span, begins.parse().unwrap()), "{size} {start}");
    }
}
