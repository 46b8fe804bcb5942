//! Exact results of arithmetic on quantities and prices.

use bigdecimal::{BigDecimal, Zero};
use kernel::{Amount, Currency, Invalid, Money, PlanDecimal, Quantity, mean_of, parse_exact};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

/// An exact decimal of any number of digits.
///
/// The sum of a month's windows, or its product with a price, may have more digits than a
/// [`Quantity`]; `kernel` bounds their number. Only the amount of a line is rounded.
#[derive(
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    SerializeDisplay,
    DeserializeFromStr,
    utoipa::ToSchema,
)]
#[schema(value_type = String, description = "An exact decimal of any number of digits, in plain notation.")]
pub struct UnroundedAmount(BigDecimal);

impl UnroundedAmount {
    /// Zero.
    #[must_use]
    pub fn zero() -> Self {
        Self::default()
    }

    /// Whether the number is above zero.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.0 > BigDecimal::zero()
    }

    /// The number of packages of `size` that hold the units, rounded up. `size` is above zero.
    pub(crate) fn packages(&self, size: &Self) -> Self {
        let scale = self
            .0
            .fractional_digit_count()
            .max(size.0.fractional_digit_count());
        let (units, _) = self.0.with_scale(scale).into_bigint_and_scale();
        let (size, _) = size.0.with_scale(scale).into_bigint_and_scale();
        let packages = (units + &size - 1) / size;
        Self(BigDecimal::from(packages).normalized())
    }

    /// The mean of `count` numbers with this sum, see [`mean_of`].
    pub(crate) fn mean(&self, count: u64) -> Self {
        Self(mean_of(&self.0, count.into()))
    }

    /// Rounds the amount to money, see [`Money::rounded`]. It is the only rounding of a line.
    #[must_use]
    pub fn rounded(&self, currency: Currency) -> Money {
        Money::rounded(&self.0, currency)
    }
}

/// Conversions from narrower numbers.
macro_rules! exact_of {
    ($($name:ident)*) => {
        $(impl From<&$name> for UnroundedAmount {
            fn from(number: &$name) -> Self {
                Self(number.as_decimal().normalized())
            }
        })*
    };
}
exact_of! { Quantity PlanDecimal Amount }

impl Add<&Self> for UnroundedAmount {
    type Output = Self;

    fn add(self, other: &Self) -> Self {
        Self((self.0 + &other.0).normalized())
    }
}

impl Sub<&Self> for UnroundedAmount {
    type Output = Self;

    fn sub(self, other: &Self) -> Self {
        Self((self.0 - &other.0).normalized())
    }
}

impl Mul<&UnroundedAmount> for &UnroundedAmount {
    type Output = UnroundedAmount;

    fn mul(self, other: &UnroundedAmount) -> UnroundedAmount {
        UnroundedAmount((&self.0 * &other.0).normalized())
    }
}

impl<'a> Sum<&'a Self> for UnroundedAmount {
    fn sum<I: Iterator<Item = &'a Self>>(terms: I) -> Self {
        terms.fold(Self::zero(), |sum, term| sum + term)
    }
}

impl fmt::Display for UnroundedAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for UnroundedAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnroundedAmount({self})")
    }
}

impl FromStr for UnroundedAmount {
    type Err = Invalid;

    /// Parses the form that [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse_exact(text).map(Self)
    }
}
