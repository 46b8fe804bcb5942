//! `template.yaml` as JSON, with the code of its functions replaced by the uploaded packages.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// The folder of the functions' build output in the template, followed by the function's name.
const CODE_FOLDER: &str = "target/lambda/";

/// Parses a CloudFormation template in YAML, short tags included, into its JSON form.
///
/// # Errors
/// When the text is not YAML, or has a key or number that JSON cannot represent.
pub fn parse(text: &str) -> Result<Value> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).context("the template is not valid YAML")?;
    to_json(yaml)
}

fn to_json(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => serde_json::to_value(number)?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_>>()?)
        }
        Yaml::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, value) in mapping {
                object.insert(key_text(&key)?, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => intrinsic(&tagged.tag.to_string(), to_json(tagged.value)?),
    })
}

fn key_text(key: &Yaml) -> Result<String> {
    Ok(match key {
        Yaml::String(text) => text.clone(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Bool(value) => value.to_string(),
        other => bail!("a key of the template is not a text: {other:?}"),
    })
}

/// The long form of a short tag: `!Ref x` is `{"Ref": x}`, `!GetAtt a.b` is `{"Fn::GetAtt": ["a",
/// "b"]}`.
fn intrinsic(tag: &str, value: Value) -> Value {
    let name = tag.trim_start_matches('!');
    let value = match (name, value) {
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => json!([resource, attribute]),
            None => Value::String(path),
        },
        (_, value) => value,
    };
    match name {
        "Ref" | "Condition" => json!({ name: value }),
        _ => json!({ format!("Fn::{name}"): value }),
    }
}

/// Where a function's package was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The bucket.
    pub bucket: String,
    /// The key, which contains a hash of the content.
    pub key: String,
}

