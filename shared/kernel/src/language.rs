//! The languages of pages and mails.

use crate::Invalid;

/// A language of pages and mails, by its ISO 639-1 code.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
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
#[strum(serialize_all = "lowercase", parse_err_ty = Invalid, parse_err_fn = no_language)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// The ISO 639-1 code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn no_language(_: &str) -> Invalid {
    Invalid {
        kind: "language",
        rule: "en or de",
    }
}
