//! Points in time as RFC 3339 writes them.

use crate::*;
use proptest::prelude::*;

#[test]
fn only_the_forms_of_rfc_3339_are_parsed() {
    let rows = [
        ("2026-11-15T11:00:00Z", Some("2026-11-15T11:00:00Z")),
        ("2026-11-15t11:00:00z", Some("2026-11-15T11:00:00Z")),
        ("2026-11-15T11:00:00-00:00", Some("2026-11-15T11:00:00Z")),
        ("2026-11-15T11:00:00+00:00", Some("2026-11-15T11:00:00Z")),
        ("2026-11-15T11:00:00+23:59", Some("2026-11-14T11:01:00Z")),
        ("2026-11-15T11:00:00-23:59", Some("2026-11-16T10:59:00Z")),
        ("2026-11-15T11:00:00+24:00", None),
        ("2026-11-15T11:00:00+25:00", None),
        ("2026-11-15T11:00:00-24:00", None),
        ("2026-11-15T11:00:00+05:60", None),
        ("2026-11-15T11:00:00+05", None),
        ("2026-11-15T11:00:00+0530", None),
        ("2026-11-15T11:00:00+05:30:00", None),
        ("2026-11-15T11:00:00+5:30", None),
        ("2026-11-15T11:00:00[Europe/Berlin]", None),
        ("2026-11-15T11:00:00Z[UTC]", None),
        ("2026-11-15T11:00:00.1Z", Some("2026-11-15T11:00:00.1Z")),
        (
            "2026-11-15T11:00:00.123456789Z",
            Some("2026-11-15T11:00:00.123456789Z"),
        ),
        (
            "2026-11-15T11:00:00.1234567899999Z",
            Some("2026-11-15T11:00:00.123456789Z"),
        ),
        ("2026-11-15T11:00:00.Z", None),
        ("2026-11-15T11:00:00,1Z", None),
        ("2026-11-15T23:59:59Z", Some("2026-11-15T23:59:59Z")),
        ("2026-11-15T24:00:00Z", None),
        ("2026-11-15T11:60:00Z", None),
        ("2026-11-15T11:00:60Z", None),
        ("2026-11-15T23:59:60Z", None),
        ("2026-11-30T23:59:60Z", Some("2026-11-30T23:59:59Z")),
        (
            "2026-12-01T01:59:60.5+02:00",
            Some("2026-11-30T23:59:59.5Z"),
        ),
        ("2026-11-30T23:59:60+02:00", None),
        ("2026-11-30T23:59:61Z", None),
        ("2026-02-29T11:00:00Z", None),
        ("2028-02-29T11:00:00Z", Some("2028-02-29T11:00:00Z")),
        ("2026-00-15T11:00:00Z", None),
        ("2026-13-15T11:00:00Z", None),
        ("2026-11-00T11:00:00Z", None),
        ("2026-11-31T11:00:00Z", None),
        ("2026-11-15T11:00:00", None),
        ("2026-11-15 11:00:00Z", None),
        ("2026-11-15_11:00:00Z", None),
        ("2026-11-15", None),
        ("20261115T110000Z", None),
        ("2026-W46-7T11:00:00Z", None),
        ("+002026-11-15T11:00:00Z", None),
        ("-2026-11-15T11:00:00Z", None),
        ("2026-1\u{661}-15T11:00:00Z", None),
        (" 2026-11-15T11:00:00Z", None),
        ("2026-11-15T11:00:00Z ", None),
        ("2026-11-15T11:00:00\u{2212}01:00", None),
        ("1794744000", None),
        ("", None),
    ];
    for (text, expected) in rows {
        let expected = expected.map(|moment| moment.parse::<Timestamp>().unwrap());
        assert_eq!(parse_moment(text).ok(), expected, "{text}");
    }
}

proptest! {
    /// All fields of two digits: each is accepted exactly if it is in its range.
    #[test]
    fn a_field_out_of_its_range_is_refused(
        (month, day, hour, minute, second) in (0_u8..100, 0_u8..100, 0_u8..100, 0_u8..100, 0_u8..100),
        (is_ahead, offset_hours, offset_minutes) in (any::<bool>(), 0_u8..100, 0_u8..100),
        in_range in any::<u8>(),
    ) {
        // Some fields are brought into their ranges, since random ones would hardly ever be.
        let field = |at: u8, value: u8, least: u8, end: u8| if in_range >> at & 1 == 1 { least + value % (end - least) } else { value };
        let (month, day, hour) = (field(0, month, 1, 13), field(1, day, 1, 29), field(2, hour, 0, 24));
        let (minute, second) = (field(3, minute, 0, 60), field(4, second, 0, 60));
        let (offset_hours, offset_minutes) = (field(5, offset_hours, 0, 24), field(6, offset_minutes, 0, 60));
        let sign = if is_ahead { '+' } else { '-' };
        let text = format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{offset_hours:02}:{offset_minutes:02}");
        let days = match month { 2 => 28, 4 | 6 | 9 | 11 => 30, _ => 31 };
        let is_date = (1..=12).contains(&month) && (1..=days).contains(&day);
        let is_time = hour < 24 && minute < 60 && second < 60;
        let is_offset = offset_hours < 24 && offset_minutes < 60;
        let found = parse_moment(&text);
        if second == 60 {
            // A leap second is read as the second before it, or refused.
            let before = parse_moment(&text.replacen(":60", ":59", 1));
            prop_assert!(found.is_err() || found == before || minute == 60, "{}", text);
        } else {
            prop_assert_eq!(found.is_ok(), is_date && is_time && is_offset, "{}", text);
        }
        if let Ok(moment) = found {
            let (hours, minutes) = (i64::from(offset_hours), i64::from(offset_minutes));
            let ahead_s = (hours * 60 + minutes) * 60 * if is_ahead { 1 } else { -1 };
            let clock_s = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second.min(59));
            prop_assert_eq!((moment.as_second() + ahead_s).rem_euclid(86_400), clock_s, "{}", text);
        }
    }
}
