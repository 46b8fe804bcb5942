//! The routes of the HTTP APIs, from their documents in `docs/openapi`.

use crate::fragments::{Function, read};
use crate::template::yaml;
use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};
use std::path::Path;

/// The path of each document. The function that serves it also answers unknown paths.
const DOCUMENT: &str = "/openapi.json";

/// Adds the routes of every HTTP API: each path of its document goes to the path's function, with
/// every method.
pub(crate) fn add_routes(
    root: &Path,
    resources: &mut Mapping,
    functions: &[Function],
) -> Result<()> {
    for (id, resource) in resources.iter_mut() {
        if resource.get("Type").and_then(Value::as_str) != Some("AWS::Serverless::HttpApi") {
            continue;
        }
        let id = id.as_str().unwrap_or_default().to_owned();
        let condition = resource
            .get("Condition")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let api = Api {
            id: &id,
            condition: condition.as_deref(),
            functions,
        };
        let properties = resource["Properties"]
            .as_mapping_mut()
            .with_context(|| format!("{id}: no Properties"))?;
        // SAM allows no Name beside a body, so the API gets its name from the body's title.
        let title = properties
            .remove("Name")
            .with_context(|| format!("{id}: no Name"))?;
        let body = api.body(root, title)?;
        properties.insert("DefinitionBody".into(), body);
    }
    Ok(())
}

struct Api<'a> {
    id: &'a str,
    condition: Option<&'a str>,
    functions: &'a [Function],
}

impl Api<'_> {
    fn body(&self, root: &Path, title: Value) -> Result<Value> {
        let file = format!(
            "docs/openapi/{}.json",
            self.id.trim_end_matches("Api").to_lowercase()
        );
        let document: Json =
            serde_json::from_str(&read(&root.join(&file))?).with_context(|| file.clone())?;
        let mut paths = Mapping::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let function = self.owner(path, operations)?;
            paths.insert(path.as_str().into(), self.route(function, path)?);
            if path == DOCUMENT {
                paths.insert("/$default".into(), self.route(function, "$default")?);
            }
        }
        if !paths.contains_key("/$default") {
            bail!("{file}: no function serves {DOCUMENT}");
        }
        let mut body: Mapping =
            serde_yaml_ng::from_str("{ openapi: 3.0.1, info: { version: '1.0' } }")?;
        body["info"]["title"] = title;
        body.insert("paths".into(), Value::Mapping(paths));
        Ok(Value::Mapping(body))
    }

    /// The one function that serves a path.
    fn owner(&self, path: &str, operations: &Json) -> Result<&Function> {
        let mut owners: Vec<&str> = operations
            .as_object()
            .into_iter()
            .flat_map(|operations| operations.values())
            .filter_map(|operation| operation["x-function"].as_str())
            .collect();
        owners.dedup();
        let [owner] = owners.as_slice() else {
            bail!("{}: {path} has {owners:?} instead of one function", self.id);
        };
        let found = self
            .functions
            .iter()
            .find(|function| function.name == *owner);
        let found = found
            .with_context(|| format!("{}: {path} is of {owner}, which does not exist", self.id))?;
        if found.declared.api.as_deref() != Some(self.id) {
            bail!(
                "{}: {path} is of {owner}, whose function.yaml lacks `Api: {}`",
                self.id,
                self.id
            );
        }
        Ok(found)
    }

    fn route(&self, function: &Function, path: &str) -> Result<Value> {
        let mut route = yaml(&format!(
            "x-amazon-apigateway-any-method:
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                payloadFormatVersion: '2.0'
                uri: !Sub arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{}Function.Arn}}/invocations
              responses: {{}}
            ",
            function.id
        ))?;
        let method = &mut route["x-amazon-apigateway-any-method"];
        let parameters = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = parameters
            .map(|name| yaml(&format!("{{ name: {name}, in: path, required: true }}")))
            .collect::<Result<_>>()?;
        if !parameters.is_empty() {
            method["parameters"] = Value::Sequence(parameters);
        }
        if path == "$default" {
            method["isDefaultRoute"] = true.into();
        }
        match function.declared.condition.as_deref() {
            Some(condition) if self.condition != Some(condition) => {
                let mut either = yaml(&format!("!If [{condition}, null, !Ref AWS::NoValue]"))?;
                if let Value::Tagged(tagged) = &mut either {
                    tagged.value[1] = route;
                }
                Ok(either)
            }
            _ => Ok(route),
        }
    }
}
