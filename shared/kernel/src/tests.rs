mod places;
mod words;

use crate::*;
use bigdecimal::BigDecimal;
use proptest::prelude::*;

fn check<T: std::str::FromStr + std::fmt::Display>(rows: &[(&str, bool)]) {
    for (text, valid) in rows {
        let parsed = text.parse::<T>();
        assert_eq!(parsed.is_ok(), *valid, "{text:?}");
        if let Ok(value) = parsed {
            assert_eq!(value.to_string(), *text);
        }
    }
}

#[test]
fn codes_hold_no_free_text() {
    check::<PlanCode>(&[
        ("starter", true),
        ("a", true),
        ("eu-pro_2", true),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("Jane Doe", false),
        ("jane@example.com", false),
        ("ä", false),
        (&"x".repeat(49), false),
    ]);
    check::<RegionCode>(&[
        ("eu-central-1", true),
        ("us-gov-west-1", true),
        ("eu-central-0", false),
        ("eu-central", false),
        ("EU-central-1", false),
        ("e-central-1", false),
    ]);
    check::<Alias>(&[
        ("23456789abcd", true),
        ("23456789abc", false),
        ("il23456789ab", false),
    ]);
    check::<SubdomainDigest>(&[
        (&"0f".repeat(32), true),
        (&"0F".repeat(32), false),
        (&"0".repeat(63), false),
        (&"0".repeat(65), false),
        ("acme", false),
    ]);
    check::<BillingPeriod>(&[
        ("2026-11", true),
        ("2026-00", false),
        ("2026-13", false),
        ("2026-1", false),
        ("+026-11", false),
    ]);
    check::<TenantId>(&[
        ("01890a5d-ac96-774b-bcce-b302099a8057", true),
        ("01890A5D-AC96-774B-BCCE-B302099A8057", false),
        ("01890a5dac96774bbcceb302099a8057", false),
    ]);
}

#[test]
fn what_is_no_text_is_refused_as_such() {
    let refusal = serde_json::from_str::<TenantId>("[1]")
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("expected a text"), "{refusal}");
}

/// The texts that the uuid crate reads as one UUID, and some that look like one to a person.
fn other_spellings(canonical: &str) -> Vec<String> {
    let simple = canonical.replace('-', "");
    let mut spellings = vec![
        simple.clone(),
        simple.to_uppercase(),
        format!("{{{canonical}}}"),
        format!("urn:uuid:{canonical}"),
        format!("URN:UUID:{canonical}"),
        format!(" {canonical}"),
        format!("{canonical} "),
        format!("{canonical}\n"),
        format!("{canonical}\u{0}"),
        format!("{canonical}\u{200b}"),
        format!("\u{feff}{canonical}"),
        canonical.replace('-', "\u{2010}"),
        canonical.replace('-', "\u{2212}"),
        canonical.replace('-', "_"),
        canonical[..35].to_owned(),
        format!("{canonical}0"),
        String::new(),
    ];
    // Digits and letters that are none of ASCII: full width, Cyrillic, Arabic-Indic.
    for (ascii, alike) in [
        ('0', '\u{ff10}'),
        ('1', '\u{661}'),
        ('a', '\u{430}'),
        ('c', '\u{441}'),
        ('e', '\u{ff45}'),
    ] {
        spellings.extend(
            canonical
                .contains(ascii)
                .then(|| canonical.replace(ascii, &alike.to_string())),
        );
    }
    let upper = canonical.to_uppercase();
    spellings.extend((upper != canonical).then_some(upper));
    spellings
}

proptest! {
    /// As the id of a path and as a member of a document alike.
    #[test]
    fn an_id_has_one_spelling(bytes: [u8; 16]) {
        let uuid = uuid::Uuid::from_bytes(bytes);
        let canonical = uuid.hyphenated().to_string();
        prop_assert_eq!(canonical_uuid(&canonical), Some(uuid));
        let ids = (
            canonical.parse::<TenantId>().ok(),
            read::<TenantId>(&canonical).ok(),
            read::<SignupId>(&canonical).ok().map(|id| id.to_string()),
        );
        let tenant = TenantId::from_uuid(uuid);
        prop_assert_eq!(ids, (Some(tenant), Some(tenant), Some(canonical.clone())));
        for other in other_spellings(&canonical) {
            prop_assert_eq!(canonical_uuid(&other), None, "{:?}", &other);
            prop_assert!(other.parse::<TenantId>().is_err(), "{:?}", &other);
            prop_assert!(read::<TenantId>(&other).is_err(), "{:?}", &other);
            prop_assert!(read::<EventId>(&other).is_err(), "{:?}", &other);
        }
    }
}

