use crate::{NumberError, Value};
use kernel::Quantity;
use proptest::prelude::*;

#[test]
fn numbers_are_read_exactly() {
    let nines = "9".repeat(38);
    let small = format!("0.{}1", "0".repeat(37));
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
        (&small, Ok(&small)),
        ("1e37", Ok("10000000000000000000000000000000000000")),
        ("1e38", Err(NumberError::TooManyDigits)),
        ("1e-39", Err(NumberError::TooManyDigits)),
        ("1e999999999999999999999", Err(NumberError::TooManyDigits)),
        ("1e-999999999999999999999", Err(NumberError::TooManyDigits)),
        ("100000000000000000000000000000000000001", Err(NumberError::TooManyDigits)),
        ("10000000000000000000000000000000000000.1", Err(NumberError::TooManyDigits)),
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

fn any_value() -> impl Strategy<Value = Value> {
    (-10_i128.pow(25)..10_i128.pow(25), 0_u8..13).prop_map(|(mantissa, scale)| Value::new(mantissa, scale).unwrap())
}

proptest! {
    #[test]
    fn a_value_is_the_quantity_of_its_text(value in any_value(), other in any_value()) {
        let quantity = value.to_quantity().unwrap();
        prop_assert_eq!(quantity.to_string(), value.to_string());
        prop_assert_eq!(value.to_string().parse::<Value>().unwrap(), value);
        prop_assert_eq!(value.cmp(&other), quantity.cmp(&other.to_quantity().unwrap()));
    }

    #[test]
    fn sums_are_exact_or_refused(value in any_value(), other in any_value()) {
        let sum = value.to_quantity().unwrap() + &other.to_quantity().unwrap();
        match value.plus(other) {
            Some(total) => prop_assert_eq!(total.to_quantity().unwrap(), sum),
            None => prop_assert!(sum.to_string().parse::<Quantity>().is_err()),
        }
    }
}
