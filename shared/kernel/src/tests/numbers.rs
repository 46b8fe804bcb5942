//! Quantities, prices and money.

use super::check;
use crate::*;
use bigdecimal::BigDecimal;
use proptest::prelude::*;

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

/// The bound is on the text, including sign and point, whatever the number is.
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
fn the_digits_of_a_total_make_its_decimal() {
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
fn money_is_displayed_with_all_decimals() {
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
fn a_percentage_is_reached_exactly() {
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
        // Half a unit of the last place, after an even and an odd digit.
        ("0.000000000001", 2, "0"),
        ("0.000000000003", 2, "0.000000000002"),
        ("-0.000000000001", 2, "0"),
        ("-0.000000000003", 2, "-0.000000000002"),
        ("0.0000000000005", 1, "0"),
        ("0.0000000000015", 1, "0.000000000002"),
        // More than half a unit, by however little.
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

    /// The mean is the nearest number of twelve decimals, and the even one of two that are equally
    /// near.
    #[test]
    fn a_mean_is_rounded_to_the_nearest(digits in any::<i128>(), decimals in 0_u16..340, count in 1_u64..) {
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
}
