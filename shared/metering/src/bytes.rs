//! Reading and writing the parts of stored segments and pages.

use crate::aggregate::Aggregate;
use crate::segment::Malformed;
use crate::value::Value;
use bigdecimal::num_bigint::{BigInt, BigUint, Sign};
use jiff::Timestamp;
use kernel::{MeterCode, UsageGroup, VALUE_DECIMALS_MAX};

/// The most bytes of a total's digits: 57 before the point and 340 after it are 1,319 bits, and its
/// sign is one.
const DIGITS_BYTES_MAX: usize = 189;
/// The most groups of seven bits that always fit a `u128`: 18 are 126 bits.
const SHORT_BYTES_MAX: usize = 18;

/// The bytes that are still to be read.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.chunk().map(|[byte]| byte)
    }

    pub(crate) fn short(&mut self) -> Result<u16, Malformed> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(crate) fn second(&mut self) -> Result<Timestamp, Malformed> {
        let second = i64::from_be_bytes(self.chunk()?);
        Timestamp::from_second(second).map_err(|_| Malformed::Invalid { part: "moment" })
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.byte()?);
        str::from_utf8(self.take(length)?).map_err(|_| Malformed::Invalid { part: "text" })
    }

    pub(crate) fn meter(&mut self) -> Result<MeterCode, Malformed> {
        self.text()?
            .parse()
            .map_err(|_| Malformed::Invalid { part: "meter" })
    }

    pub(crate) fn group(&mut self) -> Result<UsageGroup, Malformed> {
        self.text()?
            .parse()
            .map_err(|_| Malformed::Invalid { part: "group" })
    }

    pub(crate) fn value(&mut self) -> Result<Value, Malformed> {
        let scale = self.scale()?;
        Value::new(self.zigzag()?, scale).ok_or(Malformed::Invalid { part: "value" })
    }

    pub(crate) fn aggregate(&mut self) -> Result<Aggregate, Malformed> {
        let scale = self.scale()?;
        let digits = self.groups(DIGITS_BYTES_MAX)?;
        if digits.len() <= SHORT_BYTES_MAX {
            return Ok(Aggregate::new(unzigzag(joined(digits)), scale));
        }
        let groups: Vec<u8> = digits.iter().map(|byte| byte & 0x7f).collect();
        let zigzag =
            BigUint::from_radix_le(&groups, 128).ok_or(Malformed::Invalid { part: "number" })?;
        let mantissa = if zigzag.bit(0) {
            -BigInt::from((zigzag + 1_u8) >> 1_u8)
        } else {
            BigInt::from(zigzag >> 1_u8)
        };
        Ok(Aggregate::of_digits(mantissa, scale))
    }

    fn scale(&mut self) -> Result<u16, Malformed> {
        let scale = joined(self.groups(SHORT_BYTES_MAX)?);
        let scale = u16::try_from(scale)
            .ok()
            .filter(|scale| *scale <= VALUE_DECIMALS_MAX);
        scale.ok_or(Malformed::Invalid { part: "scale" })
    }

    /// Reads a zigzag integer in groups of seven bits from the lowest.
    pub(crate) fn zigzag(&mut self) -> Result<i128, Malformed> {
        let digits = self.groups(SHORT_BYTES_MAX + 1)?;
        // The nineteenth group has room for the last two bits only.
        if digits.get(SHORT_BYTES_MAX).is_some_and(|last| *last > 0b11) {
            return Err(Malformed::Invalid { part: "number" });
        }
        Ok(unzigzag(joined(digits)))
    }

    pub(crate) fn number<N: TryFrom<i128>>(&mut self) -> Result<N, Malformed> {
        N::try_from(self.zigzag()?).map_err(|_| Malformed::Invalid { part: "number" })
    }

    /// Takes groups of seven bits, up to the first group whose highest bit is not set.
    fn groups(&mut self, length_max: usize) -> Result<&'a [u8], Malformed> {
        let length = self
            .0
            .iter()
            .take(length_max)
            .position(|byte| byte & 0x80 == 0);
        let invalid = if self.0.len() < length_max {
            Malformed::Length
        } else {
            Malformed::Invalid { part: "number" }
        };
        self.take(length.ok_or(invalid)? + 1)
    }
}

/// The number that groups of seven bits make, the lowest first. Bits beyond the 128th are dropped.
fn joined(groups: &[u8]) -> u128 {
    groups
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | u128::from(byte & 0x7f))
}

fn unzigzag(zigzag: u128) -> i128 {
    let magnitude = (zigzag >> 1).cast_signed();
    if zigzag & 1 == 0 {
        magnitude
    } else {
        !magnitude
    }
}

/// Writes the scale and the zigzag mantissa, each in groups of seven bits from the lowest.
pub(crate) fn write_value(value: Value, bytes: &mut Vec<u8>) {
    write_groups(value.scale().into(), bytes);
    write_zigzag(value.mantissa(), bytes);
}

/// Writes a total in the format of [`write_value`].
pub(crate) fn write_aggregate(aggregate: &Aggregate, bytes: &mut Vec<u8>) {
    write_groups(aggregate.scale().into(), bytes);
    if let Some(mantissa) = aggregate.short_mantissa() {
        return write_zigzag(mantissa, bytes);
    }
    let mantissa = aggregate.mantissa();
    let twice = mantissa.magnitude() << 1_u8;
    let zigzag = if mantissa.sign() == Sign::Minus {
        twice - 1_u8
    } else {
        twice
    };
    let mut groups = zigzag.to_radix_le(128);
    let last = groups.len() - 1;
    groups[..last].iter_mut().for_each(|group| *group |= 0x80);
    bytes.extend_from_slice(&groups);
}

pub(crate) fn write_zigzag(number: i128, bytes: &mut Vec<u8>) {
    write_groups(((number << 1) ^ (number >> 127)).cast_unsigned(), bytes);
}

fn write_groups(mut number: u128, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push(0x80 | low_seven_bits(number));
        number >>= 7;
    }
    bytes.push(low_seven_bits(number));
}

fn low_seven_bits(number: u128) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Writes a text behind its length (1 byte). The stored texts are `kernel`'s codes and groups,
/// which are shorter than 256 bytes.
pub(crate) fn write_text(text: &str, bytes: &mut Vec<u8>) {
    let text = &text.as_bytes()[..text.len().min(255)];
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text);
}