/// What a document with this text would say.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(serde::de::value::StrDeserializer::new(text))
}

#[test]
fn quantities_are_bounded() {
    check::<Quantity>(&[
        ("0", true),
        ("-1.5", true),
        (&"9".repeat(57), true),
        (&"9".repeat(58), false),
        (&format!("-{}.{}1", "9".repeat(57), "0".repeat(339)), true),
        (&format!("0.{}1", "0".repeat(340)), false),
        ("1e57", false),
        ("1e-341", false),
        ("0e398", false),
        ("0e-398", false),
        ("1e+-5", false),
        ("1e++5", false),
        ("1e 5", false),
        ("1e999999999", false),
        ("1e99999999999999999999", false),
        ("1E-4000000000", false),
        ("NaN", false),
        ("inf", false),
        ("", false),
        ("1_000", false),
        ("0x10", false),
        ("+1", false),
        ("-", false),
        (".5", false),
        ("5.", false),
        ("1.2.3", false),
        ("1-2", false),
        ("1e", false),
        ("1e5e5", false),
    ]);
    check::<PlanDecimal>(&[
        ("0.0004", true),
        (&"9".repeat(20), true),
        (&"9".repeat(21), false),
        (&format!("{}.{}", "9".repeat(20), "9".repeat(20)), true),
        (&format!("0.{}", "9".repeat(21)), false),
        ("1e20", false),
    ]);
    check::<Amount>(&[
        (&"9".repeat(160), true),
        (&"9".repeat(161), false),
        (&format!("-{}.9999", "9".repeat(160)), true),
        ("0.00001", false),
    ]);
    let exact = |text: &str| parse_exact(text).map(|number| number.to_plain_string());
    for (text, valid) in [
        (format!("-{}.{}", "9".repeat(160), "9".repeat(360)), true),
        ("9".repeat(161), false),
        (format!("0.{}", "9".repeat(361)), false),
        ("1e1".to_owned(), false),
        ("1E1".to_owned(), false),
        ("--1".to_owned(), false),
        ("1-".to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(exact(&text).ok(), valid.then_some(text));
    }
    for (text, plain) in [
        ("1e3", "1000"),
        ("1e56", &format!("1{}", "0".repeat(56))),
        ("120E-1", "12"),
        ("1e+2", "100"),
        ("0e397", "0"),
        ("0E-397", "0"),
    ] {
        assert_eq!(text.parse::<Quantity>().unwrap().to_string(), *plain);
    }
    assert_eq!("1.50".parse::<Quantity>().unwrap(), "1.5".parse().unwrap());
}

/// The bound is on the text, sign and point included, whatever the number is worth.
#[test]
fn a_text_is_no_longer_than_the_longest_number() {
    fn longest<T: std::str::FromStr>(zeros: usize) {
        assert!(format!("1.{}", "0".repeat(zeros)).parse::<T>().is_ok());
        assert!(format!("1.{}", "0".repeat(zeros + 1)).parse::<T>().is_err());
    }
    longest::<PlanDecimal>(20 + 20);
    longest::<Amount>(160 + 4);
    longest::<Quantity>(57 + 340);
}

#[test]
fn a_totals_digits_are_its_decimal() {
    for (digits, decimals, shown) in [
        (0, 340, "0"),
        (1_250, 3, "1.25"),
        (-7, 0, "-7"),
        (-7, 2, "-0.07"),
    ] {
        assert_eq!(
            Quantity::from_digits(digits.into(), decimals).to_string(),
            shown
        );
    }
}

#[test]
fn currencies_are_ordered_by_their_codes() {
    let currency = |code: &str| code.parse::<Currency>().unwrap();
    assert!(currency("EUR") < currency("USD") && currency("USD") > currency("JPY"));
}

#[test]
fn money_rounds_half_to_even_once() {
    for (amount, currency, rounded) in [
        ("0.125", "EUR", "0.12 EUR"),
        ("0.135", "EUR", "0.14 EUR"),
        ("2.5", "JPY", "2 JPY"),
        ("3.5", "JPY", "4 JPY"),
        ("1.0005", "BHD", "1.000 BHD"),
        ("7", "USD", "7.00 USD"),
    ] {
        let money = Money::rounded(&parse_exact(amount).unwrap(), currency.parse().unwrap());
        assert_eq!(money.to_string(), rounded);
    }
}

#[test]
fn money_is_shown_with_all_of_its_decimals() {
    for (amount, currency, shown) in [
        ("0.1", "EUR", "0.10 EUR"),
        ("0.12", "EUR", "0.12 EUR"),
        ("0.125", "EUR", "0.125 EUR"),
        ("0.1255", "EUR", "0.1255 EUR"),
        ("100", "JPY", "100 JPY"),
        ("100.5", "JPY", "100.5 JPY"),
        ("-3", "KWD", "-3.000 KWD"),
    ] {
        let money = Money::new(amount.parse().unwrap(), currency.parse().unwrap());
        assert_eq!(money.to_string(), shown);
    }
}

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

proptest! {
    #[test]
    fn sums_do_not_depend_on_order(mut numbers in prop::collection::vec(-1_000_000_i64..1_000_000, 1..20)) {
        let sum = |numbers: &[i64]| {
            numbers.iter().fold(Quantity::zero(), |sum, n| sum + &format!("{n}e-3").parse().unwrap())
        };
        let forward = sum(&numbers);
        let whole: i64 = numbers.iter().sum();
        prop_assert_eq!(&forward, &format!("{whole}e-3").parse().unwrap());
        numbers.reverse();
        prop_assert_eq!(forward, sum(&numbers));
    }

    /// The nearest of twelve places, and of two that are as near the even one.
    #[test]
    fn a_mean_is_the_nearest(digits in any::<i128>(), decimals in 0_u16..340, count in 1_u64..) {
        let sum = Quantity::from_digits(digits.into(), decimals);
        let mean = sum.mean(count);
        prop_assert_eq!(mean.to_string().parse::<Quantity>().unwrap(), mean.clone());
        let error = (sum.as_decimal() - mean.as_decimal() * BigDecimal::from(count)).abs() * BigDecimal::from(2);
        let place: BigDecimal = "1e-12".parse().unwrap();
        prop_assert!(error <= place * BigDecimal::from(count), "{sum:?} / {count} is not {mean:?}");
    }

    #[test]
    fn rounding_is_to_the_nearest_and_of_two_to_the_even(digits in any::<i64>(), decimals in 0_i64..9) {
        let exact = BigDecimal::new(digits.into(), decimals);
        let rounded = Money::rounded(&exact, "EUR".parse().unwrap());
        prop_assert_eq!(rounded.amount.to_string().parse::<Amount>().unwrap(), rounded.amount.clone());
        let twice_off = (exact - rounded.amount.as_decimal()).abs() * BigDecimal::from(2);
        let cent: BigDecimal = "0.01".parse().unwrap();
        let cents = rounded.amount.as_decimal() / &cent;
        prop_assert!(twice_off < cent || twice_off == cent && (cents.to_plain_string().ends_with(['0', '2', '4', '6', '8'])));
    }

    #[test]
    fn aliases_parse_back(bytes in any::<[u8; 16]>()) {
        let alias = Alias::from_random(bytes);
        prop_assert_eq!(alias.as_str().parse::<Alias>().unwrap(), alias);
    }
}

#[test]
fn groups_and_anchors_hold_no_free_text() {
    check::<UsageGroup>(&[
        ("", true),
        ("model=large", true),
        ("model=large,kind=input", true),
        ("model", false),
        ("model=", false),
        ("model=Jane Doe", false),
        ("model=large,", false),
        ("a=a,b=b,c=c,d=d", true),
        ("a=a,b=b,c=c,d=d,e=e", false),
    ]);
    check::<BillingAnchor>(&[
        ("00:00", true),
        ("23:59", true),
        ("24:00", false),
        ("06:60", false),
        ("6:30", false),
        ("+6:30", false),
    ]);
    check::<WindowSize>(&[
        ("minute", true),
        ("hour", true),
        ("day", true),
        ("month", true),
        ("week", false),
    ]);
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

#[test]
fn windows_begin_at_the_anchor() {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let rows = [
        (
            "00:00",
            "2026-11-30T23:59:59.9Z",
            WindowSize::Minute,
            "2026-11-30T23:59:00Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            "00:00",
            "2026-11-30T23:59:59.9Z",
            WindowSize::Hour,
            "2026-11-30T23:00:00Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            "00:00",
            "2026-11-30T23:59:59.9Z",
            WindowSize::Day,
            "2026-11-30T00:00:00Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            "00:00",
            "2026-11-30T23:59:59.9Z",
            WindowSize::Month,
            "2026-11-01T00:00:00Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            "06:30",
            "2026-11-30T06:29:59.9Z",
            WindowSize::Minute,
            "2026-11-30T06:29:00Z",
            "2026-11-30T06:30:00Z",
        ),
        (
            "06:30",
            "2026-11-30T06:29:59.9Z",
            WindowSize::Hour,
            "2026-11-30T05:30:00Z",
            "2026-11-30T06:30:00Z",
        ),
        (
            "06:30",
            "2026-11-30T06:29:59.9Z",
            WindowSize::Day,
            "2026-11-29T06:30:00Z",
            "2026-11-30T06:30:00Z",
        ),
        (
            "06:30",
            "2026-12-01T06:29:59.9Z",
            WindowSize::Month,
            "2026-11-01T06:30:00Z",
            "2026-12-01T06:30:00Z",
        ),
        (
            "06:30",
            "2026-12-01T06:30:00Z",
            WindowSize::Month,
            "2026-12-01T06:30:00Z",
            "2027-01-01T06:30:00Z",
        ),
        (
            "11:59",
            "2026-12-01T11:58:59Z",
            WindowSize::Month,
            "2026-11-01T11:59:00Z",
            "2026-12-01T11:59:00Z",
        ),
        (
            "12:00",
            "2026-11-30T11:59:59Z",
            WindowSize::Month,
            "2026-10-31T12:00:00Z",
            "2026-11-30T12:00:00Z",
        ),
        (
            "23:00",
            "2026-11-29T23:30:00Z",
            WindowSize::Day,
            "2026-11-29T23:00:00Z",
            "2026-11-30T23:00:00Z",
        ),
        (
            "23:00",
            "2026-11-30T22:59:59Z",
            WindowSize::Month,
            "2026-10-31T23:00:00Z",
            "2026-11-30T23:00:00Z",
        ),
        (
            "23:00",
            "2026-11-30T23:00:00Z",
            WindowSize::Month,
            "2026-11-30T23:00:00Z",
            "2026-12-31T23:00:00Z",
        ),
        (
            "00:00",
            "1969-12-31T23:59:59.5Z",
            WindowSize::Day,
            "1969-12-31T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ),
    ];
    for (anchor, at, size, start, end) in rows {
        let found = size.start(moment(at), anchor.parse().unwrap());
        assert_eq!(
            (found, size.end(found)),
            (moment(start), moment(end)),
            "{anchor} {at} {size}"
        );
        if size >= WindowSize::Day {
            assert_eq!(
                BillingAnchor::of_day(found),
                anchor.parse().unwrap(),
                "{anchor} {at} {size}"
            );
        }
    }
}

#[test]
fn days_are_of_the_month_of_their_name() {
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

#[test]
fn a_part_is_reached_exactly() {
    let rows = [
        ("49.99", 50, "100", false),
        ("50", 50, "100", true),
        ("0.1", 33, "0.3", true),
        ("0", 1, "3", false),
    ];
    for (value, percent, whole, expected) in rows {
        let (value, whole): (Quantity, PlanDecimal) =
            (value.parse().unwrap(), whole.parse().unwrap());
        assert_eq!(
            value.reaches(percent, &whole),
            expected,
            "{value} of {whole}"
        );
    }
    let almost: Quantity = format!("0.0{}", "9".repeat(339)).parse().unwrap();
    assert!(
        !almost.reaches(100, &"0.1".parse().unwrap()),
        "no digit is lost"
    );
}

#[test]
fn a_mean_is_rounded_half_to_even() {
    let (wide, beyond) = (
        "9".repeat(57),
        format!("0.0000000000005{}1", "0".repeat(326)),
    );
    let below = format!("0.0000000000004{}", "9".repeat(327));
    let rows = [
        ("10", 4, "2.5"),
        ("1", 3, "0.333333333333"),
        ("2", 3, "0.666666666667"),
        ("-2", 3, "-0.666666666667"),
        ("5", 0, "0"),
        ("0", 7, "0"),
        // Half of the last place, of an even and of an odd one.
        ("0.000000000001", 2, "0"),
        ("0.000000000003", 2, "0.000000000002"),
        ("-0.000000000001", 2, "0"),
        ("-0.000000000003", 2, "-0.000000000002"),
        ("0.0000000000005", 1, "0"),
        ("0.0000000000015", 1, "0.000000000002"),
        // However little more than half it is.
        (&beyond, 1, "0.000000000001"),
        (&below, 1, "0"),
        (&wide, 1, &wide),
        (
            &wide,
            u64::MAX,
            "54210108624275221703311375920552804341.370213034169",
        ),
    ];
    for (sum, count, mean) in rows {
        assert_eq!(
            sum.parse::<Quantity>().unwrap().mean(count).to_string(),
            mean,
            "{sum} / {count}"
        );
    }
}

#[test]
fn moments_are_those_of_rfc_3339() {
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
    /// Fields of every two digits: each is taken exactly where it is in its range.
    #[test]
    fn a_field_out_of_its_range_is_no_moment(
        (month, day, hour, minute, second) in (0_u8..100, 0_u8..100, 0_u8..100, 0_u8..100, 0_u8..100),
        (is_ahead, offset_hours, offset_minutes) in (any::<bool>(), 0_u8..100, 0_u8..100),
        in_range in any::<u8>(),
    ) {
        // Each field is brought into its range by chance: all of them at random would hardly ever
        // be.
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
            // A leap second is read as the one before it, or is none.
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

#[test]
fn a_domain_is_one_that_mail_and_dns_take() {
    for valid in [
        "example.com",
        "EXAMPLE.com",
        "a.b.co.uk",
        "1and1.com",
        "xn--bcher-kva.example",
        "x.xn--p1ai",
        "a-b.de",
    ] {
        assert_eq!(
            valid.parse::<DomainName>().unwrap().as_str(),
            valid.to_ascii_lowercase()
        );
    }
    assert_eq!(
        "Example.COM".parse::<DomainName>().unwrap().to_string(),
        "example.com"
    );
    let (long_label, long) = (format!("{}.com", "a".repeat(64)), "a.".repeat(126) + "com");
    for invalid in [
        "",
        ".",
        "com",
        "a..b",
        ".a.com",
        "a.com.",
        "-a.com",
        "a-.com",
        "a_b.com",
        "a b.com",
        "127.0.0.1",
        "1.2",
        "a.b1",
        "a.c",
        "xn--a.com",
        "xn--.com",
        "a.xn--a",
        "ab--c.com",
        "b\u{fc}cher.de",
        "a\u{3002}com",
        "*.com",
        "a.com/x",
        "a.com:25",
        "[::1]",
        "\u{212a}.com",
        &long_label,
        &long,
    ] {
        assert!(invalid.parse::<DomainName>().is_err(), "{invalid:?}");
    }
    assert!(is_host_name("localhost") && is_host_name("127.0.0.1") && !is_host_name(""));
    assert!(
        is_readable_subdomain("not_a-label")
            && !is_readable_subdomain("XN--a")
            && is_readable_subdomain("xn--p1ai")
    );
}
