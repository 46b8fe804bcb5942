//! Windows of usage and the periods that are billed.

use crate::*;

#[test]
fn a_period_is_a_utc_month() {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let december: BillingPeriod = "2026-12".parse().unwrap();
    assert_eq!(
        BillingPeriod::containing(moment("2026-12-31T23:59:59Z")),
        december
    );
    assert_eq!(
        BillingPeriod::ended_before(moment("2027-01-01T00:00:00Z")),
        december
    );
    assert_eq!(december.next().to_string(), "2027-01");
    assert_eq!(december.previous().to_string(), "2026-11");
    assert_eq!(december.end(), moment("2027-01-01T00:00:00Z"));
}

#[test]
fn windows_follow_one_another_to_the_end_of_the_calendar() {
    for anchor in ["00:00", "11:59", "12:00", "23:00"] {
        let anchor: BillingAnchor = anchor.parse().unwrap();
        let last = WindowSize::Month.start(Timestamp::MAX, anchor);
        assert_eq!(WindowSize::Month.end(last), Timestamp::MAX, "{anchor}");
        let before = WindowSize::Month.start(last - jiff::SignedDuration::from_hours(36), anchor);
        assert_eq!(WindowSize::Month.end(before), last, "{anchor}");
        for size in [WindowSize::Minute, WindowSize::Hour, WindowSize::Day] {
            let last = size.start(Timestamp::MAX, anchor);
            assert!(size.end(last) > last, "{size} {anchor}");
        }
    }
}

/// Anchor, time, window size, and the window's start and end.
const WINDOWS: &str = "
00:00  2026-11-30T23:59:59.9Z  minute  2026-11-30T23:59:00Z  2026-12-01T00:00:00Z
00:00  2026-11-30T23:59:59.9Z  hour    2026-11-30T23:00:00Z  2026-12-01T00:00:00Z
00:00  2026-11-30T23:59:59.9Z  day     2026-11-30T00:00:00Z  2026-12-01T00:00:00Z
00:00  2026-11-30T23:59:59.9Z  month   2026-11-01T00:00:00Z  2026-12-01T00:00:00Z
06:30  2026-11-30T06:29:59.9Z  minute  2026-11-30T06:29:00Z  2026-11-30T06:30:00Z
06:30  2026-11-30T06:29:59.9Z  hour    2026-11-30T05:30:00Z  2026-11-30T06:30:00Z
06:30  2026-11-30T06:29:59.9Z  day     2026-11-29T06:30:00Z  2026-11-30T06:30:00Z
06:30  2026-12-01T06:29:59.9Z  month   2026-11-01T06:30:00Z  2026-12-01T06:30:00Z
06:30  2026-12-01T06:30:00Z    month   2026-12-01T06:30:00Z  2027-01-01T06:30:00Z
11:59  2026-12-01T11:58:59Z    month   2026-11-01T11:59:00Z  2026-12-01T11:59:00Z
12:00  2026-11-30T11:59:59Z    month   2026-10-31T12:00:00Z  2026-11-30T12:00:00Z
23:00  2026-11-29T23:30:00Z    day     2026-11-29T23:00:00Z  2026-11-30T23:00:00Z
23:00  2026-11-30T22:59:59Z    month   2026-10-31T23:00:00Z  2026-11-30T23:00:00Z
23:00  2026-11-30T23:00:00Z    month   2026-11-30T23:00:00Z  2026-12-31T23:00:00Z
00:00  1969-12-31T23:59:59.5Z  day     1969-12-31T00:00:00Z  1970-01-01T00:00:00Z
";

#[test]
fn windows_begin_at_the_anchor() {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    for row in WINDOWS.trim().lines() {
        let [anchor, at, size, start, end] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let size: WindowSize = size.parse().unwrap();
        let found = size.start(moment(at), anchor.parse().unwrap());
        assert_eq!(
            (found, size.end(found)),
            (moment(start), moment(end)),
            "{row}"
        );
        if size >= WindowSize::Day {
            assert_eq!(
                BillingAnchor::of_day(found),
                anchor.parse().unwrap(),
                "{row}"
            );
        }
    }
}

#[test]
fn days_belong_to_the_month_of_their_date() {
    let rows = [
        ("2026-11-01T00:00:00Z", "2026-11"),
        ("2026-11-30T11:59:00Z", "2026-11"),
        ("2026-11-30T12:00:00Z", "2026-12"),
        ("2026-10-31T23:00:00Z", "2026-11"),
    ];
    for (day, period) in rows {
        assert_eq!(
            BillingPeriod::of_day(day.parse().unwrap()).to_string(),
            period,
            "{day}"
        );
    }
}
