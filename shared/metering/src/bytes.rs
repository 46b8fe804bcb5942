//! What stored bytes are made of.

use crate::{Malformed, Value};
use jiff::Timestamp;
use kernel::{MeterCode, UsageGroup};

/// What is left to read.
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
        self.text()?.parse().map_err(|_| Malformed::Invalid { part: "meter" })
    }

    pub(crate) fn group(&mut self) -> Result<UsageGroup, Malformed> {
        self.text()?.parse().map_err(|_| Malformed::Invalid { part: "group" })
    }

    pub(crate) fn value(&mut self) -> Result<Value, Malformed> {
        let scale = self.byte()?;
        Value::new(self.zigzag()?, scale).ok_or(Malformed::Invalid { part: "value" })
    }

    /// A whole number, zigzag, in groups of seven bits from the lowest.
    pub(crate) fn zigzag(&mut self) -> Result<i128, Malformed> {
        let zigzag = self.varint()?;
        let magnitude = (zigzag >> 1).cast_signed();
        Ok(if zigzag & 1 == 0 { magnitude } else { !magnitude })
    }

    pub(crate) fn number<N: TryFrom<i128>>(&mut self) -> Result<N, Malformed> {
        N::try_from(self.zigzag()?).map_err(|_| Malformed::Invalid { part: "number" })
    }

    fn varint(&mut self) -> Result<u128, Malformed> {
        let mut number = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed::Invalid { part: "number" })
    }
}

pub(crate) fn write_value(value: Value, bytes: &mut Vec<u8>) {
    bytes.push(value.scale());
    write_zigzag(value.mantissa(), bytes);
}

pub(crate) fn write_zigzag(number: i128, bytes: &mut Vec<u8>) {
    let mut zigzag = ((number << 1) ^ (number >> 127)).cast_unsigned();
    while zigzag > 0x7f {
        bytes.push(0x80 | low_seven_bits(zigzag));
        zigzag >>= 7;
    }
    bytes.push(low_seven_bits(zigzag));
}

fn low_seven_bits(number: u128) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// A text of at most 255 bytes after its length, which those of `kernel` that are stored have.
pub(crate) fn write_text(text: &str, bytes: &mut Vec<u8>) {
    let text = &text.as_bytes()[..text.len().min(255)];
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text);
}
