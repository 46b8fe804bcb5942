//! The generator of `docs/parameters.md`: the template's parameters as tables.

use anyhow::{Context, Result};
use serde_yaml_ng::Value;
use std::fs;
use std::path::Path;

/// What the page begins with.
const HEADER: &str = "\
<!-- GENERATED from template.yaml. Change shared/template/parameters.yaml, and write this anew:
     MERIDIAN_WRITE_PARAMETERS=1 cargo test -p tidy --test invariants generated -->

# Parameters

Every parameter of `template.yaml`. `sam deploy --parameter-overrides Name=value ...` sets them, in each region on its own. A
parameter without a default is required. CloudFormation refuses a value that does not match before it changes anything.
";

/// A parameter with more values than this is described by its first and last one.
const VALUES_MAX: usize = 8;

/// Makes the page from the template of a checkout, in the order of the groups that CloudFormation's
/// console shows.
///
/// # Errors
/// When the template cannot be read, or a parameter is in no group.
pub fn parameters_page(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join("template.yaml")).context("no template.yaml")?;
    let template: Value = serde_yaml_ng::from_str(&text)?;
    let groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        .as_sequence()
        .context("the template groups no parameters")?;
    let mut page = HEADER.to_owned();
    let mut listed = 0;
    for group in groups {
        let label = group["Label"]["default"]
            .as_str()
            .context("a group has no label")?;
        page += &format!(
            "\n## {label}\n\n| parameter | default | values | meaning |\n|---|---|---|---|\n"
        );
        for name in group["Parameters"].as_sequence().into_iter().flatten() {
            let name = name.as_str().context("a parameter's name is a text")?;
            page += &row(name, &template["Parameters"][name])?;
            listed += 1;
        }
    }
    let declared = template["Parameters"]
        .as_mapping()
        .map_or(0, |all| all.len());
    anyhow::ensure!(
        listed == declared,
        "{listed} of {declared} parameters are in a group of shared/template/parameters.yaml"
    );
    Ok(page)
}

fn row(name: &str, declared: &Value) -> Result<String> {
    let description = declared["Description"]
        .as_str()
        .with_context(|| format!("{name} has no description"))?;
    let default = match &declared["Default"] {
        Value::Null => "required".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        default => format!("`{}`", scalar(default)),
    };
    let secret = if declared["NoEcho"].as_bool() == Some(true) {
        " Secret: CloudFormation never shows it."
    } else {
        ""
    };
    Ok(format!(
        "| `{name}` | {default} | {} | {}{secret} |\n",
        values(declared),
        cell(description)
    ))
}

/// The values that a parameter takes, as far as a reader can say them.
fn values(declared: &Value) -> String {
    if let Some(allowed) = declared["AllowedValues"].as_sequence() {
        let all: Vec<String> = allowed
            .iter()
            .map(|value| format!("`{}`", scalar(value)))
            .collect();
        return match all.as_slice() {
            [first, second, .., last] if all.len() > VALUES_MAX => {
                format!("{first}, {second} ... {last}: what AWS allows")
            }
            _ => all.join(", "),
        };
    }
    if let Some(rule) = declared["ConstraintDescription"].as_str() {
        let rule = rule.strip_prefix("has to be ").unwrap_or(rule);
        return cell(rule.trim_end_matches('.'));
    }
    match declared["Type"].as_str() {
        Some("CommaDelimitedList") => "a list, with commas between".to_owned(),
        _ => "a text".to_owned(),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// A text in a cell of a table. A brace pair in text is a placeholder, which stays as it is.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
