use super::values::{any_value, sum};
use super::{catalogue, now, tenant};
use crate::*;
use catalogue::Catalogue;
use contract::WindowPart;
use dedupe::Entry;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, WindowSize};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An event of a meter, by the meter's index in the catalogue.
fn usage(
    catalogue: &Catalogue,
    meter: usize,
    number: u32,
    hours_ago: i64,
    value: Value,
) -> Usage<'_> {
    let meter = &catalogue.meters[meter];
    let groups = meter.groups();
    let group = groups[usize::try_from(number).unwrap() % groups.len()].clone();
    let at = now() - SignedDuration::from_hours(hours_ago);
    let measure = match meter.aggregation {
        catalogue::Aggregation::Count => Measure::Number(Value::ONE),
        catalogue::Aggregation::UniqueCount => {
            Measure::Distinct(distinct_key(tenant(1), "number", &value.to_string()))
        }
        _ => Measure::Number(value),
    };
    let content = content_hash(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry {
        key: event_key(Sender::Provider, "s", &number.to_string()),
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
    segments
        .iter()
        .map(|segment| segment.body.events().len())
        .collect()
}

#[test]
fn segments_are_of_one_tenant_and_bounded() {
    let catalogue = catalogue();
    let of = |n: u32| Usage {
        tenant: tenant(u128::from(n % 2)),
        ..usage(&catalogue, 3, n, 0, Value::ONE)
    };
    let mut sorted = sizes(&grouped((0..2_500).map(of).collect()));
    sorted.sort_unstable();
    assert_eq!(sorted, [250, 250, 1_000, 1_000]);
    // For a meter with daily windows, sixty days fill one bus event.
    let daily = grouped(
        (0..130)
            .map(|n| usage(&catalogue, 1, n, i64::from(n) * 24, Value::ONE))
            .collect(),
    );
    assert_eq!(sizes(&daily), [60, 60, 10]);
    assert_eq!(batches(daily).len(), 3);
    // A meter with hourly windows changes a page for each day and one for each month.
    let hourly = grouped(
        (0..60)
            .map(|n| usage(&catalogue, 3, n, i64::from(n) * 24, Value::ONE))
            .collect(),
    );
    let room = |segment| crate::segment::windows_max(&touched_pages(std::slice::from_ref(segment)));
    assert!(
        hourly
            .iter()
            .all(|segment| room(segment) <= SEGMENT_WINDOWS_MAX)
    );
    assert_eq!(
        hourly
            .iter()
            .map(|segment| segment.body.events().len())
            .sum::<usize>(),
        60
    );
    assert!(hourly.len() >= 2 && batches(hourly.clone()).len() == hourly.len());
}

#[test]
fn small_segments_are_rolled_up_together() {
    let catalogue = catalogue();
    let segments: Vec<_> = (0..200)
        .flat_map(|n| grouped(vec![usage(&catalogue, 3, n, 0, Value::ONE)]))
        .collect();
    let sizes: Vec<_> = batches(segments).iter().map(Vec::len).collect();
    assert_eq!(sizes, [60, 60, 60, 20]);
    assert!(batches(Vec::new()).is_empty());
    let full = |first: u32| {
        grouped(
            (0..1_000)
                .map(|n| usage(&catalogue, 3, first + n, 0, Value::ONE))
                .collect(),
        )
    };
    let segments: Vec<_> = (0..25).flat_map(|n| full(1_000 * n)).collect();
    let sizes: Vec<_> = batches(segments).iter().map(Vec::len).collect();
    assert_eq!(sizes, [20, 5], "20,000 events");
}

/// A batch fills its transaction: its items fit, and the items of the next segment would not.
#[test]
fn a_batch_fits_one_transaction_and_no_more_would() {
    let items = |batch: &[Segment]| {
        let days = batch
            .iter()
            .flat_map(|segment| segment.body.windows())
            .map(|windows| windows.day.start);
        let days: BTreeSet<_> = days
            .flat_map(|day| [day, crate::batch::last_day(day)])
            .collect();
        let corrections = batch
            .iter()
            .filter(|segment| segment.body.takes_back())
            .count();
        batch.len() + corrections + touched_pages(batch).len() + days.len()
    };
    let catalogue = catalogue();
    let correction = |n: u32| Correction {
        original: usage(&catalogue, 3, n, 0, Value::ONE),
        replacement: None,
    };
    let mut ids = (0..).map(|n| SegmentId::from_uuid(Uuid::from_u128(n)));
    let corrections: Vec<Segment> = (0..200)
        .flat_map(|n| {
            group_corrections(
                [correction(n)],
                |_| BillingAnchor::default(),
                || ids.next().unwrap(),
            )
        })
        .collect();
    let of_days: Vec<Segment> = (0..200)
        .flat_map(|n| {
            grouped(vec![usage(
                &catalogue,
                1,
                n,
                (24 * (n % 30)).into(),
                Value::ONE,
            )])
        })
        .collect();
    for segments in [corrections, of_days] {
        let batches = batches(segments.clone());
        assert_eq!(batches.concat(), segments, "all segments, in their order");
        for pair in batches.windows(2) {
            assert!(items(&pair[0]) <= 91, "{} items", items(&pair[0]));
            let one_more = [&pair[0][..], &pair[1][..1]].concat();
            assert!(items(&one_more) > 91, "{} items", items(&one_more));
        }
    }
}

#[test]
fn a_void_is_stored_with_its_replacement() {
    let catalogue = catalogue();
    let correction = |n: u32| Correction {
        original: usage(&catalogue, 3, n, 0, Value::ONE),
        replacement: Some(usage(&catalogue, 3, 10_000 + n, 24, Value::ONE)),
    };
    let segments = group_corrections(
        (0..501).map(correction),
        |_| BillingAnchor::default(),
        ids(),
    );
    assert_eq!(sizes(&segments), [1_000, 2]);
    for segment in &segments {
        let voids = segment
            .body
            .slots()
            .iter()
            .filter(|slot| slot.purpose == Purpose::Void)
            .count();
        assert_eq!((segment.body.slots().len(), voids), (2, 1));
        assert_eq!(
            SegmentBody::decode(&segment.body.encode()).as_ref(),
            Ok(&segment.body)
        );
    }
}

proptest! {
    #[test]
    fn a_segment_is_decoded_as_it_was_encoded(
        rows in prop::collection::vec((0_usize..9, 0_u32..1000, 0_i64..800, any_value()), 1..400),
    ) {
        let catalogue = catalogue();
        let events = rows.iter().map(|(meter, id, hours, value)| usage(&catalogue, *meter, *id, *hours, *value));
        let segments = grouped(events.collect());
        prop_assert_eq!(sizes(&segments).iter().sum::<usize>(), rows.len());
        for segment in segments {
            let bytes = segment.body.encode();
            prop_assert_eq!(SegmentBody::decode(&bytes), Ok(segment.body));
            prop_assert!(SegmentBody::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_page_is_decoded_as_it_was_encoded(
        rows in prop::collection::btree_map((0_i64..60, 0_usize..6, any::<bool>()), (prop::collection::vec(any_value(), 0..4), any::<i64>(), any::<u64>(), any::<Option<u32>>()), 0..200),
    ) {
        let catalogue = catalogue();
        let meter = &catalogue.meters[4];
        let groups = meter.groups();
        let mut page = Page::default();
        let start = WindowSize::Hour.start(now(), BillingAnchor::default());
        let key = PageKey::of(&meter.code, WindowSize::Minute, start);
        for ((minute, group, adjusts), (values, events, revision, latest)) in rows {
            let window = WindowKey {
                meter: meter.code.clone(),
                group: groups[group].clone(),
                size: WindowSize::Minute,
                start: start + SignedDuration::from_mins(minute),
                part: if adjusts { WindowPart::Adjustment } else { WindowPart::Window },
            };
            prop_assert_eq!(&window.page(), &key);
            let latest_at = latest.map(|second| jiff::Timestamp::from_second(second.into()).unwrap());
            page.set(&window, Window { value: sum(&values), events, latest_at, revision });
        }
        let bytes = page.encode(&key);
        prop_assert_eq!(Page::decode(&key, &bytes), Ok(page));
        prop_assert!(Page::decode(&key, &bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn invalid_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = PageKey::of(&"a".parse().unwrap(), WindowSize::Day, now());
        for version in [0, 1, 2] {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let _ = SegmentBody::decode(&bytes);
            let _ = Page::decode(&key, &bytes);
        }
    }
}

#[test]
fn a_segment_takes_about_twenty_bytes_per_event() {
    let catalogue = catalogue();
    let bytes = |meter| {
        let events =
            (0..1_000).map(|n| usage(&catalogue, meter, n, 0, Value::new(123_456, 3).unwrap()));
        grouped(events.collect()).remove(0).body.encode().len()
    };
    assert!(bytes(3) < 21_100, "{}", bytes(3));
    assert!(bytes(0) < 17_100, "{}", bytes(0));
}

/// Whatever a tenant sends, its totals can be stored: a page fits an item, and the pages of a
/// rollup fit a transaction.
#[test]
fn the_widest_pages_fit_items_and_transactions() {
    const ITEM_BYTES_MAX: usize = 400 * 1_024;
    const TRANSACTION_BYTES_MAX: usize = 4 * 1_024 * 1_024;
    /// Room for all other items of the transaction.
    const REST_BYTES: usize = 256 * 1_024;
    let widest = format!("-{}e-340", "9".repeat(397))
        .parse::<bigdecimal::BigDecimal>()
        .unwrap();
    let widest = Aggregate::of_digits(widest.into_bigint_and_scale().0, 340);
    let latest_at = Some(jiff::Timestamp::MAX);
    let window = Window {
        value: widest,
        events: i64::MIN,
        latest_at,
        revision: u64::MAX,
    };
    let key = |group: usize, size, start| {
        let text = format!("{}{group:02}", "kind=".to_owned() + &"k".repeat(46));
        WindowKey {
            meter: "m".parse().unwrap(),
            group: text.parse().unwrap(),
            size,
            start,
            part: WindowPart::Window,
        }
    };
    let month = WindowSize::Month.start(
        "2026-12-15T00:00:00Z".parse().unwrap(),
        BillingAnchor::default(),
    );
    let day = |n: i64| month + SignedDuration::from_hours(24 * n);
    let days = (0..31)
        .map(|n| (WindowSize::Day, day(n)))
        .chain([(WindowSize::Month, month)]);
    let minutes = (0..60).map(|n| (WindowSize::Minute, month + SignedDuration::from_mins(n)));
    let hours = (0..24).map(|n| (WindowSize::Hour, month + SignedDuration::from_hours(n)));
    for windows in [days.collect::<Vec<_>>(), minutes.collect(), hours.collect()] {
        let mut page = Page::default();
        for group in 0..catalogue::Meter::GROUPS_MAX {
            for (size, start) in &windows {
                let whole = key(group, *size, *start);
                page.set(
                    &WindowKey {
                        part: WindowPart::Adjustment,
                        ..whole.clone()
                    },
                    window.clone(),
                );
                page.set(&whole, window.clone());
            }
        }
        let name = key(0, windows[0].0, windows[0].1).page();
        assert_eq!(windows.len(), name.windows_max());
        let bytes = page.encode(&name);
        assert!(bytes.len() < ITEM_BYTES_MAX, "{}", bytes.len());
        let written = bytes.len() * SEGMENT_WINDOWS_MAX / name.windows_max();
        assert!(written + REST_BYTES < TRANSACTION_BYTES_MAX, "{written}");
        assert_eq!(Page::decode(&name, &bytes), Ok(page));
    }
}

/// A total of ordinary width takes few bytes, although totals may be wide.
#[test]
fn an_ordinary_total_takes_few_bytes() {
    let (name, key) = {
        let start = WindowSize::Day.start(now(), BillingAnchor::default());
        let part = WindowPart::Window;
        let key = WindowKey {
            meter: "m".parse().unwrap(),
            group: "".parse().unwrap(),
            size: WindowSize::Day,
            start,
            part,
        };
        (key.page(), key)
    };
    for (value, bytes) in [
        ("0", 2),
        ("12.5", 3),
        ("123456.789", 5),
        ("0.30000000000000004", 9),
        ("1e-128", 3),
    ] {
        let value = value.parse::<Value>().unwrap();
        let mut page = Page::default();
        page.set(
            &key,
            Window {
                value: value.into(),
                events: 1,
                latest_at: None,
                revision: 1,
            },
        );
        // The page's own 4 bytes, 1 of its group, 5 of the window's key, and 3 of its other
        // numbers.
        assert_eq!(page.encode(&name).len() - 13, bytes, "{value}");
    }
}

/// A mantissa of any length is decoded as it was encoded. One that is truncated or too long is
/// refused.
#[test]
fn digits_of_any_length_are_stored() {
    use crate::bytes::{Input, write_aggregate};
    use bigdecimal::num_bigint::BigInt;
    for bits in 0_u32..1_319 {
        for near in [-1, 0, 1] {
            for sign in [1, -1] {
                let total = Aggregate::of_digits((BigInt::from(2).pow(bits) + near) * sign, 340);
                let mut bytes = Vec::new();
                write_aggregate(&total, &mut bytes);
                assert_eq!(
                    Input(&bytes).aggregate(),
                    Ok(total),
                    "{sign} * 2^{bits} + {near}"
                );
                assert!(
                    Input(&bytes[..bytes.len() - 1]).aggregate().is_err(),
                    "{bits}"
                );
            }
        }
    }
    for (bytes, is_read) in [
        (vec![0x80, 0x80], false),
        (vec![0xff; 400], false),
        ([vec![0xd4, 0x02], vec![0x80; 188], vec![1]].concat(), true),
        ([vec![0xd4, 0x02], vec![0x80; 189], vec![1]].concat(), false),
        (vec![0xd5, 0x02, 2], false),
        (vec![0xd4, 0x02, 2], true),
    ] {
        assert_eq!(Input(&bytes).aggregate().is_ok(), is_read, "{bytes:?}");
    }
    // The value of an event is narrower than a total.
    let nineteen = |last: u8| [vec![0_u8], vec![0x80; 18], vec![last]].concat();
    assert!(Input(&nineteen(0b1)).value().is_ok(), "2^125");
    assert!(
        Input(&nineteen(0b11)).value().is_err(),
        "more than 38 digits"
    );
    assert!(
        Input(&nineteen(0b100)).value().is_err(),
        "more than 128 bits"
    );
}

#[test]
fn a_page_starts_at_the_anchor_of_its_windows() {
    let page = |size: WindowSize, start: &str| {
        PageKey::of(&"m".parse().unwrap(), size, start.parse().unwrap())
    };
    let rows = [
        (
            WindowSize::Minute,
            "2026-11-15T12:31:00Z",
            WindowSize::Hour,
            "2026-11-15T12:00:00Z",
        ),
        (
            WindowSize::Hour,
            "2026-11-15T00:30:00Z",
            WindowSize::Day,
            "2026-11-15T00:30:00Z",
        ),
        (
            WindowSize::Hour,
            "2026-11-15T23:30:00Z",
            WindowSize::Day,
            "2026-11-15T00:30:00Z",
        ),
        (
            WindowSize::Day,
            "2026-11-15T06:30:00Z",
            WindowSize::Month,
            "2026-11-01T06:30:00Z",
        ),
        (
            WindowSize::Month,
            "2026-11-01T06:30:00Z",
            WindowSize::Month,
            "2026-11-01T06:30:00Z",
        ),
    ];
    for (size, start, span, begins) in rows {
        let page = page(size, start);
        assert_eq!(
            (page.span, page.start),
            (span, begins.parse().unwrap()),
            "{size} {start}"
        );
    }
}
