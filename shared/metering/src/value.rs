//! Values of single events: exact decimals of bounded width, quick to parse and to add.

use kernel::{VALUE_DECIMALS_MAX, VALUE_DIGITS_MAX};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal `mantissa * 10^-scale` of at most 38 significant digits, at most 38 of them before the
/// point, and at most 340 places after it.
///
/// Each number has one form, without trailing zeros after the point, so that equality is that of
/// the fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Value {
    mantissa: i128,
    scale: u16,
}

/// The reasons why a text is not a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not a JSON number (RFC 8259, section 6).
    #[error("is not a number")]
    NotANumber,
    /// There are too many digits from the first to the last that is not zero.
    #[error("has more than {VALUE_DIGITS_MAX} significant digits")]
    TooManyDigits,
    /// The number is too far from zero.
    #[error("has more than {VALUE_DIGITS_MAX} digits before the point")]
    TooLarge,
    /// The number has too many places after the point.
    #[error("has more than {VALUE_DECIMALS_MAX} digits after the point")]
    TooManyDecimals,
}

/// The first mantissa that is too large. An `i128` holds every smaller one.
const MANTISSA_END: u128 = 10_u128.pow(VALUE_DIGITS_MAX as u32);
/// The powers of ten that an `i128` holds.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A power of ten, if an `i128` holds it.
pub(crate) fn power(exponent: u16) -> Option<i128> {
    POWERS.get(usize::from(exponent)).copied()
}

impl Value {
    /// The value of an event for a meter that counts events.
    pub const ONE: Self = Self {
        mantissa: 1,
        scale: 0,
    };

    /// Makes a value from a mantissa and a scale, or nothing when they exceed the bounds.
    #[must_use]
    pub fn new(mantissa: i128, scale: u16) -> Option<Self> {
        let (mantissa, scale) = shortened(mantissa, scale);
        let fits = mantissa.unsigned_abs() < MANTISSA_END && scale <= VALUE_DECIMALS_MAX;
        fits.then_some(Self { mantissa, scale })
    }

    /// The digits as a whole number.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The number of digits after the point.
    #[must_use]
    pub const fn scale(self) -> u16 {
        self.scale
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The value with the opposite sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            mantissa: -self.mantissa,
            scale: self.scale,
        }
    }
}

/// The same number without trailing zeros after the point.
pub(crate) fn shortened(mut mantissa: i128, mut scale: u16) -> (i128, u16) {
    if mantissa == 0 {
        return (0, 0);
    }
    // A number that ends in zero is even, and the lowest bit is quicker to test than a remainder.
    while scale > 0 && mantissa & 1 == 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}

/// Compares two numbers `mantissa * 10^-scale` of any scales.
pub(crate) fn compare(
    (mine, my_scale): (i128, u16),
    (theirs, their_scale): (i128, u16),
) -> Ordering {
    let aligned =
        |mantissa: i128, places: u16| power(places).and_then(|power| mantissa.checked_mul(power));
    let by_sign = mine.signum().cmp(&theirs.signum());
    by_sign.then_with(|| match my_scale.cmp(&their_scale) {
        Ordering::Equal => mine.cmp(&theirs),
        // Both have the same sign here. A mantissa that overflows an `i128` on the other's scale is
        // further from zero.
        Ordering::Less => {
            aligned(mine, their_scale - my_scale).map_or(mine.cmp(&0), |mine| mine.cmp(&theirs))
        }
        Ordering::Greater => {
            aligned(theirs, my_scale - their_scale).map_or(0.cmp(&theirs), |them| mine.cmp(&them))
        }
    })
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        compare((self.mantissa, self.scale), (other.mantissa, other.scale))
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Value {
    type Err = NumberError;

    /// Parses a JSON number exactly, in one pass over the text.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (negative, text) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (digits, exponent) = text
            .split_once(['e', 'E'])
            .map_or((text, None), |(d, e)| (d, Some(e)));
        let (whole, fraction) = digits
            .split_once('.')
            .map_or((digits, None), |(w, f)| (w, Some(f)));
        let is_number =
            is_whole(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_exponent);
        if !is_number {
            return Err(NumberError::NotANumber);
        }
        let fraction = fraction.unwrap_or_default();
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|digit| digit - b'0');
        let (mantissa, zeros) = significant(digits).ok_or(NumberError::TooManyDigits)?;
        let signed = if negative { -mantissa } else { mantissa };
        let places = i64::try_from(fraction.len())
            .unwrap_or(i64::MAX)
            .saturating_sub(exponent_of(exponent));
        scaled(signed, places.saturating_sub(zeros))
    }
}

/// Parses an exponent. One beyond an `i64` saturates: no text has enough digits to make up for it.
fn exponent_of(text: Option<&str>) -> i64 {
    let Some(text) = text else { return 0 };
    text.parse().unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// The number that the digits form without trailing zeros, and how many zeros were cut.
fn significant(digits: impl Iterator<Item = u8>) -> Option<(i128, i64)> {
    let (mut mantissa, mut length, mut zeros) = (0_i128, 0_u64, 0_u64);
    for digit in digits {
        if digit == 0 {
            zeros += u64::from(mantissa != 0);
            continue;
        }
        length += zeros + 1;
        if length > u64::from(VALUE_DIGITS_MAX) {
            return None;
        }
        // No step overflows: an `i128` holds 38 digits.
        mantissa = mantissa * POWERS[usize::try_from(zeros + 1).ok()?] + i128::from(digit);
        zeros = 0;
    }
    Some((mantissa, i64::try_from(zeros).ok()?))
}

/// Makes `mantissa * 10^-scale` a value, for any scale. The mantissa has no trailing zero.
fn scaled(mantissa: i128, scale: i64) -> Result<Value, NumberError> {
    if mantissa == 0 {
        return Ok(Value::default());
    }
    if scale.is_positive() {
        let scale = u16::try_from(scale).map_err(|_| NumberError::TooManyDecimals)?;
        return Value::new(mantissa, scale).ok_or(NumberError::TooManyDecimals);
    }
    let zeros = u16::try_from(scale.unsigned_abs()).map_err(|_| NumberError::TooLarge)?;
    let whole = power(zeros).and_then(|power| mantissa.checked_mul(power));
    whole
        .and_then(|whole| Value::new(whole, 0))
        .ok_or(NumberError::TooLarge)
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
        let digits = format!(
            "{:0width$}",
            self.mantissa.unsigned_abs(),
            width = places + 1
        );
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
