//! Exact decimals: the numbers of a plan, quantities, amounts.
//!
//! Each type has two bounds, on digits before and on digits after the point, and is wide enough for
//! every result that can become one. The widths follow from the narrowest numbers, those that come
//! from outside:
//!
//! | number | whole digits | decimals | why |
//! |---|---|---|---|
//! | value of a usage event | 38 | 340 | what clients send; the shortest text of a double has at most 17 digits and ends at the 340th decimal or before (`2.2250738585072014e-308` at the 324th) |
//! | total of events, [`Quantity`] | 57 | 340 | fewer than 10^19 events, which an `i64` counts, of less than 10^38 each |
//! | number of a plan, [`PlanDecimal`] | 20 | 20 | what a catalogue may say of prices, tiers and packages |
//! | usage of a period | 77 | 340 | fewer than 10^20 totals |
//! | packages | 98 | 0 | usage / 10^-20, the smallest package, rounded up |
//! | one line of an invoice, exact | 119 | 360 | packages or units x price, and the flat fees of fewer than 10^20 tiers |
//! | one line, rounded | 120 | 4 | no currency has more than 4 decimals; an adjustment is the difference of two lines |
//! | invoice | 140 | 4 | fewer than 10^20 lines |
//! | billing run of a currency, [`Amount`] | 160 | 4 | fewer than 10^20 invoices |
//!
//! So arithmetic is never refused, and only what is read from a text is compared with a bound.

use crate::{Invalid, text_schema};
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, Zero};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::ops::Add;
use std::str::FromStr;

/// The most digits before the point that the value of a usage event has, and its most significant
/// digits.
pub const VALUE_DIGITS_MAX: u16 = 38;
/// The most digits after the point that the value of a usage event has.
pub const VALUE_DECIMALS_MAX: u16 = 340;
/// The digits of the greatest number of events that a total is made of.
const EVENTS_DIGITS: u16 = 19;
const TOTAL: Bounds = Bounds {
    whole: VALUE_DIGITS_MAX + EVENTS_DIGITS,
    decimals: VALUE_DECIMALS_MAX,
};
const PLAN: Bounds = Bounds {
    whole: 20,
    decimals: 20,
};
const AMOUNT: Bounds = Bounds {
    whole: 160,
    decimals: 4,
};
const EXACT: Bounds = Bounds {
    whole: AMOUNT.whole,
    decimals: TOTAL.decimals + PLAN.decimals,
};
const MEAN_DECIMALS: u32 = 12;

/// How many digits a number may have.
#[derive(Clone, Copy)]
struct Bounds {
    /// Before the point.
    whole: u16,
    /// After the point.
    decimals: u16,
}

impl Bounds {
    /// Reads a number in plain or scientific notation. No text is worth more memory than the
    /// bounds.
    fn parse(self, text: &str) -> Option<BigDecimal> {
        let digits = usize::from(self.whole) + usize::from(self.decimals);
        let exponent = written_exponent(text)?;
        if text.len() > digits + "-.".len() || exponent.unsigned_abs() > digits as u64 {
            return None;
        }
        let number = BigDecimal::from_str(text).ok()?.normalized();
        self.hold(&number).then_some(number)
    }

    /// Whether a normalized number is within the bounds.
    fn hold(self, number: &BigDecimal) -> bool {
        let decimals = number.fractional_digit_count();
        let whole = i64::try_from(number.digits())
            .unwrap_or(i64::MAX)
            .saturating_sub(decimals);
        whole <= i64::from(self.whole) && decimals <= i64::from(self.decimals)
    }
}

/// The exponent of a number as JSON writes them, or nothing of other texts: the parser of
/// `BigDecimal` takes more.
fn written_exponent(text: &str) -> Option<i64> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (digits, exponent) = text
        .split_once(['e', 'E'])
        .map_or((text, "0"), |(digits, exponent)| (digits, exponent));
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = is_digits(whole) && is_digits(fraction);
    is_number.then(|| exponent.parse().ok())?
}

/// Reads an exact amount before it is rounded: of any result of prices and usage.
///
/// # Errors
/// When it is wider than any such result, or not in the notation that these are written in.
pub fn parse_exact(text: &str) -> Result<BigDecimal, Invalid> {
    let invalid = Invalid {
        kind: "amount",
        rule: "a decimal number in plain notation",
    };
    let is_plain = !text.contains(['e', 'E']);
    EXACT.parse(text).filter(|_| is_plain).ok_or(invalid)
}

