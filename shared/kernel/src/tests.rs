use crate::*;
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
    check::<Alias>(&[("23456789abcd", true), ("23456789abc", false), ("il23456789ab", false)]);
    check::<ClaimDigest>(&[
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
    for (ascii, alike) in [('0', '\u{ff10}'), ('1', '\u{661}'), ('a', '\u{430}'), ('c', '\u{441}'), ('e', '\u{ff45}')] {
        spellings.extend(canonical.contains(ascii).then(|| canonical.replace(ascii, &alike.to_string())));
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
        ("99999999999999999999999999999999999999", true),
        ("999999999999999999999999999999999999999", false),
        ("1e999999999", false),
        ("1e99999999999999999999", false),
        ("1E-4000000000", false),
        ("NaN", false),
        ("inf", false),
        ("", false),
        ("1_000", false),
        ("0x10", false),
    ]);
    assert_eq!("1e3".parse::<Quantity>().unwrap().to_string(), "1000");
    for widest in ["-99999999999999999999999999999999999999e60", "-99999999999999999999999999999999999999e-60"] {
        if let Ok(quantity) = widest.parse::<Quantity>() {
            assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
        }
    }
    assert_eq!("1.50".parse::<Quantity>().unwrap(), "1.5".parse().unwrap());
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
        let money = Money::new(amount.parse().unwrap(), currency.parse().unwrap());
        assert_eq!(money.rounded().to_string(), rounded);
    }
}

#[test]
fn a_period_is_a_utc_month() {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let december: BillingPeriod = "2026-12".parse().unwrap();
    assert_eq!(BillingPeriod::containing(moment("2026-12-31T23:59:59Z")), december);
    assert_eq!(BillingPeriod::ended_before(moment("2027-01-01T00:00:00Z")), december);
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
        numbers.reverse();
        prop_assert_eq!(forward, sum(&numbers));
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
    check::<WindowSize>(&[("minute", true), ("hour", true), ("day", true), ("month", true), ("week", false)]);
}

#[test]
fn windows_begin_at_the_anchor() {
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let rows = [
        ("00:00", "2026-11-30T23:59:59.9Z", WindowSize::Minute, "2026-11-30T23:59:00Z", "2026-12-01T00:00:00Z"),
        ("00:00", "2026-11-30T23:59:59.9Z", WindowSize::Hour, "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"),
        ("00:00", "2026-11-30T23:59:59.9Z", WindowSize::Day, "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("00:00", "2026-11-30T23:59:59.9Z", WindowSize::Month, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("06:30", "2026-11-30T06:29:59.9Z", WindowSize::Minute, "2026-11-30T06:29:00Z", "2026-11-30T06:30:00Z"),
        ("06:30", "2026-11-30T06:29:59.9Z", WindowSize::Hour, "2026-11-30T05:30:00Z", "2026-11-30T06:30:00Z"),
        ("06:30", "2026-11-30T06:29:59.9Z", WindowSize::Day, "2026-11-29T06:30:00Z", "2026-11-30T06:30:00Z"),
        ("06:30", "2026-12-01T06:29:59.9Z", WindowSize::Month, "2026-11-01T06:30:00Z", "2026-12-01T06:30:00Z"),
        ("06:30", "2026-12-01T06:30:00Z", WindowSize::Month, "2026-12-01T06:30:00Z", "2027-01-01T06:30:00Z"),
        ("11:59", "2026-12-01T11:58:59Z", WindowSize::Month, "2026-11-01T11:59:00Z", "2026-12-01T11:59:00Z"),
        ("12:00", "2026-11-30T11:59:59Z", WindowSize::Month, "2026-10-31T12:00:00Z", "2026-11-30T12:00:00Z"),
        ("23:00", "2026-11-29T23:30:00Z", WindowSize::Day, "2026-11-29T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("23:00", "2026-11-30T22:59:59Z", WindowSize::Month, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("23:00", "2026-11-30T23:00:00Z", WindowSize::Month, "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("00:00", "1969-12-31T23:59:59.5Z", WindowSize::Day, "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
    ];
    for (anchor, at, size, start, end) in rows {
        let found = size.start(moment(at), anchor.parse().unwrap());
        assert_eq!((found, size.end(found)), (moment(start), moment(end)), "{anchor} {at} {size}");
        if size >= WindowSize::Day {
            assert_eq!(BillingAnchor::of_day(found), anchor.parse().unwrap(), "{anchor} {at} {size}");
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
        assert_eq!(BillingPeriod::of_day(day.parse().unwrap()).to_string(), period, "{day}");
    }
}

#[test]
fn a_part_is_reached_exactly() {
    let rows = [("49.99", 50, "100", false), ("50", 50, "100", true), ("0.1", 33, "0.3", true), ("0", 1, "3", false)];
    for (value, percent, whole, expected) in rows {
        let [value, whole]: [Quantity; 2] = [value, whole].map(|text| text.parse().unwrap());
        assert_eq!(value.reaches(percent, &whole), expected, "{value} of {whole}");
    }
    let [a, whole]: [Quantity; 2] =
        ["0.0999999999999999999999999999999999999", "0.1"].map(|text| text.parse().unwrap());
    assert!(!a.reaches(100, &whole), "no digit is lost");
}

#[test]
fn a_mean_is_rounded_half_to_even() {
    let rows = [("10", 4, "2.5"), ("1", 3, "0.333333333333"), ("2", 3, "0.666666666667"), ("5", 0, "0")];
    for (sum, count, mean) in rows {
        assert_eq!(sum.parse::<Quantity>().unwrap().mean(count).unwrap().to_string(), mean, "{sum} / {count}");
    }
    let half: Quantity = "0.000000000001".parse().unwrap();
    assert_eq!(half.mean(2).unwrap(), Quantity::zero());
    let one_and_a_half: Quantity = "0.000000000003".parse().unwrap();
    assert_eq!(one_and_a_half.mean(2).unwrap().to_string(), "0.000000000002");
}
