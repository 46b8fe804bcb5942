//! Exact decimals of at most 38 digits, quick to add.

use kernel::{Invalid, Quantity};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal `mantissa * 10^-scale` with at most 38 digits in all and at most 38 after the point.
///
/// One number has one form: no trailing zero after the point. Converts to a [`Quantity`] without loss.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Value {
    mantissa: i128,
    scale: u8,
}

/// Why a text is not a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// It is not a JSON number (RFC 8259, section 6).
    #[error("not a number")]
    NotANumber,
    /// It is a number of more digits than are kept exactly.
    #[error("more than 38 digits")]
    TooManyDigits,
}

const DIGITS_MAX: u32 = 38;
const SCALE_MAX: u8 = 38;
const MANTISSA_END: i128 = 10_i128.pow(DIGITS_MAX);
const TEXT_BYTES_MAX: usize = 128;

impl Value {
    /// One: what an event of a counting meter is worth.
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// Takes a mantissa and a scale, or nothing when they break the bounds.
    #[must_use]
    pub fn new(mantissa: i128, scale: u8) -> Option<Self> {
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let fits = mantissa.abs() < MANTISSA_END && scale <= SCALE_MAX;
        fits.then_some(Self { mantissa, scale })
    }

    /// The digits as a whole number.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits are after the point.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The same distance from zero, on the other side.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    /// The exact sum, or nothing when it would need more than 38 digits.
    ///
    /// Of two numbers with opposite signs whose digits lie further apart than 38 places it says nothing too.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.aligned(scale)?.checked_add(other.aligned(scale)?)?, scale)
    }

    /// The mantissa at a scale that is not below its own.
    fn aligned(self, scale: u8) -> Option<i128> {
        let factor = 10_i128.checked_pow(u32::from(scale - self.scale))?;
        self.mantissa.checked_mul(factor)
    }

    /// The same number as the contract carries it.
    ///
    /// # Errors
    /// Never for a value of this type; the bound is the same.
    pub fn to_quantity(self) -> Result<Quantity, Invalid> {
        self.to_string().parse()
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        let scale = self.scale.max(other.scale);
        by_sign.then_with(|| match (self.aligned(scale), other.aligned(scale)) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            // What outgrows the alignment is further from zero.
            (None, _) => self.mantissa.cmp(&0),
            (_, None) => 0.cmp(&other.mantissa),
        })
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Value {
    type Err = NumberError;

    /// Reads a JSON number, exactly.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (digits, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(d, e)| (d, Some(e)));
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let is_number = is_whole(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_exponent);
        if !is_number {
            return Err(NumberError::NotANumber);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(NumberError::TooManyDigits);
        }
        let fraction = fraction.unwrap_or_default();
        let exponent: i64 = exponent.unwrap_or("0").parse().map_err(|_| NumberError::TooManyDigits)?;
        let digits = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0');
        let (mantissa, zeros) = significant(digits).ok_or(NumberError::TooManyDigits)?;
        let signed = if negative { -mantissa } else { mantissa };
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent);
        scaled(signed, places.saturating_sub(zeros)).ok_or(NumberError::TooManyDigits)
    }
}

/// The number that digits form without their trailing zeros, and how many zeros those were.
fn significant(digits: impl Iterator<Item = u8>) -> Option<(i128, i64)> {
    let mut mantissa = 0_i128;
    let mut zeros = 0_u32;
    for digit in digits {
        if digit == 0 {
            zeros += u32::from(mantissa != 0);
            continue;
        }
        let factor = 10_i128.checked_pow(zeros + 1)?;
        mantissa = mantissa.checked_mul(factor)?.checked_add(i128::from(digit))?;
        zeros = 0;
    }
    Some((mantissa, i64::from(zeros)))
}

/// `mantissa * 10^-scale` for any scale, if it is within bounds.
fn scaled(mantissa: i128, scale: i64) -> Option<Value> {
    if mantissa == 0 {
        return Some(Value::default());
    }
    if scale < 0 {
        let factor = 10_i128.checked_pow(u32::try_from(scale.checked_neg()?).ok()?)?;
        return Value::new(mantissa.checked_mul(factor)?, 0);
    }
    Value::new(mantissa, u8::try_from(scale).ok()?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_whole(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_exponent(text: &str) -> bool {
    is_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let places = usize::from(self.scale);
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let point = if places == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({self})")
    }
}
