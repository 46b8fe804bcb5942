//! The OpenAPI documents: each describes every route of its API, by the function that serves it,
//! and no other route.

use crate::template::{Template, keys};
use crate::{none, repository};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// One route: path, and the logical id of its function.
type Route = (String, String);

/// The route of every path that has no route of its own.
const DEFAULT: &str = "/$default";

/// The routes of an API in the template. Each accepts every method; the function refuses those that
/// it does not support.
fn routes(api: &Value) -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    for path in keys(&api["DefinitionBody"]["paths"]) {
        let declared = &api["DefinitionBody"]["paths"][&path];
        let route = declared["Fn::If"].get(1).unwrap_or(declared);
        let uri =
            &route["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]["uri"];
        let uri = uri["Fn::Sub"].as_str().unwrap_or_default();
        let id = uri
            .split_once("functions/${")
            .and_then(|(_, rest)| rest.split_once(".Arn}/invocations"));
        found.insert((path, id.map_or_else(String::new, |(id, _)| id.to_owned())));
    }
    found
}

/// The routes of an API in its document.
fn described(document: &Value) -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    for path in keys(&document["paths"]) {
        for method in keys(&document["paths"][&path]) {
            let owner = document["paths"][&path][&method]["x-function"]
                .as_str()
                .unwrap_or_default();
            found.insert((
                path.clone(),
                format!("{}Function", repository::pascal(owner)),
            ));
        }
    }
    found
}

#[test]
fn documents_and_routes_agree() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut expected = Vec::new();
    for (api, properties) in template.of_type("AWS::Serverless::HttpApi") {
        let name = format!("{}.json", api.trim_end_matches("Api").to_lowercase());
        let path = format!("docs/openapi/{name}");
        let document: Value =
            serde_json::from_str(&repository::read(&path)?).with_context(|| path.clone())?;
        let (mut served, described) = (routes(properties), described(&document));
        let show = |(route, id): &Route| format!("{route} of {id}");
        // Unknown paths get a problem document too, from the function that serves the document.
        let (defaults, named) = served
            .into_iter()
            .partition::<BTreeSet<_>, _>(|(route, _)| route == DEFAULT);
        served = named;
        if defaults.len() != 1 {
            findings.push(format!("{api}: no {DEFAULT}"));
        }
        findings.extend(
            served
                .difference(&described)
                .map(|route| format!("{path}: lacks {}", show(route))),
        );
        findings.extend(
            described
                .difference(&served)
                .map(|route| format!("{path}: has {}", show(route))),
        );
        let serves_itself = document["paths"]["/openapi.json"]["get"].is_object();
        if !serves_itself {
            findings.push(format!("{api}: no GET /openapi.json"));
        }
        expected.push(name);
    }
    let others = repository::entries("docs/openapi")
        .into_iter()
        .filter(|name| !expected.contains(name));
    findings.extend(others.map(|name| format!("docs/openapi/{name}: no such API")));
    none(
        &findings,
        "Describe the route beside its handler with #[utoipa::path], list the handler in the function's \
         tests/openapi.rs, and run MERIDIAN_WRITE_OPENAPI=1 cargo test -p <function>.",
    )
}
