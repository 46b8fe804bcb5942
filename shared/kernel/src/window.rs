//! Time windows over which usage is totalled, and the groups within them.

use crate::code::DimensionCode;
use crate::period::BillingPeriod;
use crate::{Invalid, text_schema, text_value};
use jiff::Timestamp;
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::str::FromStr;

/// The size of a window.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = Invalid, parse_err_fn = no_size)]
pub enum WindowSize {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    #[default]
    Day,
    /// A billing period.
    Month,
}

/// Half a day, in seconds.
const NOON_S: i64 = 12 * 3_600;

impl WindowSize {
    /// The start of the window that contains a point in time, for a tenant with this anchor.
    #[must_use]
    pub fn start(self, moment: Timestamp, anchor: BillingAnchor) -> Timestamp {
        match self {
            Self::Minute => floor(moment, 60, 0),
            Self::Hour => floor(moment, 3_600, anchor.offset_s()),
            Self::Day => floor(moment, 86_400, anchor.offset_s()),
            Self::Month => {
                // Shifted back by the offset, a tenant's month is a calendar month in UTC.
                let unshifted = shifted(moment, -anchor.offset_s());
                shifted(
                    BillingPeriod::containing(unshifted).start(),
                    anchor.offset_s(),
                )
            }
        }
    }

    /// The end, exclusive, of the window that starts at this time.
    #[must_use]
    pub fn end(self, start: Timestamp) -> Timestamp {
        match self {
            Self::Minute => shifted(start, 60),
            Self::Hour => shifted(start, 3_600),
            Self::Day => shifted(start, 86_400),
            Self::Month => {
                let period = BillingPeriod::of_day(start);
                let shift_s = start.as_second() - period.start().as_second();
                // A loop over windows has to reach the end of time instead of repeating the last
                // one.
                if period.end() == Timestamp::MAX {
                    Timestamp::MAX
                } else {
                    shifted(period.end(), shift_s)
                }
            }
        }
    }

    /// The name of the size.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_size(_: &str) -> Invalid {
    Invalid {
        kind: "window",
        rule: "minute, hour, day or month",
    }
}

/// Rounds down to a multiple of `length_s` since 1970, shifted by `offset_s`.
fn floor(moment: Timestamp, length_s: i64, offset_s: i64) -> Timestamp {
    // `Timestamp::as_second` rounds towards zero, which is up before 1970.
    let second = moment.as_nanosecond().div_euclid(1_000_000_000);
    let second = i64::try_from(second).unwrap_or_default() - offset_s;
    Timestamp::from_second(second - second.rem_euclid(length_s) + offset_s)
        .unwrap_or(Timestamp::MIN)
}

fn shifted(moment: Timestamp, seconds: i64) -> Timestamp {
    moment
        .saturating_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap_or(moment)
}

/// The time of day at which a tenant's days, and with them its billing periods, begin: in UTC, to
/// the minute.
///
/// From noon on, the day begins on the evening before its date. Where clocks are an hour ahead of
/// UTC, midnight is 23:00, and November begins on 31 October at 23:00.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    SerializeDisplay,
    DeserializeFromStr,
)]
pub struct BillingAnchor {
    minutes: u16,
}

impl BillingAnchor {
    /// The anchor at `minutes` after midnight; `None` if that is a day or more.
    #[must_use]
    pub fn after_midnight(minutes: u16) -> Option<Self> {
        (minutes < 24 * 60).then_some(Self { minutes })
    }

    /// The anchor of a day that starts at this time.
    #[must_use]
    pub fn of_day(day: Timestamp) -> Self {
        let minutes = day.as_second().div_euclid(60).rem_euclid(24 * 60);
        Self {
            minutes: u16::try_from(minutes).unwrap_or_default(),
        }
    }

    /// Minutes after midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.minutes
    }

    /// Seconds from midnight in UTC of a day's date to the day's start; negative for an evening
    /// before.
    fn offset_s(self) -> i64 {
        let after_midnight_s = i64::from(self.minutes) * 60;
        if after_midnight_s < NOON_S {
            after_midnight_s
        } else {
            after_midnight_s - 2 * NOON_S
        }
    }
}

impl FromStr for BillingAnchor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "billing anchor",
            rule: "a time of the day in UTC, such as 06:30",
        };
        let two = |part: &str| -> Option<u16> {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or(invalid)?;
        let hours = two(hours).filter(|hours| *hours < 24).ok_or(invalid)?;
        let minutes = two(minutes)
            .filter(|minutes| *minutes < 60)
            .ok_or(invalid)?;
        Ok(Self {
            minutes: hours * 60 + minutes,
        })
    }
}

impl std::fmt::Display for BillingAnchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

text_schema!(BillingAnchor, "The time of day, in UTC, at which a tenant's days begin.", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$");

/// The part of a meter's usage with certain dimension values, such as `model=large,tier=batch`. A
/// meter without dimensions has one group, which is empty.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    SerializeDisplay,
    DeserializeFromStr,
)]
pub struct UsageGroup(String);

impl UsageGroup {
    /// The most dimensions of a group.
    pub const DIMENSIONS_MAX: usize = 4;
    /// The longest text, in bytes.
    pub const LENGTH_MAX: usize = 200;

    /// The group with these dimension values, in the order of the catalogue.
    #[must_use]
    pub fn of<'d>(
        values: impl IntoIterator<Item = (&'d DimensionCode, &'d DimensionCode)>,
    ) -> Self {
        let mut text = String::new();
        for (name, value) in values {
            let comma = if text.is_empty() { "" } else { "," };
            text.extend([comma, name.as_str(), "=", value.as_str()]);
        }
        Self(text)
    }

    /// The group as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a dimension.
    #[must_use]
    pub fn value(&self, dimension: &DimensionCode) -> Option<&str> {
        let mut pairs = self.0.split(',').filter_map(|part| part.split_once('='));
        pairs.find_map(|(name, value)| (name == dimension.as_str()).then_some(value))
    }

    /// The group reduced to certain dimensions.
    #[must_use]
    pub fn narrowed(&self, dimensions: &[DimensionCode]) -> Self {
        let is_kept = |part: &&str| {
            part.split_once('=')
                .is_some_and(|(name, _)| dimensions.iter().any(|listed| listed.as_str() == name))
        };
        Self(
            self.0
                .split(',')
                .filter(is_kept)
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    /// Whether the group contains all values of another group.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let mut wanted = other.0.split(',').filter(|part| !part.is_empty());
        wanted.all(|part| self.0.split(',').any(|own| own == part))
    }
}

impl FromStr for UsageGroup {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_code = |code: &str| code.parse::<DimensionCode>().is_ok();
        let is_pair = |part: &str| {
            part.split_once('=')
                .is_some_and(|(name, value)| is_code(name) && is_code(value))
        };
        let parts = || text.split(',');
        let is_bounded = text.len() <= Self::LENGTH_MAX && parts().count() <= Self::DIMENSIONS_MAX;
        if text.is_empty() || (is_bounded && parts().all(is_pair)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "usage group",
                rule: "up to 4 of dimension=value, divided by commas, in 200 bytes",
            })
        }
    }
}

text_value!(UsageGroup);

text_schema!(
    UsageGroup,
    "The values of a meter's dimensions, from the closed lists of the catalogue.",
    pattern: "^([a-z0-9_-]{1,48}=[a-z0-9_-]{1,48}(,[a-z0-9_-]{1,48}=[a-z0-9_-]{1,48}){0,3})?$"
);