/// The names of the functions whose code the template deploys: every `CodeUri` below
/// `target/lambda/`.
pub fn functions(template: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for resource in resources(template).values() {
        if let Some(name) = code_uri(resource).and_then(function_of) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Points every function of the template at its uploaded code.
///
/// # Errors
/// When a function's code was not built.
pub fn with_code(mut template: Value, code: &BTreeMap<String, Code>) -> Result<Value> {
    let Some(Value::Object(resources)) = template.get_mut("Resources") else {
        bail!("the template has no Resources");
    };
    for (logical, resource) in resources {
        let Some(name) = code_uri(resource).and_then(function_of).map(str::to_owned) else {
            continue;
        };
        let Some(built) = code.get(&name) else {
            bail!("{logical} wants {CODE_FOLDER}{name}/, and the workspace has no binary `{name}`");
        };
        resource["Properties"]["CodeUri"] = json!({ "Bucket": built.bucket, "Key": built.key });
    }
    Ok(template)
}

/// The parameters that the template declares.
pub fn parameters(template: &Value) -> Vec<&str> {
    let declared = template.get("Parameters").and_then(Value::as_object);
    declared.map_or_else(Vec::new, |d| d.keys().map(String::as_str).collect())
}

/// Adapts the template to what the emulator can deploy.
///
/// - An alarm on an expression over metrics becomes an alarm on each metric, as the emulator has no
///   expressions.
/// - Each function gets Lambda's default log group. The emulator's streams do not name their
///   function, so nobody could tell functions apart in a shared group.
pub fn with_local_resources(mut template: Value) -> Value {
    let Some(Value::Object(resources)) = template.get_mut("Resources") else {
        return template;
    };
    for (logical, mut resource) in std::mem::take(resources) {
        if let Some(logging) = resource
            .pointer_mut("/Properties/LoggingConfig")
            .and_then(Value::as_object_mut)
        {
            logging.remove("LogGroup");
        }
        let metrics = resource.pointer_mut("/Properties/Metrics").map(Value::take);
        let Some(Value::Array(metrics)) = metrics else {
            resources.insert(logical, resource);
            continue;
        };
        for (at, metric) in metrics.into_iter().enumerate() {
            if let Some(alarm) = single_metric(&resource, &metric) {
                resources.insert(format!("{logical}{at}"), alarm);
            }
        }
    }
    template
}

/// The alarm on one metric of an alarm on an expression; none for the expression itself.
fn single_metric(alarm: &Value, metric: &Value) -> Option<Value> {
    let choice = metric.get("Fn::If");
    let stat = choice
        .map_or(metric, |choice| &choice[1])
        .get("MetricStat")?;
    let mut alarm = alarm.clone();
    if let Some(condition) = choice.map(|choice| &choice[0]) {
        alarm["Condition"] = condition.clone();
    }
    let properties = alarm["Properties"].as_object_mut()?;
    properties.remove("Metrics");
    properties.extend(stat["Metric"].as_object()?.clone());
    properties.insert("Period".to_owned(), stat["Period"].clone());
    properties.insert("Statistic".to_owned(), stat["Stat"].clone());
    Some(alarm)
}

/// Adapts the permissions to those that the emulator checks.
///
/// - AWS has one permission for sending one message and a batch; the emulator checks a permission
///   of the call's own name.
/// - The emulator checks `ses:SendEmail` on every resource, and lacks the condition on the sender.
pub fn with_local_permissions(mut template: Value) -> Value {
    adapt_permissions(&mut template);
    template
}

fn adapt_permissions(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(adapt_permissions);
            let Some(action) = members.get_mut("Action") else {
                return;
            };
            let mut actions = match action.take() {
                Value::Array(actions) => actions,
                one => vec![one],
            };
            if actions.iter().any(|action| action == "sqs:SendMessage") {
                actions.push(json!("sqs:SendMessageBatch"));
            }
            let mails = actions.iter().any(|action| action == "ses:SendEmail");
            *action = Value::Array(actions);
            if mails {
                members.insert("Resource".to_owned(), json!("*"));
                members.remove("Condition");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(adapt_permissions),
        _ => {}
    }
}

fn resources(template: &Value) -> Map<String, Value> {
    let declared = template.get("Resources").and_then(Value::as_object);
    declared.cloned().unwrap_or_default()
}

fn code_uri(resource: &Value) -> Option<&str> {
    resource.get("Properties")?.get("CodeUri")?.as_str()
}

fn function_of(code_uri: &str) -> Option<&str> {
    let path = code_uri.trim_start_matches("./").trim_end_matches('/');
    path.strip_prefix(CODE_FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(yaml: &str, expected: Value) {
        assert_eq!(parse(yaml).unwrap(), expected);
    }

    #[test]
    fn short_tags_become_functions() {
        check("a: !Ref Name", json!({"a": {"Ref": "Name"}}));
        check("a: !Condition Home", json!({"a": {"Condition": "Home"}}));
        check(
            "a: !GetAtt Table.Stream.Arn",
            json!({"a": {"Fn::GetAtt": ["Table", "Stream.Arn"]}}),
        );
        check(
            "a: !GetAtt [T, Arn]",
            json!({"a": {"Fn::GetAtt": ["T", "Arn"]}}),
        );
        check("a: !Sub '${X}-y'", json!({"a": {"Fn::Sub": "${X}-y"}}));
        check(
            "a: !If [Home, !Ref X, !Ref AWS::NoValue]",
            json!({"a": {"Fn::If": ["Home", {"Ref": "X"}, {"Ref": "AWS::NoValue"}]}}),
        );
        check(
            "a:\n  - !Equals [!Ref M, home]\n  - 2012-10-17\n  - 1.5\n  - true",
            json!({"a": [{"Fn::Equals": [{"Ref": "M"}, "home"]}, "2012-10-17", 1.5, true]}),
        );
        check("Fn::If: [A, 1, 2]", json!({"Fn::If": ["A", 1, 2]}));
        check(
            "200: {x: !Split [',', !Ref L]}",
            json!({"200": {"x": {"Fn::Split": [",", {"Ref": "L"}]}}}),
        );
    }

    #[test]
    fn code_is_replaced_by_what_was_uploaded() {
        let template = json!({"Resources": {
            "SignupApiFunction": {"Properties": {"CodeUri": "target/lambda/signup-api/"}},
            "Queue": {"Properties": {}},
        }});
        assert_eq!(functions(&template), ["signup-api"]);
        let code = Code {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        };
        let done = with_code(
            template.clone(),
            &BTreeMap::from([("signup-api".to_owned(), code)]),
        )
        .unwrap();
        assert_eq!(
            done["Resources"]["SignupApiFunction"]["Properties"]["CodeUri"],
            json!({"Bucket": "b", "Key": "k"})
        );
        let missing = with_code(template, &BTreeMap::new())
            .unwrap_err()
            .to_string();
        assert!(missing.contains("no binary `signup-api`"), "{missing}");
    }

    #[test]
    fn an_alarm_on_an_expression_becomes_one_for_each_metric() {
        let metric = |queue: &str| {
            json!({ "Id": "m", "ReturnData": false, "MetricStat": {
                "Metric": { "Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": [{ "Name": "QueueName", "Value": queue }] },
                "Period": 60, "Stat": "Maximum",
            }})
        };
        let template = json!({"Resources": {
            "AgeAlarm": { "Type": "AWS::CloudWatch::Alarm", "Condition": "Set", "Properties": { "Threshold": 300, "Metrics": [
                { "Id": "oldest", "Expression": "MAX(METRICS())" },
                metric("a"),
                { "Fn::If": ["Fleet", metric("b"), { "Ref": "AWS::NoValue" }] },
            ]}},
            "F": { "Properties": { "LoggingConfig": { "LogFormat": "JSON", "LogGroup": { "Ref": "G" } } } },
        }});
        let alarm = |condition: &str, queue: &str| {
            json!({
                "Type": "AWS::CloudWatch::Alarm", "Condition": condition, "Properties": {
                    "Threshold": 300, "Namespace": "AWS/SQS", "MetricName": "Age", "Period": 60, "Statistic": "Maximum",
                    "Dimensions": [{ "Name": "QueueName", "Value": queue }],
                },
            })
        };
        let expected = json!({"Resources": {
            "AgeAlarm1": alarm("Set", "a"),
            "AgeAlarm2": alarm("Fleet", "b"),
            "F": { "Properties": { "LoggingConfig": { "LogFormat": "JSON" } } },
        }});
        assert_eq!(with_local_resources(template), expected);
    }

    #[test]
    fn permissions_become_those_that_the_emulator_checks() {
        let statement =
            |action: Value| json!({ "Policy": [{ "Action": action, "Resource": "q" }] });
        for (granted, becomes) in [
            (
                json!("sqs:SendMessage"),
                json!(["sqs:SendMessage", "sqs:SendMessageBatch"]),
            ),
            (json!(["s3:GetObject"]), json!(["s3:GetObject"])),
        ] {
            assert_eq!(
                with_local_permissions(statement(granted)),
                statement(becomes)
            );
        }
        let mails = json!({ "Action": ["ses:SendEmail"], "Resource": "identity", "Condition": { "StringEquals": {} } });
        assert_eq!(
            with_local_permissions(mails),
            json!({ "Action": ["ses:SendEmail"], "Resource": "*" })
        );
    }
}
