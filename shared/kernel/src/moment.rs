//! Points in time as written on the wire.

use crate::Invalid;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Parses a date and time with an offset by the grammar and ranges of RFC 3339 (5.6 and 5.7).
/// Further forms of ISO 8601 are refused: an offset of a day or more, hour 24, a date without a
/// time.
///
/// Digits beyond nanoseconds are dropped. A leap second, which only the last minute of a month in
/// UTC can have, is read as the second before it. `-00:00` counts as UTC.
///
/// # Errors
/// When the text has another form.
pub fn parse_moment(text: &str) -> Result<Timestamp, Invalid> {
    read(text.as_bytes()).ok_or(Invalid {
        kind: "moment",
        rule: "a date and time with an offset, as in RFC 3339",
    })
}

fn read(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked("0000-00-00".len())?;
    let (separator, rest) = rest.split_at_checked(1)?;
    let (time, rest) = rest.split_at_checked("00:00:00".len())?;
    let [year, month, day] = [&date[..4], &date[5..7], &date[8..]];
    let [hour, minute, second] = [&time[..2], &time[3..5], &time[6..]];
    let is_shaped =
        [date[4], date[7], time[2], time[5]] == *b"--::" && matches!(separator, b"T" | b"t");
    if !is_shaped {
        return None;
    }
    let (nanosecond, offset) = read_fraction(rest)?;
    let second = number(second)?;
    let is_leap = second == 60;
    // `DateTime::new` checks the length of the month and the ranges of hour, minute and second.
    let date = DateTime::new(
        number(year)?,
        narrow(month)?,
        narrow(day)?,
        narrow(hour)?,
        narrow(minute)?,
        if is_leap {
            59
        } else {
            i8::try_from(second).ok()?
        },
        nanosecond,
    );
    let moment = read_offset(offset)?.to_timestamp(date.ok()?).ok()?;
    (!is_leap || ends_month(moment)).then_some(moment)
}

/// Parses an optional fraction of a second. Returns nanoseconds and the rest of the text.
fn read_fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanosecond = padded.fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    (length > 0).then_some((nanosecond, rest))
}

fn read_offset(text: &[u8]) -> Option<Offset> {
    let (sign, time) = match text {
        b"Z" | b"z" => return Some(Offset::UTC),
        [b'+', time @ ..] => (1, time),
        [b'-', time @ ..] => (-1, time),
        _ => return None,
    };
    let [h, hh, b':', m, mm] = time else {
        return None;
    };
    let (hours, minutes) = (
        i32::from(number(&[*h, *hh])?),
        i32::from(number(&[*m, *mm])?),
    );
    let is_in_range = hours <= 23 && minutes <= 59;
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60)
        .ok()
        .filter(|_| is_in_range)
}

/// Whether this second is the last of a month in UTC.
fn ends_month(moment: Timestamp) -> bool {
    let next = moment
        .checked_add(SignedDuration::from_secs(1))
        .ok()
        .map(|next| Offset::UTC.to_datetime(next));
    next.is_some_and(|next| (next.day(), next.hour(), next.minute(), next.second()) == (1, 0, 0, 0))
}

fn narrow(digits: &[u8]) -> Option<i8> {
    i8::try_from(number(digits)?).ok()
}

/// The value of at most four digits.
fn number(digits: &[u8]) -> Option<i16> {
    let digit = |number: i16, byte: &u8| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i16::from(byte - b'0'))
    };
    digits.iter().try_fold(0, digit)
}
