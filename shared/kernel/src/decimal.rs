//! Exact decimals: numbers of a plan, quantities and amounts.
//!
//! Each type bounds the digits before and after the point, and is wide enough for every result of
//! that kind. The widths follow from the narrowest numbers, which come from outside:
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
//! So arithmetic never fails. Only parsing compares a number with a bound.

use crate::{Invalid, text_schema};
use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, Zero};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::ops::Add;
use std::str::FromStr;

/// The most digits before the point in the value of a usage event.
pub const VALUE_DIGITS_MAX: u16 = 38;
/// The most digits after the point in the value of a usage event.
pub const VALUE_DECIMALS_MAX: u16 = 340;
/// The digits of the greatest number of events in a total, which is an `i64`.
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
// A mean has endless decimals, so it is rounded to this many.
const MEAN_DECIMALS: u32 = 12;

/// The bounds on a number's digits.
#[derive(Clone, Copy)]
struct Bounds {
    /// Digits before the point.
    whole: u16,
    /// Digits after the point.
    decimals: u16,
}

impl Bounds {
    /// Parses a number in plain or scientific notation. The length and exponent are checked first,
    /// so that a short text such as `1e999999999` cannot take up memory.
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

/// The exponent of a number in JSON's notation; `None` for other texts, some of which the parser of
/// `BigDecimal` accepts.
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

/// Parses an exact amount before rounding, which can be any product of prices and usage.
///
/// # Errors
/// When it is wider than any such product, or not in plain notation.
pub fn parse_exact(text: &str) -> Result<BigDecimal, Invalid> {
    let invalid = Invalid {
        kind: "amount",
        rule: "a decimal number in plain notation",
    };
    let is_plain = !text.contains(['e', 'E']);
    EXACT.parse(text).filter(|_| is_plain).ok_or(invalid)
}

/// The mean of `count` numbers with this sum, rounded half to even to 12 decimals; zero if `count`
/// is zero.
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
    // Division rounds towards zero, and the remainder has the sign of the sum.
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

/// Declares a decimal within bounds that is written as text.
macro_rules! bounded_decimal {
    ($(#[$doc:meta])* $name:ident, $bounds:expr, $kind:literal, $width:literal, pattern: $pattern:literal, maxLength: $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, SerializeDisplay, DeserializeFromStr)]
        pub struct $name(BigDecimal);

        impl $name {
            /// Zero.
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
    /// A total of usage, wide enough for the sum of all values of a tenant's events.
    Quantity,
    TOTAL,
    "quantity",
    "57 digits before the point and 340 after it",
    pattern: "^-?[0-9]{1,57}(\\.[0-9]{1,340})?$",
    maxLength: 399
);

bounded_decimal!(
    /// A number of a plan: a price, a fee, the end of a tier, the size of a package or an
    /// allowance.
    PlanDecimal,
    PLAN,
    "number of a plan",
    "20 digits before the point and 20 after it",
    pattern: "^-?[0-9]{1,20}(\\.[0-9]{1,20})?$",
    maxLength: 42
);

bounded_decimal!(
    /// An amount of money in a currency's major unit, wide enough for the sum of all invoices of a
    /// billing run.
    Amount,
    AMOUNT,
    "amount",
    "160 digits before the point and 4 after it",
    pattern: "^-?[0-9]{1,160}(\\.[0-9]{1,4})?$",
    maxLength: 166
);

impl Quantity {
    /// The quantity with these digits, of which `decimals` are after the point. The caller took
    /// them from a total.
    #[must_use]
    pub fn from_digits(digits: BigInt, decimals: u16) -> Self {
        Self(BigDecimal::new(digits, i64::from(decimals)).normalized())
    }

    /// The mean of `count` values with this sum, rounded half to even to 12 decimals; zero if
    /// `count` is zero.
    #[must_use]
    pub fn mean(&self, count: u64) -> Self {
        Self(mean_of(&self.0, count.into()))
    }

    /// Whether it is at least `percent` percent of a whole.
    #[must_use]
    pub fn reaches(&self, percent: u16, whole: &PlanDecimal) -> bool {
        &self.0 * BigDecimal::from(100) >= &whole.0 * BigDecimal::from(percent)
    }
}

impl Add<&Self> for Quantity {
    type Output = Self;

    /// The sum. It stays within the bounds as long as each event of a tenant is in one of the two.
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
