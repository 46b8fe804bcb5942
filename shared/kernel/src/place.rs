//! Public descriptions of a region: name, address and location.

use crate::{Invalid, text_schema, text_value};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::str::FromStr;

/// The display name of a region, such as `Europe (Frankfurt)`. The operator sets it, from a closed
/// alphabet.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct RegionName(String);

impl RegionName {
    const LENGTH_MAX: usize = 48;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegionName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b" (),.-".contains(&b);
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if begins && text.len() <= Self::LENGTH_MAX && text.bytes().all(inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "region name",
                rule: "1 to 48 ASCII letters, digits, blanks and (),.- beginning with a letter",
            })
        }
    }
}

text_value!(RegionName);

text_schema!(RegionName, "The display name of a region.", pattern: "^[A-Za-z][A-Za-z0-9 (),.-]{0,47}$");

/// The address of a public API: scheme, host and port. Plain HTTP is allowed only for 127.0.0.1.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct PublicUrl(String);

impl PublicUrl {
    const LENGTH_MAX: usize = 256;

    /// The address as text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (host, port) = match text.strip_prefix("https://") {
            Some(rest) => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
            None => text
                .strip_prefix("http://127.0.0.1:")
                .map_or(("", None), |port| ("127.0.0.1", Some(port))),
        };
        let named = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
        let numbered = port.is_none_or(|port| {
            (1..=5).contains(&port.len())
                && port.bytes().all(|b| b.is_ascii_digit())
                && port.parse::<u16>().is_ok()
        });
        if named && numbered && text.len() <= Self::LENGTH_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "address",
                rule: "https:// with a host in lower case, and a port at most",
            })
        }
    }
}

text_value!(PublicUrl);

text_schema!(PublicUrl, "The address of a public API: scheme, host and port only.", pattern: "^(https://[a-z0-9.-]+|http://127\\.0\\.0\\.1)(:[0-9]{1,5})?$");

/// A place on the globe, to a thousandth of a degree (about 100 m).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
pub struct Location {
    /// North is positive; -90,000 to 90,000.
    pub latitude_millidegrees: i32,
    /// East is positive; -180,000 to 180,000.
    pub longitude_millidegrees: i32,
}

impl Location {
    const EARTH_RADIUS_KM: f64 = 6371.0;

    /// Makes a location from degrees.
    ///
    /// # Errors
    /// When latitude or longitude is out of range.
    pub fn from_degrees(latitude: f64, longitude: f64) -> Result<Self, Invalid> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return Err(Invalid {
                kind: "location",
                rule: "a latitude of -90 to 90 and a longitude of -180 to 180",
            });
        }
        #[expect(clippy::cast_possible_truncation, reason = "both are below 180,000")]
        let milli = |degrees: f64| (degrees * 1000.0).round() as i32;
        Ok(Self {
            latitude_millidegrees: milli(latitude),
            longitude_millidegrees: milli(longitude),
        })
    }

    /// The great-circle distance in kilometres, by the haversine formula.
    #[must_use]
    pub fn distance_km(&self, other: &Self) -> f64 {
        let radians = |millidegrees: i32| (f64::from(millidegrees) / 1000.0).to_radians();
        let (from, to) = (
            radians(self.latitude_millidegrees),
            radians(other.latitude_millidegrees),
        );
        let north = (to - from) / 2.0;
        let east = radians(other.longitude_millidegrees - self.longitude_millidegrees) / 2.0;
        let chord = north.sin().powi(2) + from.cos() * to.cos() * east.sin().powi(2);
        2.0 * Self::EARTH_RADIUS_KM * chord.sqrt().min(1.0).asin()
    }
}

impl FromStr for Location {
    type Err = Invalid;

    /// Parses degrees, latitude first, as in `50.11,8.68`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "location",
            rule: "latitude and longitude in degrees, such as 50.11,8.68",
        };
        let (latitude, longitude) = text.split_once(',').ok_or(invalid)?;
        let degrees = |text: &str| text.trim().parse::<f64>().map_err(|_| invalid);
        Self::from_degrees(degrees(latitude)?, degrees(longitude)?)
    }
}
