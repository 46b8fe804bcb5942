use crate::aggregate::Aggregate;
use crate::value::{NumberError, Value};
use bigdecimal::BigDecimal;
use kernel::Quantity;
use proptest::prelude::*;

#[test]
fn numbers_are_read_exactly() {
    let nines = "9".repeat(38);
    let decimals = |zeros: usize, digits: &str| format!("0.{}{digits}", "0".repeat(zeros));
    let (finest, finer) = (decimals(339, "1"), decimals(340, "1"));
    let widest = format!("{}e-340", "9".repeat(38));
    let (long_zero, long_one) = (
        format!("0.{}", "0".repeat(2_000)),
        format!("1.{}", "0".repeat(2_000)),
    );
    let shifted = format!("{}e2001", decimals(2_000, "1"));
    let rows: &[(&str, Result<&str, NumberError>)] = &[
        ("0", Ok("0")),
        ("-0", Ok("0")),
        ("0.000", Ok("0")),
        ("1", Ok("1")),
        ("-12.50", Ok("-12.5")),
        ("0.1", Ok("0.1")),
        ("1e3", Ok("1000")),
        ("1.5E-3", Ok("0.0015")),
        ("120e-1", Ok("12")),
        ("9007199254740993", Ok("9007199254740993")),
        ("0.30000000000000004", Ok("0.30000000000000004")),
        (&nines, Ok(&nines)),
        (&finest, Ok(&finest)),
        ("1e-340", Ok(&finest)),
        (&widest, Ok(&decimals(302, &nines))),
        ("1e37", Ok("10000000000000000000000000000000000000")),
        ("10e36", Ok("10000000000000000000000000000000000000")),
        (
            "0.00000000000000000000000000000000000001e75",
            Ok("10000000000000000000000000000000000000"),
        ),
        (
            "-99999999999999999999999999999999999999",
            Ok("-99999999999999999999999999999999999999"),
        ),
        // Leading and trailing zeros are not significant digits, however many there are.
        (&long_zero, Ok("0")),
        (&long_one, Ok("1")),
        (&shifted, Ok("1")),
        ("0e99999999999999999999", Ok("0")),
        ("0.0E-99999999999999999999", Ok("0")),
        ("1e0000000000000000000000000000002", Ok("100")),
        ("1e38", Err(NumberError::TooLarge)),
        ("-12e37", Err(NumberError::TooLarge)),
        ("1.7976931348623157e308", Err(NumberError::TooLarge)),
        ("1e999999999999999999999", Err(NumberError::TooLarge)),
        ("1e-341", Err(NumberError::TooManyDecimals)),
        (&finer, Err(NumberError::TooManyDecimals)),
        ("11e-341", Err(NumberError::TooManyDecimals)),
        ("1e-65536", Err(NumberError::TooManyDecimals)),
        (
            "1e-999999999999999999999",
            Err(NumberError::TooManyDecimals),
        ),
        (
            "100000000000000000000000000000000000001",
            Err(NumberError::TooManyDigits),
        ),
        (
            "10000000000000000000000000000000000000.1",
            Err(NumberError::TooManyDigits),
        ),
        ("", Err(NumberError::NotANumber)),
        ("-", Err(NumberError::NotANumber)),
        ("+1", Err(NumberError::NotANumber)),
        ("01", Err(NumberError::NotANumber)),
        (".5", Err(NumberError::NotANumber)),
        ("5.", Err(NumberError::NotANumber)),
        ("1e", Err(NumberError::NotANumber)),
        ("1 ", Err(NumberError::NotANumber)),
        ("0x10", Err(NumberError::NotANumber)),
        ("NaN", Err(NumberError::NotANumber)),
        ("Infinity", Err(NumberError::NotANumber)),
        ("1_000", Err(NumberError::NotANumber)),
        ("١", Err(NumberError::NotANumber)),
    ];
    for (text, expected) in rows {
        let read = text.parse::<Value>().map(|value| value.to_string());
        assert_eq!(read.as_deref().map_err(|error| *error), *expected, "{text}");
    }
}

/// A value of any width. Bounds and powers of ten are more frequent than by chance.
pub(super) fn any_value() -> impl Strategy<Value = Value> {
    let end = 10_i128.pow(38) - 1;
    let mantissa = prop_oneof![
        3 => -end..=end,
        2 => any::<i64>().prop_map(i128::from),
        1 => prop::sample::select(vec![0, 1, -1, 9, end, -end, end / 9, i128::from(u64::MAX)]),
        1 => (0_u32..38).prop_map(|zeros| 10_i128.pow(zeros)),
    ];
    let scale = prop_oneof![4 => 0_u16..=340, 2 => 0_u16..20, 1 => prop::sample::select(vec![0, 37, 38, 39, 339, 340])];
    (mantissa, scale).prop_map(|(mantissa, scale)| Value::new(mantissa, scale).unwrap())
}

