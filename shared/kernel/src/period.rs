//! Billing periods: calendar months in UTC.

use crate::{Invalid, text_schema};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::str::FromStr;

/// A calendar month in UTC, written `2026-11`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct BillingPeriod {
    year: i16,
    month: i8,
}

impl BillingPeriod {
    /// The period that contains a point in time.
    #[must_use]
    pub fn containing(moment: Timestamp) -> Self {
        Self::of_date(moment.to_zoned(TimeZone::UTC).date())
    }

    /// The period of a tenant's day or month that begins at `start`. Twelve hours are added, since
    /// a day may begin up to twelve hours before its date does in UTC: see
    /// [`crate::BillingAnchor`].
    #[must_use]
    pub fn of_day(start: Timestamp) -> Self {
        Self::containing(
            start
                .saturating_add(SignedDuration::from_hours(12))
                .unwrap_or(start),
        )
    }

    /// The last period that ended before or at this time, which a billing run bills.
    #[must_use]
    pub fn ended_before(moment: Timestamp) -> Self {
        Self::containing(moment).previous()
    }

    /// The previous period.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::of_date(self.first_day().saturating_sub(1.day()))
    }

    /// The next period.
    #[must_use]
    pub fn next(self) -> Self {
        Self::of_date(self.first_day().saturating_add(1.month()))
    }

    /// The start, inclusive.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.first_day()
            .to_zoned(TimeZone::UTC)
            .map_or(Timestamp::MIN, |start| start.timestamp())
    }

    /// The end, exclusive. For the last representable month, [`Timestamp::MAX`].
    #[must_use]
    pub fn end(self) -> Timestamp {
        let next = self.next();
        if next == self {
            Timestamp::MAX
        } else {
            next.start()
        }
    }

    fn first_day(self) -> Date {
        date(self.year, self.month, 1)
    }

    fn of_date(day: Date) -> Self {
        Self {
            year: day.year(),
            month: day.month(),
        }
    }
}

impl FromStr for BillingPeriod {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "billing period",
            rule: "a month such as 2026-11",
        };
        let (year, month) = text.split_once('-').ok_or(invalid)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(invalid);
        }
        let year = year.parse().map_err(|_| invalid)?;
        let month = month.parse().map_err(|_| invalid)?;
        let known = (2000..=9000).contains(&year) && (1..=12).contains(&month);
        if known {
            Ok(Self { year, month })
        } else {
            Err(invalid)
        }
    }
}

impl std::fmt::Display for BillingPeriod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

text_schema!(BillingPeriod, "A calendar month in UTC, such as 2026-11.", pattern: "^[0-9]{4}-[0-9]{2}$");
