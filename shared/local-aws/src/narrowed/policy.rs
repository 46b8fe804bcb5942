//! Evaluates the leading-key conditions of a role's policies.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use super::request::Use;

/// The condition key, in lower case: IAM compares condition keys without regard to case.
const LEADING_KEYS: &str = "dynamodb:leadingkeys";

/// The statements of a role that allow something. The emulator itself checks those that deny, and
/// every other condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    /// All lists have to match. Each has a flag for wildcards, and its values.
    leading_keys: Vec<(bool, Vec<String>)>,
}

impl Policy {
    /// Adds the allowing statements of a policy document.
    ///
    /// # Errors
    /// When the document is not JSON.
    pub fn add(&mut self, document: &str) -> Result<()> {
        let document: Value = serde_json::from_str(document).context("the policy is not JSON")?;
        let allowing = many(&document["Statement"])
            .into_iter()
            .filter(|statement| statement["Effect"] == "Allow");
        self.statements.extend(allowing.map(|statement| Statement {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            leading_keys: conditions(&statement["Condition"]),
        }));
        Ok(())
    }

    /// Whether a statement on this action and table allows every key of the access. Without such a
    /// statement the result is true, because the emulator itself refuses the call.
    pub fn allows(&self, used: &Use, region: &str, tags: &BTreeMap<String, String>) -> bool {
        let resource = used.resource(region);
        let covers =
            |patterns: &[String], text: &str| patterns.iter().any(|pattern| is_like(text, pattern));
        let on_it = |statement: &&Statement| {
            covers(&statement.actions, &used.action) && covers(&statement.resources, &resource)
        };
        let mut covering = self.statements.iter().filter(on_it).peekable();
        covering.peek().is_none()
            || covering.any(|statement| statement.holds_for(&used.leading_keys, tags))
    }
}

impl Statement {
    fn holds_for(&self, leading_keys: &[Option<String>], tags: &BTreeMap<String, String>) -> bool {
        let holds = |(wild, values): &(bool, Vec<String>), key: &Option<String>| {
            key.as_deref()
                .is_some_and(|key| is_one(key, values, *wild, tags))
        };
        self.leading_keys
            .iter()
            .all(|condition| leading_keys.iter().all(|key| holds(condition, key)))
    }
}

/// The conditions on leading keys. A condition of an unknown form matches no key.
fn conditions(condition: &Value) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        for (_, values) in keys
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.eq_ignore_ascii_case(LEADING_KEYS))
        {
            found.push(match operator.as_str() {
                "ForAllValues:StringEquals" => (false, texts(values)),
                "ForAllValues:StringLike" => (true, texts(values)),
                // `Null: false` requires a key to be present; it is not a list of values.
                "Null" => continue,
                _ => (false, Vec::new()),
            });
        }
    }
    found
}

fn is_one(key: &str, values: &[String], wild: bool, tags: &BTreeMap<String, String>) -> bool {
    let values = values.iter().filter_map(|value| substituted(value, tags));
    values.into_iter().any(|value| {
        if wild {
            is_like(key, &value)
        } else {
            key == value
        }
    })
}

/// A value with its variables replaced by the session's tags; `None` where a tag is missing, or
/// contains a wildcard or a variable itself.
fn substituted(value: &str, tags: &BTreeMap<String, String>) -> Option<String> {
    let mut done = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}')?;
        let variable = variable.to_ascii_lowercase();
        let tag = tags.get(variable.strip_prefix("aws:principaltag/")?)?;
        if tag.is_empty() || tag.contains(['*', '?', '$']) {
            return None;
        }
        done = done + before + tag;
        rest = after;
    }
    Some(done + rest)
}

/// Whether a text matches a pattern: `*` is any text, `?` any one character.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.split_at_checked(pattern.chars().next().map_or(0, char::len_utf8)) {
        None | Some(("", _)) => text.is_empty(),
        Some(("*", rest)) => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| is_like(&text[at..], rest)),
        Some((first, rest)) => {
            let mut characters = text.chars();
            let next = characters.next();
            next.is_some_and(|next| first == "?" || first.chars().eq([next]))
                && is_like(characters.as_str(), rest)
        }
    }
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    many(value)
        .into_iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
