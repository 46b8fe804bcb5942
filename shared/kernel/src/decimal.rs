//! Exact decimal quantities.

use crate::{Invalid, text_schema};
use bigdecimal::{BigDecimal, RoundingMode, Zero};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::ops::Add;
use std::str::FromStr;

/// An exact decimal of at most 38 significant digits, as DynamoDB stores numbers.
///
/// Parsing is strict about size, so that a short text such as `1e999999999` cannot cost memory.
/// Sums of valid quantities are exact; see [`Quantity::is_storable`] for the bound on results.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, SerializeDisplay, DeserializeFromStr)]
pub struct Quantity(BigDecimal);

const DIGITS_MAX: u64 = 38;
/// Enough for every storable quantity in plain notation: sign, digits, point and the widest exponent.
const TEXT_LENGTH_MAX: usize = 120;
const EXPONENT_MAX: i64 = 60;
const MEAN_PLACES: i64 = 12;
const RULE: &str = "a decimal number of at most 38 significant digits";

impl Quantity {
    /// Nothing.
    #[must_use]
    pub fn zero() -> Self {
        Self::default()
    }

    /// The decimal itself, for arithmetic.
    #[must_use]
    pub const fn as_decimal(&self) -> &BigDecimal {
        &self.0
    }

    /// Takes the result of arithmetic.
    ///
    /// # Errors
    /// When it has more than 38 significant digits or an exponent that no meter needs.
    pub fn from_decimal(decimal: BigDecimal) -> Result<Self, Invalid> {
        let quantity = Self(decimal.normalized());
        if quantity.is_storable() { Ok(quantity) } else { Err(Invalid { kind: "quantity", rule: RULE }) }
    }

    /// The mean of so many values with this sum, rounded half to even to 12 places after the point; zero of none.
    ///
    /// # Errors
    /// When it has more than 38 significant digits.
    pub fn mean(&self, count: u64) -> Result<Self, Invalid> {
        if count == 0 {
            return Ok(Self::zero());
        }
        let mean = &self.0 / BigDecimal::from(count);
        Self::from_decimal(mean.with_scale_round(MEAN_PLACES, RoundingMode::HalfEven))
    }

    /// Whether it is at least so many percent of a whole.
    #[must_use]
    pub fn reaches(&self, percent: u16, whole: &Self) -> bool {
        &self.0 * BigDecimal::from(100) >= &whole.0 * BigDecimal::from(percent)
    }

    /// Whether it fits the 38 digits that a DynamoDB number holds exactly.
    #[must_use]
    pub fn is_storable(&self) -> bool {
        self.0.digits() <= DIGITS_MAX && self.0.fractional_digit_count().abs() <= EXPONENT_MAX
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.0 < BigDecimal::zero()
    }
}

impl From<u64> for Quantity {
    fn from(count: u64) -> Self {
        Self(BigDecimal::from(count).normalized())
    }
}

impl Add<&Self> for Quantity {
    type Output = Self;

    fn add(self, other: &Self) -> Self {
        Self((self.0 + &other.0).normalized())
    }
}

impl FromStr for Quantity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid { kind: "quantity", rule: RULE };
        if text.len() > TEXT_LENGTH_MAX || !is_number(text) || exponent(text).abs() > EXPONENT_MAX {
            return Err(invalid);
        }
        let decimal = BigDecimal::from_str(text).map_err(|_| invalid)?;
        Self::from_decimal(decimal)
    }
}

/// Whether a text is a JSON number (RFC 8259): the parser below takes more than that.
fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
}

/// The written exponent of a number; one that is out of any range counts as endless.
fn exponent(text: &str) -> i64 {
    match text.split_once(['e', 'E']) {
        Some((_, digits)) => digits.parse().unwrap_or(i64::from(i32::MAX)),
        None => 0,
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantity({self})")
    }
}

text_schema!(Quantity, "An exact decimal of at most 38 significant digits.", pattern: "^-?[0-9]+(\\.[0-9]+)?$", maxLength: 100);