fn decimal(value: impl ToString) -> BigDecimal {
    value
        .to_string()
        .parse::<BigDecimal>()
        .unwrap()
        .normalized()
}

pub(super) fn sum<'v>(values: impl IntoIterator<Item = &'v Value>) -> Aggregate {
    let mut sum = Aggregate::default();
    values
        .into_iter()
        .for_each(|value| sum.add(&(*value).into()));
    sum
}

proptest! {
    #[test]
    fn a_value_is_read_as_it_is_shown(value in any_value(), other in any_value()) {
        prop_assert_eq!(value.to_string().parse::<Value>().unwrap(), value);
        let written = format!("{}e-{}", value.mantissa(), value.scale());
        prop_assert_eq!(written.parse::<Value>().unwrap(), value);
        prop_assert_eq!(value.cmp(&other), decimal(value).cmp(&decimal(other)));
        prop_assert_eq!(value == other, decimal(value) == decimal(other));
    }

    /// The text of any double, in full or shortest, is accepted unless it is too far from zero.
    #[test]
    fn every_double_of_bounded_size_is_accepted(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        prop_assume!(double.is_finite());
        for text in [format!("{double}"), format!("{double:e}"), serde_json::to_string(&double).unwrap()] {
            let expected = if double.abs() < 1e38 { Ok(decimal(&text)) } else { Err(NumberError::TooLarge) };
            prop_assert_eq!(text.parse::<Value>().map(decimal), expected);
        }
    }

    #[test]
    fn sums_are_those_of_bigdecimal_in_any_order(
        (values, shuffled) in prop::collection::vec(any_value(), 0..40).prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
        taken_back in any_value(),
    ) {
        let expected = values.iter().fold(BigDecimal::default(), |sum, value| sum + decimal(value)).normalized();
        let found = sum(&values);
        prop_assert_eq!(decimal(&found), expected);
        prop_assert_eq!(&sum(&shuffled), &found);
        prop_assert_eq!(found.to_quantity().to_string().parse::<Quantity>().unwrap(), found.to_quantity());
        let mut back = found.clone();
        back.add(&taken_back.into());
        back.add(&taken_back.negated().into());
        prop_assert_eq!(&back, &found, "one number has one form");
    }

    #[test]
    fn totals_are_ordered_as_numbers_are(
        some in prop::collection::vec(any_value(), 1..4), others in prop::collection::vec(any_value(), 1..4),
    ) {
        let (a, b) = (sum(&some), sum(&others));
        prop_assert_eq!(a.cmp(&b), decimal(&a).cmp(&decimal(&b)));
        prop_assert_eq!(a == b, decimal(&a) == decimal(&b));
        prop_assert_eq!(a.cmp(&a.clone()), std::cmp::Ordering::Equal);
    }
}

#[test]
fn values_are_ordered_and_shown_as_numbers() {
    assert_eq!(
        format!("{:?}", "-0.50".parse::<Value>().unwrap()),
        "Value(-0.5)"
    );
    let value = |text: &str| text.parse::<Value>().unwrap();
    for (less, more) in [
        ("-2", "-1.5"),
        ("-1e-340", "0"),
        ("1", "1.000000001"),
        ("9.99", "10"),
        ("1e37", "2e37"),
    ] {
        assert!(
            value(less) < value(more) && value(more) > value(less),
            "{less} {more}"
        );
    }
}

#[test]
fn a_total_shows_its_number() {
    let total = Aggregate::from("-1.50".parse::<Value>().unwrap());
    assert_eq!(
        (total.to_string(), format!("{total:?}")),
        ("-1.5".to_owned(), "Aggregate(-1.5)".to_owned())
    );
}

/// The widest total: the most events, each of the greatest value, and one of the finest.
#[test]
fn the_widest_total_is_held() {
    let nines: Value = "9".repeat(38).parse().unwrap();
    let mut total = Aggregate::from(nines);
    // Doubled 63 times with one more event each time: 2^64 - 1 events, more than an i64 counts.
    for _ in 0..63 {
        total.add(&total.clone());
        total.add(&nines.into());
    }
    total.add(&"1e-340".parse::<Value>().unwrap().into());
    let events = BigDecimal::from(u64::MAX);
    let expected = events * decimal(nines) + "1e-340".parse::<BigDecimal>().unwrap();
    assert_eq!(decimal(&total), expected.normalized());
    let i64_max = (BigDecimal::from(i64::MAX) * decimal(nines)).to_plain_string();
    assert_eq!(i64_max.len(), 57);
    i64_max.parse::<Quantity>().unwrap();
    "9".repeat(58).parse::<Quantity>().unwrap_err();
}
