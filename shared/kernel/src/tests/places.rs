//! Public descriptions of a region.

use super::check;
use crate::*;
use proptest::prelude::*;

#[test]
fn a_region_name_is_of_a_closed_alphabet() {
    check::<RegionName>(&[
        ("Europe (Frankfurt)", true),
        ("US East (N. Virginia)", true),
        ("X", true),
        ("A,b-c.d 1", true),
        (&"x".repeat(48), true),
        (&"x".repeat(49), false),
        ("", false),
        ("1 Europe", false),
        (" Europe", false),
        ("(Frankfurt)", false),
        ("Zürich", false),
        ("Europe<b>", false),
        ("Europe\nFrankfurt", false),
        ("a/b", false),
    ]);
    assert_eq!(
        "Europe (Frankfurt)".parse::<RegionName>().unwrap().as_str(),
        "Europe (Frankfurt)"
    );
}

#[test]
fn a_public_address_is_scheme_host_and_port() {
    let longest = format!("https://{}", "a".repeat(248));
    let too_long = format!("https://{}", "a".repeat(249));
    check::<PublicUrl>(&[
        ("https://api.example.com", true),
        ("https://a-b.example.com:8443", true),
        ("https://1.example:1", true),
        ("https://example.com:65535", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        ("https://example.com:65536", false),
        ("https://example.com:000080", false),
        ("https://example.com:", false),
        ("https://example.com:+80", false),
        ("https://example.com:8a", false),
        ("https://:443", false),
        ("https://", false),
        ("https://example.com/", false),
        ("https://Example.com", false),
        ("https://user@example.com", false),
        ("https://exa mple.com", false),
        ("http://example.com", false),
        ("http://127.0.0.1:4600", true),
        ("http://127.0.0.1:", false),
        ("http://127.0.0.1:99999", false),
        ("http://127.0.0.1", false),
        ("example.com", false),
        ("", false),
    ]);
    assert_eq!(
        "https://api.example.com"
            .parse::<PublicUrl>()
            .unwrap()
            .as_str(),
        "https://api.example.com"
    );
}

#[test]
fn a_jurisdiction_is_two_to_eight_letters() {
    check::<Jurisdiction>(&[
        ("eu", true),
        ("us", true),
        ("abcdefgh", true),
        ("abcdefghi", false),
        ("e", false),
        ("EU", false),
        ("e1", false),
        ("", false),
    ]);
    assert_eq!("eu".parse::<Jurisdiction>().unwrap().as_str(), "eu");
}

#[test]
fn a_location_is_on_the_globe() {
    let milli = |text: &str| {
        let place: Location = text.parse().unwrap();
        (place.latitude_millidegrees, place.longitude_millidegrees)
    };
    assert_eq!(milli("50.11,8.68"), (50_110, 8_680));
    assert_eq!(milli("-33.8688, 151.2093"), (-33_869, 151_209));
    assert_eq!(milli("90,180"), (90_000, 180_000));
    assert_eq!(milli("-90,-180"), (-90_000, -180_000));
    for beyond in [
        "90.001,0",
        "-90.001,0",
        "0,180.001",
        "0,-180.001",
        "NaN,0",
        "0,NaN",
        "inf,0",
        "50.11",
        "",
        "a,b",
    ] {
        assert!(beyond.parse::<Location>().is_err(), "{beyond}");
    }
}

/// Distances by the haversine formula on a sphere of 6,371 km. A quarter of a meridian is a quarter
/// of its circumference; the others are published great-circle distances, which differ by less than
/// a percent.
#[test]
fn distances_are_great_circle_distances() {
    let place = |text: &str| text.parse::<Location>().unwrap();
    let quarter_km = std::f64::consts::FRAC_PI_2 * 6371.0;
    let rows = [
        ("0,0", "0,0", 0.0),
        ("0,0", "90,0", quarter_km),
        ("0,0", "0,90", quarter_km),
        ("0,0", "0,180", 2.0 * quarter_km),
        ("90,0", "-90,0", 2.0 * quarter_km),
        ("50.11,8.68", "38.95,-77.45", 6_560.0), // Frankfurt, Virginia
        ("50.11,8.68", "19.08,72.88", 6_570.0),  // Frankfurt, Mumbai
        ("-33.87,151.21", "35.68,139.69", 7_820.0), // Sydney, Tokyo
        ("0,179.5", "0,-179.5", 6371.0_f64 * 1.0_f64.to_radians()),
    ];
    for (from, to, expected_km) in rows {
        let (from, to) = (place(from), place(to));
        let distance_km = from.distance_km(&to);
        assert!(
            (distance_km - expected_km).abs() <= 0.01 * expected_km + 1e-6,
            "{from:?} {to:?}: {distance_km}"
        );
        assert!((distance_km - to.distance_km(&from)).abs() < 1e-6);
    }
}

#[test]
fn a_billing_anchor_is_a_minute_of_the_day() {
    let minutes = |text: &str| text.parse::<BillingAnchor>().unwrap().minutes();
    assert_eq!(
        [
            minutes("00:00"),
            minutes("00:01"),
            minutes("06:30"),
            minutes("23:59")
        ],
        [0, 1, 390, 1439]
    );
    assert_eq!(
        BillingAnchor::after_midnight(390).map(BillingAnchor::minutes),
        Some(390)
    );
    assert_eq!(
        BillingAnchor::after_midnight(1439).map(BillingAnchor::minutes),
        Some(1439)
    );
    assert_eq!(BillingAnchor::after_midnight(1440), None);
    assert_eq!(BillingAnchor::after_midnight(u16::MAX), None);
}

/// The characters are the digits of the number in base 31, the lowest first.
#[test]
fn an_alias_is_its_random_number_in_base_31() {
    let alias = |number: u128| Alias::from_random(number.to_be_bytes()).to_string();
    assert_eq!(alias(0), "222222222222");
    assert_eq!(alias(1), "322222222222");
    assert_eq!(alias(30), "z22222222222");
    assert_eq!(alias(31), "232222222222");
    assert_eq!(alias(31 * 31 + 2 * 31 + 3), "543222222222");
    assert_eq!(alias(31_u128.pow(12) - 1), "zzzzzzzzzzzz");
    assert_eq!(alias(31_u128.pow(12)), "222222222222");
}

#[test]
fn a_billing_period_has_six_digits() {
    check::<BillingPeriod>(&[
        ("2000-01", true),
        ("9000-12", true),
        ("1999-12", false),
        ("9001-01", false),
        ("202a-11", false),
        ("2026-1a", false),
        ("+202-11", false),
        ("2026-+1", false),
        ("20266-1", false),
        ("2026-011", false),
        ("202611", false),
        ("2026-11-01", false),
    ]);
}

proptest! {
    /// No two places are further apart than half a circumference, and the distance is zero only to
    /// the place itself.
    #[test]
    fn no_distance_is_longer_than_half_the_globe(
        from in (-90_000_i32..=90_000, -180_000_i32..=180_000),
        to in (-90_000_i32..=90_000, -180_000_i32..=180_000),
    ) {
        let place = |(latitude_millidegrees, longitude_millidegrees)| Location { latitude_millidegrees, longitude_millidegrees };
        let distance_km = place(from).distance_km(&place(to));
        prop_assert!((0.0..=std::f64::consts::PI * 6371.0 + 1e-6).contains(&distance_km));
        prop_assert!(place(from).distance_km(&place(from)) < 1e-6);
    }
}
