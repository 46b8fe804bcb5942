//! Exact results of arithmetic on quantities and prices.

use bigdecimal::{BigDecimal, RoundingMode, Zero};
use kernel::{Currency, Invalid, Money, Quantity};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

/// An exact decimal of as many digits as it takes.
///
/// A [`Quantity`] has at most 38 digits, as DynamoDB's numbers do; the sum of a month's windows, or
/// its product with a price, may have more. Nothing is rounded before a line's amount is.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, SerializeDisplay, DeserializeFromStr, utoipa::ToSchema,
)]
#[schema(value_type = String, description = "An exact decimal of as many digits as it takes, in plain notation.")]
pub struct Exact(BigDecimal);

/// Above every sum of a month's windows times a price: (60 + 38) digits on each side of the point, twice.
const TEXT_LENGTH_MAX: usize = 480;

impl Exact {
    /// Nothing.
    #[must_use]
    pub fn zero() -> Self {
        Self::default()
    }

    /// Whether it is above zero.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.0 > BigDecimal::zero()
    }

    /// The smallest whole number of packages of a size, above zero, that holds it.
    pub(crate) fn packages(&self, size: &Self) -> Self {
        let scale = self.0.fractional_digit_count().max(size.0.fractional_digit_count());
        let (units, _) = self.0.with_scale(scale).into_bigint_and_scale();
        let (size, _) = size.0.with_scale(scale).into_bigint_and_scale();
        let packages = (units + &size - 1) / size;
        Self(BigDecimal::from(packages).normalized())
    }

    /// The amount as money: the one rounding of a line, half to even to the currency's minor unit, which
    /// is the rule of [`Money::rounded`].
    ///
    /// # Errors
    /// When the rounded amount has more digits than can be stored.
    pub fn rounded(&self, currency: Currency) -> Result<Money, Invalid> {
        let amount = self.0.with_scale_round(currency.minor_digits(), RoundingMode::HalfEven);
        Ok(Money::new(Quantity::from_decimal(amount)?, currency))
    }
}

impl From<&Quantity> for Exact {
    fn from(quantity: &Quantity) -> Self {
        Self(quantity.as_decimal().normalized())
    }
}

impl Add<&Self> for Exact {
    type Output = Self;

    fn add(self, other: &Self) -> Self {
        Self((self.0 + &other.0).normalized())
    }
}

impl Sub<&Self> for Exact {
    type Output = Self;

    fn sub(self, other: &Self) -> Self {
        Self((self.0 - &other.0).normalized())
    }
}

impl Mul<&Exact> for &Exact {
    type Output = Exact;

    fn mul(self, other: &Exact) -> Exact {
        Exact((&self.0 * &other.0).normalized())
    }
}

impl<'a> Sum<&'a Self> for Exact {
    fn sum<I: Iterator<Item = &'a Self>>(terms: I) -> Self {
        terms.fold(Self::zero(), |sum, term| sum + term)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({self})")
    }
}

impl FromStr for Exact {
    type Err = Invalid;

    /// Reads what [`fmt::Display`] writes: plain notation only, so that a short text cannot cost memory.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid { kind: "amount", rule: "a decimal number in plain notation" };
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        if text.len() > TEXT_LENGTH_MAX || !plain {
            return Err(invalid);
        }
        let decimal = BigDecimal::from_str(text).map_err(|_| invalid)?;
        Ok(Self(decimal.normalized()))
    }
}
