//! The digest by which sealed totals are compared.

use crate::border::{UsageWindow, WindowPart};
use kernel::{Invalid, Timestamp, WindowSize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// SHA-256 over totals, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct SealDigest(String);

impl SealDigest {
    /// The digest of totals in any order. It covers each total's meter, group, size, start, value,
    /// number of events, time of the latest and revision.
    #[must_use]
    pub fn of<'w>(totals: impl IntoIterator<Item = &'w UsageWindow>) -> Self {
        let line = |total: &UsageWindow| {
            let UsageWindow {
                meter,
                group,
                size,
                start,
                // Only windows are sealed, see `covers`.
                part: _,
                value,
                events,
                latest_at,
                revision,
            } = total;
            let latest_at = latest_at.map(|at| at.to_string()).unwrap_or_default();
            format!("{meter}|{group}|{size}|{start}|{value}|{events}|{latest_at}|{revision}\n")
        };
        let mut lines: Vec<String> = totals.into_iter().map(line).collect();
        // Sorted, so that the order of the totals does not matter.
        lines.sort_unstable();
        let mut hasher = Sha256::new();
        for line in &lines {
            hasher.update(line.as_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether a total is sealed together with a day: it ends with the day and is not an
    /// adjustment.
    #[must_use]
    pub fn covers(day: Timestamp, total: &UsageWindow) -> bool {
        let ends = total.size.end(total.start) == WindowSize::Day.end(day);
        total.part == WindowPart::Window && total.size >= WindowSize::Day && ends
    }
}

impl FromStr for SealDigest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "seal digest",
                rule: "64 lower-case hexadecimal digits",
            })
        }
    }
}

impl fmt::Display for SealDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl schemars::JsonSchema for SealDigest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SealDigest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}