/// The mean of so many numbers with this sum, rounded half to even to 12 places after the point;
/// zero of none.
#[must_use]
pub fn mean_of(sum: &BigDecimal, count: u128) -> BigDecimal {
    if count == 0 {
        return BigDecimal::zero();
    }
    let (digits, scale) = sum
        .with_scale(sum.fractional_digit_count().max(0))
        .into_bigint_and_scale();
    let power = |exponent| BigInt::from(10).pow(exponent);
    let numerator = digits * power(MEAN_DECIMALS);
    let denominator = BigInt::from(count) * power(u32::try_from(scale).unwrap_or(u32::MAX));
    // Rounds towards zero; what is left has the sign of the sum.
    let (mut quotient, rest) = (&numerator / &denominator, &numerator % &denominator);
    let twice = BigInt::from_biguint(Sign::Plus, rest.magnitude() << 1_u8);
    if twice > denominator || (twice == denominator && quotient.bit(0)) {
        quotient += if numerator.sign() == Sign::Minus {
            -1
        } else {
            1
        };
    }
    BigDecimal::new(quotient, i64::from(MEAN_DECIMALS)).normalized()
}

/// A decimal within bounds, which is written as a text.
macro_rules! bounded_decimal {
    ($(#[$doc:meta])* $name:ident, $bounds:expr, $kind:literal, $width:literal, pattern: $pattern:literal, maxLength: $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, SerializeDisplay, DeserializeFromStr)]
        pub struct $name(BigDecimal);

        impl $name {
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
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                $bounds.parse(text).map(Self).ok_or(Invalid { kind: $kind, rule: concat!("a decimal number of at most ", $width) })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.to_plain_string())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<u64> for $name {
            fn from(count: u64) -> Self {
                Self(BigDecimal::from(count).normalized())
            }
        }

        text_schema!($name, concat!("An exact decimal of at most ", $width, "."), pattern: $pattern, maxLength: $length);
    };
}

bounded_decimal!(
    /// A total of usage: wide enough for the sum of all values that a tenant's events can have.
    Quantity,
    TOTAL,
    "quantity",
    "57 digits before the point and 340 after it",
    pattern: "^-?[0-9]{1,57}(\\.[0-9]{1,340})?$",
    maxLength: 399
);

bounded_decimal!(
    /// A number of a plan: a price, a fee, the end of a tier, the size of a package, an allowance.
    PlanDecimal,
    PLAN,
    "number of a plan",
    "20 digits before the point and 20 after it",
    pattern: "^-?[0-9]{1,20}(\\.[0-9]{1,20})?$",
    maxLength: 42
);

bounded_decimal!(
    /// An amount of money in a currency's major unit: wide enough for the sum of all invoices of a
    /// billing run.
    Amount,
    AMOUNT,
    "amount",
    "160 digits before the point and 4 after it",
    pattern: "^-?[0-9]{1,160}(\\.[0-9]{1,4})?$",
    maxLength: 166
);

impl Quantity {
    /// The decimal of these digits, so many of them after the point. They are a total's.
    #[must_use]
    pub fn from_digits(digits: BigInt, decimals: u16) -> Self {
        Self(BigDecimal::new(digits, i64::from(decimals)).normalized())
    }

    /// The mean of so many values with this sum, rounded half to even to 12 places after the point;
    /// zero of none.
    #[must_use]
    pub fn mean(&self, count: u64) -> Self {
        Self(mean_of(&self.0, count.into()))
    }

    /// Whether it is at least so many percent of a whole.
    #[must_use]
    pub fn reaches(&self, percent: u16, whole: &PlanDecimal) -> bool {
        &self.0 * BigDecimal::from(100) >= &whole.0 * BigDecimal::from(percent)
    }
}

impl Add<&Self> for Quantity {
    type Output = Self;

    /// The total of both, as long as one tenant's events are in one of them each.
    fn add(self, other: &Self) -> Self {
        Self((self.0 + &other.0).normalized())
    }
}

impl Amount {
    /// An amount that was rounded to the decimals of a currency.
    pub(crate) fn of_rounded(decimal: &BigDecimal) -> Self {
        Self(decimal.normalized())
    }
}
