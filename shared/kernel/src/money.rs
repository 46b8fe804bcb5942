//! Money: exact until one documented rounding per line.

use crate::decimal::Amount;
use crate::{Invalid, text_schema};
use bigdecimal::{BigDecimal, RoundingMode};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The decimals of an amount that can be paid: 2 for EUR, 0 for JPY.
    #[must_use]
    pub fn minor_digits(self) -> i64 {
        self.0.exponent().map_or(0, i64::from)
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        iso_currency::Currency::from_code(text)
            .map(Self)
            .ok_or(Invalid {
                kind: "currency",
                rule: "an ISO 4217 code such as EUR",
            })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

text_schema!(Currency, "An ISO 4217 currency.", pattern: "^[A-Z]{3}$");

/// An exact amount in one currency.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
pub struct Money {
    /// The exact amount, in the currency's major unit.
    pub amount: Amount,
    /// Its currency.
    pub currency: Currency,
}

impl Money {
    /// Makes an amount of a currency.
    #[must_use]
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Rounds an exact amount to the currency's decimals: half to even, as IEEE 754 and most
    /// ledgers do, so that rounding errors do not add up in one direction.
    #[must_use]
    pub fn rounded(exact: &BigDecimal, currency: Currency) -> Self {
        let rounded = exact.with_scale_round(currency.minor_digits(), RoundingMode::HalfEven);
        Self {
            amount: Amount::of_rounded(&rounded),
            currency,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.amount.as_decimal();
        let decimals = amount
            .fractional_digit_count()
            .max(self.currency.minor_digits());
        write!(
            f,
            "{} {}",
            amount.with_scale(decimals).to_plain_string(),
            self.currency
        )
    }
}
