//! The OpenAPI documents: every route of an API is described, by the function that serves it, and no other is.

use crate::template::{Template, keys, target};
use crate::{none, repository};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// One route: method, path, and the logical id of its function.
type Route = (String, String, String);

/// The routes of an API by the template.
fn routes(template: &Template, api: &str) -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    for (id, function) in template.functions() {
        for name in keys(&function["Events"]) {
            let event = &function["Events"][&name];
            let properties = &event["Properties"];
            if event["Type"] == "HttpApi" && target(&properties["ApiId"]) == Some(api) {
                let text = |key: &str| properties[key].as_str().unwrap_or_default().to_owned();
                found.insert((text("Method"), text("Path"), id.to_owned()));
            }
        }
    }
    found
}

/// The routes of an API by its document.
fn described(document: &Value) -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    for path in keys(&document["paths"]) {
        for method in keys(&document["paths"][&path]) {
            let owner = document["paths"][&path][&method]["x-function"].as_str().unwrap_or_default();
            let id = format!("{}Function", repository::pascal(owner));
            found.insert((method.to_uppercase(), path.clone(), id));
        }
    }
    found
}

#[test]
fn documents_and_routes_agree() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut expected = Vec::new();
    for (api, _) in template.of_type("AWS::Serverless::HttpApi") {
        let name = format!("{}.json", api.trim_end_matches("Api").to_lowercase());
        let path = format!("docs/openapi/{name}");
        let document = serde_json::from_str(&repository::read(&path)?).with_context(|| path.clone())?;
        let (served, described) = (routes(&template, api), described(&document));
        let show = |(method, route, id): &Route| format!("{method} {route} of {id}");
        findings.extend(served.difference(&described).map(|route| format!("{path}: lacks {}", show(route))));
        findings.extend(described.difference(&served).map(|route| format!("{path}: has {}", show(route))));
        let serves_itself = served.iter().any(|(method, route, _)| method == "GET" && route == "/openapi.json");
        if !serves_itself {
            findings.push(format!("{api}: no GET /openapi.json"));
        }
        expected.push(name);
    }
    let others = repository::entries("docs/openapi").into_iter().filter(|name| !expected.contains(name));
    findings.extend(others.map(|name| format!("docs/openapi/{name}: no such API")));
    none(
        &findings,
        "Describe the route beside its handler with #[utoipa::path], list the handler in the function's \
         tests/openapi.rs, and run MERIDIAN_WRITE_OPENAPI=1 cargo test -p <function>.",
    )
}
