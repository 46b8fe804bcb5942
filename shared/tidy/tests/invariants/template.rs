//! The template as CloudFormation reads it: short tags in their long form, loops expanded.

use crate::repository;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;
use std::collections::BTreeMap;

/// Values for a loop over a parameter, whose real values only a deployment has.
const SAMPLE: [&str; 2] = ["us-east-1", "eu-central-1"];

/// The template.
pub(crate) struct Template {
    document: Value,
    /// Every resource, by logical id.
    pub(crate) resources: BTreeMap<String, Value>,
}

impl Template {
    /// Reads template.yaml.
    pub(crate) fn load() -> Result<Self> {
        let yaml: Yaml = serde_yaml_ng::from_str(&repository::read("template.yaml")?)?;
        let document = to_json(yaml)?;
        let mut template = Self {
            document,
            resources: BTreeMap::new(),
        };
        let section = template.document["Resources"]
            .as_object()
            .cloned()
            .context("no Resources")?;
        for (id, resource) in template.expand(&section)? {
            template.resources.insert(id, resource);
        }
        Ok(template)
    }

    /// The variables that every function gets.
    pub(crate) fn global_variables(&self) -> Vec<String> {
        keys(&self.document["Globals"]["Function"]["Environment"]["Variables"])
    }

    /// A parameter's declaration.
    pub(crate) fn parameter(&self, name: &str) -> &Value {
        &self.document["Parameters"][name]
    }

    /// Every parameter: name and declaration.
    pub(crate) fn parameters(&self) -> Vec<(String, &Value)> {
        keys(&self.document["Parameters"])
            .into_iter()
            .map(|name| (name.clone(), self.parameter(&name)))
            .collect()
    }

    /// A function's timeout, in seconds.
    pub(crate) fn timeout_seconds(&self, function: &Value) -> Option<u64> {
        function["Timeout"]
            .as_u64()
            .or_else(|| self.document["Globals"]["Function"]["Timeout"].as_u64())
    }

    /// A number, which may be a lookup in the mappings.
    pub(crate) fn number(&self, value: &Value) -> Option<u64> {
        let Value::Array(path) = &value["Fn::FindInMap"] else {
            return value.as_u64();
        };
        let names = path.iter().filter_map(Value::as_str);
        let found = names.fold(&self.document["Mappings"], |place, name| &place[name]);
        found
            .as_u64()
            .or_else(|| path.last()?["DefaultValue"].as_u64())
    }

    /// The resources of a type: logical id and properties.
    pub(crate) fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// The functions: logical id and properties.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of_type("AWS::Serverless::Function")
    }

    /// The condition of a resource.
    pub(crate) fn condition(&self, id: &str) -> Option<&str> {
        self.resources.get(id)?["Condition"].as_str()
    }

    fn expand(&self, section: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
        let mut expanded = Vec::new();
        for (key, value) in section {
            if !key.starts_with("Fn::ForEach::") {
                expanded.push((key.clone(), literal(value)));
                continue;
            }
            let [Value::String(variable), collection, Value::Object(fragment)] =
                value.as_array().map(Vec::as_slice).unwrap_or_default()
            else {
                bail!("{key} is not a list of variable, collection and fragment");
            };
            for item in self.collection(collection) {
                let bound = bind(&Value::Object(fragment.clone()), variable, &item);
                expanded
                    .extend(self.expand(bound.as_object().context("a fragment is an object")?)?);
            }
        }
        Ok(expanded)
    }

    fn collection(&self, value: &Value) -> Vec<String> {
        let items = match &value["Fn::FindInMap"] {
            Value::Array(path) => {
                let names: Vec<_> = path.iter().filter_map(Value::as_str).collect();
                names
                    .iter()
                    .fold(&self.document["Mappings"], |place, name| &place[*name])
            }
            _ => value,
        };
        match items {
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => SAMPLE.map(str::to_owned).to_vec(),
        }
    }
}

/// The logical id that a `Ref`, `GetAtt` or `Sub` of one resource points to.
pub(crate) fn target(value: &Value) -> Option<&str> {
    if let Some(id) = value["Ref"].as_str() {
        return Some(id);
    }
    if let Some(id) = value["Fn::GetAtt"][0].as_str() {
        return Some(id);
    }
    let text = value["Fn::Sub"].as_str()?;
    let (_, rest) = text.split_once("${")?;
    rest.split(['.', '}']).next()
}

/// The items of a list, or a single value as a list of one.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// The keys of an object, sorted.
pub(crate) fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys().cloned())
        .collect();
    keys.sort();
    keys
}

fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_>>()?)
        }
        Yaml::Mapping(mapping) => {
            let entry =
                |(key, value)| Ok((serde_yaml_ng::from_value::<String>(key)?, to_json(value)?));
            Value::Object(mapping.into_iter().map(entry).collect::<Result<_>>()?)
        }
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            match (name, to_json(tagged.value)?) {
                ("Ref" | "Condition", value) => json!({ name: value }),
                ("GetAtt", Value::String(path)) => {
                    json!({ "Fn::GetAtt": path.split('.').collect::<Vec<_>>() })
                }
                (_, value) => json!({ format!("Fn::{name}"): value }),
            }
        }
        plain => serde_json::to_value(plain)?,
    })
}

/// A value with the loop's variable replaced.
fn bind(value: &Value, variable: &str, item: &str) -> Value {
    let text = |text: &str| {
        let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
        text.replace(&format!("${{{variable}}}"), item)
            .replace(&format!("&{{{variable}}}"), &plain)
    };
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => items
            .iter()
            .map(|value| bind(value, variable, item))
            .collect(),
        Value::Object(map) if value["Ref"] == variable && map.len() == 1 => {
            Value::String(item.to_owned())
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (text(key), bind(value, variable, item)))
            .collect(),
        other => other.clone(),
    }
}

/// A value in which every `Sub` without variables is replaced by its text.
fn literal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(map) => match value["Fn::Sub"].as_str() {
            Some(text) if !text.contains("${") => Value::String(text.to_owned()),
            _ => map
                .iter()
                .map(|(key, value)| (key.clone(), literal(value)))
                .collect(),
        },
        other => other.clone(),
    }
}
