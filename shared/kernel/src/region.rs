//! Regions and their legal attributes.

use crate::{Invalid, text_schema, text_value};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::str::FromStr;

/// The code of an AWS region, such as `eu-central-1`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct RegionCode(String);

impl RegionCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegionCode {
    type Err = Invalid;

    /// Checks the form only (`aa-word-1`, `aa-gov-word-1`). The fleet knows which regions exist.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.split('-').collect();
        let lower = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let valid = text.len() <= 24
            && (3..=4).contains(&parts.len())
            && parts[0].len() == 2
            && parts[..parts.len() - 1].iter().all(lower)
            && matches!(parts[parts.len() - 1].as_bytes(), [b'1'..=b'9']);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "region",
                rule: "an AWS region code such as eu-central-1",
            })
        }
    }
}

text_value!(RegionCode);

text_schema!(RegionCode, "The code of an AWS region, such as eu-central-1.", pattern: "^[a-z]{2}(-[a-z]+){1,2}-[1-9]$");

/// The jurisdiction of a region, such as `eu`: two to eight lower-case letters.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub struct Jurisdiction(String);

impl Jurisdiction {
    /// The jurisdiction as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Jurisdiction {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (2..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "jurisdiction",
                rule: "two to eight lower-case letters",
            })
        }
    }
}

text_value!(Jurisdiction);

text_schema!(Jurisdiction, "The jurisdiction of a region, such as eu.", pattern: "^[a-z]{2,8}$");

/// The residency mode of a region: which data may leave it, and who bills its tenants.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = Invalid, parse_err_fn = no_mode)]
pub enum Mode {
    /// Sign-up at home or in the region; pseudonymous usage leaves; home bills.
    Shared,
    /// Sign-up in the region only; pseudonymous usage leaves; home bills.
    Regional,
    /// Sign-up in the region only; only region-wide totals leave; the region bills itself.
    Sovereign,
}

impl Mode {
    /// Whether the region bills its own tenants.
    #[must_use]
    pub const fn bills_itself(self) -> bool {
        matches!(self, Self::Sovereign)
    }

    /// The mode as in `regions.toml` and the template's parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_mode(_: &str) -> Invalid {
    Invalid {
        kind: "mode",
        rule: "shared, regional or sovereign",
    }
}
