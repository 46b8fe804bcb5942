//! Evaluates the conditions of a template with explicit parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The conditions of one template with the parameters of one stack.
#[derive(Debug, Clone)]
pub struct Conditions {
    declared: Map<String, Value>,
    parameters: BTreeMap<String, String>,
}

impl Conditions {
    /// Reads the conditions of a template; `parameters` override the declared defaults.
    pub fn new(template: &Value, parameters: BTreeMap<String, String>) -> Self {
        let mut values = BTreeMap::new();
        for (name, declaration) in template["Parameters"].as_object().into_iter().flatten() {
            if let Some(default) = declaration.get("Default") {
                let text = default
                    .as_str()
                    .map_or_else(|| default.to_string(), str::to_owned);
                values.insert(name.clone(), text);
            }
        }
        values.extend(parameters);
        Self {
            declared: template["Conditions"]
                .as_object()
                .cloned()
                .unwrap_or_default(),
            parameters: values,
        }
    }

    /// Whether a resource exists: it has no condition, or its condition is true.
    pub fn holds_for(&self, resource: &Value) -> bool {
        resource
            .get("Condition")
            .and_then(Value::as_str)
            .is_none_or(|name| self.holds(name))
    }

    fn holds(&self, name: &str) -> bool {
        self.declared
            .get(name)
            .is_some_and(|expression| self.evaluate(expression))
    }

    fn evaluate(&self, expression: &Value) -> bool {
        let Some((function, argument)) = single(expression) else {
            return expression.as_str() == Some("true") || expression.as_bool() == Some(true);
        };
        let all = || argument.as_array().into_iter().flatten();
        match function {
            "Condition" => argument.as_str().is_some_and(|name| self.holds(name)),
            "Fn::Equals" => self.text(&argument[0]) == self.text(&argument[1]),
            "Fn::Not" => !self.evaluate(&argument[0]),
            "Fn::And" => all().all(|item| self.evaluate(item)),
            "Fn::Or" => all().any(|item| self.evaluate(item)),
            _ => false,
        }
    }

    fn text(&self, value: &Value) -> String {
        match single(value) {
            Some(("Ref", Value::String(name))) => {
                self.parameters.get(name).cloned().unwrap_or_default()
            }
            _ => value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        }
    }

    /// The texts of a list: given as an array, as one comma-separated text, or as a reference to a
    /// parameter that holds one.
    pub fn list(&self, value: &Value) -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.text(item)).collect(),
            Value::Null => Vec::new(),
            one => self
                .text(one)
                .split(',')
                .map(|text| text.trim().to_owned())
                .collect(),
        }
    }

    /// The value with every `Fn::If` replaced by its chosen branch and every `AWS::NoValue`
    /// removed.
    pub fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Object(_) => {
                if let Some(("Fn::If", choice)) = single(value) {
                    let side = match choice[0].as_str() {
                        Some(name) if self.holds(name) => &choice[1],
                        _ => &choice[2],
                    };
                    return self.resolve(side);
                }
                let fields = value.as_object().into_iter().flatten();
                let resolved = fields.map(|(key, field)| (key.clone(), self.resolve(field)));
                Value::Object(resolved.filter(|(_, field)| !is_no_value(field)).collect())
            }
            Value::Array(items) => {
                let resolved = items.iter().map(|item| self.resolve(item));
                Value::Array(resolved.filter(|item| !is_no_value(item)).collect())
            }
            other => other.clone(),
        }
    }
}

fn single(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object
        .iter()
        .next()
        .map(|(key, value)| (key.as_str(), value))
}

fn is_no_value(value: &Value) -> bool {
    single(value).is_some_and(|(key, name)| key == "Ref" && name == "AWS::NoValue")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mode: &str, condition: &str, expected: bool) {
        let template = json!({
            "Parameters": {"Mode": {"Default": "shared"}, "Role": {"Default": "regional"}},
            "Conditions": {
                "Home": {"Fn::Equals": [{"Ref": "Role"}, "home"]},
                "Sovereign": {"Fn::Equals": [{"Ref": "Mode"}, "sovereign"]},
                "Bills": {"Fn::Or": [{"Condition": "Home"}, {"Condition": "Sovereign"}]},
                "Plain": {"Fn::Not": [{"Condition": "Bills"}]},
                "Both": {"Fn::And": [{"Condition": "Home"}, {"Condition": "Sovereign"}]},
            },
        });
        let conditions = Conditions::new(
            &template,
            BTreeMap::from([("Mode".to_owned(), mode.to_owned())]),
        );
        let resource = json!({"Condition": condition});
        assert_eq!(
            conditions.holds_for(&resource),
            expected,
            "{mode} {condition}"
        );
        let list = json!([{"Fn::If": [condition, 1, {"Ref": "AWS::NoValue"}]}]);
        let chosen = if expected { json!([1]) } else { json!([]) };
        assert_eq!(conditions.resolve(&list), chosen);
    }

    #[test]
    fn a_list_may_be_a_parameter() {
        let origins = (
            "Origins".to_owned(),
            "https://a.example, https://b.example".to_owned(),
        );
        let conditions = Conditions::new(&json!({}), BTreeMap::from([origins]));
        for (value, texts) in [
            (
                json!({"Ref": "Origins"}),
                vec!["https://a.example", "https://b.example"],
            ),
            (json!(["GET", "POST"]), vec!["GET", "POST"]),
            (json!("*"), vec!["*"]),
            (json!(null), vec![]),
        ] {
            assert_eq!(conditions.list(&value), texts, "{value}");
        }
    }

    #[test]
    fn conditions_follow_the_parameters() {
        check("shared", "Home", false);
        check("shared", "Plain", true);
        check("sovereign", "Bills", true);
        check("sovereign", "Plain", false);
        check("sovereign", "Both", false);
        check("shared", "Unknown", false);
    }
}
