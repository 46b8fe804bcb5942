//! Paths of a value in an event's data.

use kernel::Invalid;
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;

/// A JSONPath that selects at most one value, such as `$.tokens['out'][0]` (RFC 9535, singular
/// queries).
///
/// Negative indexes, which count from the end, are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct ValuePath {
    text: String,
    steps: Vec<PathStep>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// Selects a member of an object.
    Member(String),
    /// Selects an element of a list, from 0.
    Element(usize),
}

const INVALID: Invalid = Invalid {
    kind: "path",
    rule: "a JSONPath that names one value, such as $.tokens['out'][0]",
};
const LENGTH_MAX: usize = 256;
const STEPS_MAX: usize = 8;

impl ValuePath {
    /// The steps from the data to the value. Empty if the data itself is the value.
    #[must_use]
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }
}

impl FromStr for ValuePath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut rest = text
            .strip_prefix('$')
            .filter(|_| text.len() <= LENGTH_MAX)
            .ok_or(INVALID)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or(INVALID)?;
            steps.push(step);
            rest = after;
        }
        if steps.len() > STEPS_MAX {
            Err(INVALID)
        } else {
            Ok(Self {
                text: text.to_owned(),
                steps,
            })
        }
    }
}

/// Splits off the first step of a path.
fn step(text: &str) -> Option<(PathStep, &str)> {
    if let Some(name) = text.strip_prefix('.') {
        let end = name.find(|c: char| !is_name(c)).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        let valid = name.starts_with(|c: char| is_name(c) && !c.is_ascii_digit());
        return valid.then(|| (PathStep::Member(name.to_owned()), rest));
    }
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    for quote in ['\'', '"'] {
        if let Some(name) = inner.strip_prefix(quote) {
            let name = name.strip_suffix(quote)?;
            let plain = !name.contains([quote, '\\']) && !name.chars().any(char::is_control);
            return plain.then(|| (PathStep::Member(name.to_owned()), rest));
        }
    }
    let canonical =
        inner == "0" || (!inner.starts_with('0') && inner.bytes().all(|b| b.is_ascii_digit()));
    let index = inner.parse().ok().filter(|_| canonical)?;
    Some((PathStep::Element(index), rest))
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

impl fmt::Display for ValuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
