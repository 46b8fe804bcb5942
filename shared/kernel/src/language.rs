//! The languages that people are addressed in.

use crate::Invalid;

/// A language of pages and mails, by its code of ISO 639-1.
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
    /// The code.
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
