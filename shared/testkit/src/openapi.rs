//! The OpenAPI documents of `docs/openapi`: each function writes and checks its own part.

use runtime::http::{Problem, ProblemKind, ProblemType};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use utoipa::openapi::OpenApi;
use utoipa::{PartialSchema as _, ToSchema as _};

/// The extension that names the function of an operation.
const OWNER: &str = "x-function";
const SCHEMAS: &str = "#/components/schemas/";
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The problems of an operation, until [`complete`] makes them responses.
const PROBLEMS: &str = "x-problems";

/// What every operation with a bearer token may answer.
const OF_TOKENS: [ProblemKind; 2] = [ProblemKind::Unauthorized, ProblemKind::KeysUnavailable];
/// What an operation may answer that takes a scope.
const OF_SCOPES: [ProblemKind; 1] = [ProblemKind::MissingScope];
/// What every operation with a body may answer, unless it describes the first of these itself.
const OF_BODIES: [ProblemKind; 3] = [
    ProblemKind::MalformedJson,
    ProblemKind::BodyTooLarge,
    ProblemKind::InvalidBody,
];
/// What every operation may answer that can refuse anything.
const OF_ALL: [ProblemKind; 1] = [ProblemKind::Internal];

/// The request header by which a repeated request is recognised.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub struct IdempotencyHeader {
    /// A random UUID; the same one when the request is repeated.
    #[param(
        rename = "Idempotency-Key",
        min_length = 16,
        max_length = 128,
        pattern = "^[!-~]+$"
    )]
    key: String,
}

/// The answer of an operation that describes its own API.
#[derive(utoipa::IntoResponses)]
#[response(status = 200, description = "An OpenAPI 3.1 document.", headers(
    ("cache-control" = String, description = "It may be kept for five minutes."),
))]
#[expect(dead_code, reason = "its field is read by the derive alone")]
pub struct ApiDocument(#[to_schema] Map<String, Value>);

/// What an operation says of its problems: `extensions(("x-problems" = json!(problems![..])))`, by
/// the names that its `ProblemKind` has for them.
#[macro_export]
macro_rules! problems {
    ($($kind:ident),+ $(,)?) => {
        $crate::openapi::problems(&[$(ProblemKind::$kind),+])
    };
}

/// The value of the extension `x-problems` of an operation. See [`problems!`](crate::problems).
pub fn problems<P: ProblemType>(kinds: &[P]) -> Value {
    kinds
        .iter()
        .map(|kind| {
            let (status, text) = refusal(*kind);
            json!({ "status": status, "slug": kind.slug(), "text": text })
        })
        .collect()
}

/// A problem as documents describe it: its status and what they say.
fn refusal(kind: impl ProblemType) -> (String, String) {
    let description = match kind.description() {
        "" => format!("{}.", kind.title()),
        description => description.to_owned(),
    };
    let status = kind.status().as_str().to_owned();
    (status, format!("{} {description}", name(kind.slug())))
}

/// How a description begins that is of the problem with this slug.
fn name(slug: &str) -> String {
    format!("`{slug}`:")
}

/// An API of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// RegionalApi.
    Regional,
    /// OperatorApi.
    Operator,
    /// HomeApi.
    Home,
}

impl Api {
    fn file(self) -> PathBuf {
        let name = match self {
            Self::Regional => "regional.json",
            Self::Operator => "operator.json",
            Self::Home => "home.json",
        };
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs/openapi")
            .join(name)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Regional => "Meridian: a region",
            Self::Operator => "Meridian: operators",
            Self::Home => "Meridian: home",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Regional => {
                "What a region offers to tenants, to people who want to become one, and to the product that reports \
                 their usage. Personal data is stored here and stays here."
            }
            Self::Operator => {
                "What the provider's operators see and decide. Tenants have pseudonymous ids; nothing here is personal."
            }
            Self::Home => {
                "Where to find a region, and onboarding on behalf of somebody else. Personal data passes through in \
                 memory and is not stored."
            }
        }
    }

    fn document(self) -> Value {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// Compares a function's description of its routes with the document of its API.
///
/// The document has exactly the operations that the function describes, and no schema without a
/// reference. `MERIDIAN_WRITE_OPENAPI=1 cargo test -p <function> openapi` writes the function's
/// part.
///
/// # Panics
/// When they differ, or the function refers to a schema that it does not describe.
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a document that cannot be written is a broken test"
)]
pub fn assert_published<P: ProblemType>(api: Api, function: &str, described: &OpenApi) {
    let described = &mut serde_json::to_value(described).unwrap();
    let mut own = vec![(String::from("Problem"), Problem::schema())];
    Problem::schemas(&mut own);
    for (name, schema) in own {
        described["components"]["schemas"][name] = serde_json::to_value(schema).unwrap();
    }
    unfold(described);
    let document = api.document();
    let answered = described.to_string();
    for kind in P::ALL {
        let (_, text) = refusal(*kind);
        let is_answered = answered.contains(&json!(text).to_string());
        assert!(is_answered, "no operation of {function} answers {text}");
    }
    let schemas = members(&described["components"]["schemas"]);
    let unknown: Vec<String> = references(described)
        .into_iter()
        .filter(|name| !schemas.contains_key(name))
        .collect();
    assert!(
        unknown.is_empty(),
        "{function} does not describe {unknown:?}: list them under components(schemas(..))"
    );
    let mut described = described.clone();
    join_lines(&mut described);
    let text =
        serde_json::to_string_pretty(&merge(api, function, &document, &described)).unwrap() + "\n";
    if std::env::var_os("MERIDIAN_WRITE_OPENAPI").is_some() {
        std::fs::create_dir_all(api.file().parent().unwrap()).unwrap();
        std::fs::write(api.file(), &text).unwrap();
    }
    let published = std::fs::read_to_string(api.file()).unwrap_or_default();
    if let Some((is, should_be)) = published
        .lines()
        .chain([""])
        .zip(text.lines().chain([""]))
        .find(|(a, b)| a != b)
    {
        panic!(
            "{} differs from {function}: it has {is:?} where the function describes {should_be:?}. Run \
             MERIDIAN_WRITE_OPENAPI=1 cargo test -p {function}, and read the difference.",
            api.file().display()
        );
    }
}

/// Joins the lines of each paragraph of a description: where a comment's lines break is a matter of
/// the source.
fn join_lines(described: &mut Value) {
    match described {
        Value::Object(members) => {
            if let Some(Value::String(description)) = members.get_mut("description") {
                let paragraphs = description.split("\n\n");
                *description = paragraphs
                    .map(|paragraph| paragraph.replace('\n', " "))
                    .collect::<Vec<_>>()
                    .join("\n\n");
            }
            members.values_mut().for_each(join_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Compares a response to a payload of API Gateway with the document: its status is described, and,
/// unless `slug` is empty, the name of its problem. A path or method without a description gets the
/// fallback's response.
///
/// # Panics
/// When the response is not described.
pub fn assert_described(api: Api, payload: &Value, status: u16, slug: &str) {
    let document = api.document();
    let path = payload["rawPath"].as_str().unwrap_or_default();
    let method = payload["requestContext"]["http"]["method"]
        .as_str()
        .unwrap_or_default();
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    let item = fitting
        .min_by_key(|(template, _)| template.matches('{').count())
        .map(|(_, item)| item);
    let operation = item
        .map(|item| &item[method.to_ascii_lowercase()])
        .filter(|operation| operation.is_object());
    let Some(operation) = operation else {
        assert!(
            ["not-found", "method-not-allowed"].contains(&slug),
            "{method} {path} is not described"
        );
        return;
    };
    if (status, slug) == (400, ProblemKind::MalformedRequest.slug()) {
        return;
    }
    let described = operation["responses"][status.to_string()]["description"].as_str();
    let is_described =
        described.is_some_and(|text| slug.is_empty() || text.contains(&format!("`{slug}`")));
    assert!(
        is_described,
        "{method} {path} does not describe its answer {status} {slug}"
    );
}

/// An operation with a request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taker {
    method: String,
    path: String,
}

impl Taker {
    /// Whether a payload of API Gateway is for this operation.
    pub(crate) fn takes(&self, payload: &Value) -> bool {
        payload["requestContext"]["http"]["method"] == self.method.as_str()
            && fits(&self.path, payload["rawPath"].as_str().unwrap_or_default())
    }
}

/// The operations of a function with a request body, in every API.
pub(crate) fn bodies(function: &str) -> Vec<Taker> {
    let mut found = Vec::new();
    for api in [Api::Regional, Api::Operator, Api::Home] {
        for (path, item) in members(&api.document()["paths"]) {
            for (method, operation) in members(&item) {
                if operation[OWNER] == function && operation["requestBody"].is_object() {
                    found.push(Taker {
                        method: method.to_uppercase(),
                        path: path.clone(),
                    });
                }
            }
        }
    }
    found
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, given): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    wanted.len() == given.len()
        && wanted
            .iter()
            .zip(given)
            .all(|(wanted, given)| *wanted == given || wanted.starts_with('{'))
}

/// The document with a function's part replaced, and without schemas that have no reference any
/// more.
fn merge(api: Api, function: &str, document: &Value, described: &Value) -> Value {
    let mut paths = members(&document["paths"]);
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        item.retain(|_, operation| operation[OWNER] != function);
    }
    for (path, item) in members(&described["paths"]) {
        let merged = paths.entry(path).or_insert_with(|| json!({}));
        for (method, mut operation) in members(&item)
            .into_iter()
            .filter(|(key, _)| METHODS.contains(&key.as_str()))
        {
            complete(&mut operation, function);
            merged[method] = operation;
        }
    }
    paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    let operations: Vec<&Value> = paths
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .collect();

    let own = list(&described["tags"]);
    let is_own = |tag: &Value| own.iter().any(|own| own["name"] == tag["name"]);
    let mut tags: Vec<Value> = list(&document["tags"])
        .into_iter()
        .filter(|tag| !is_own(tag))
        .collect();
    tags.extend(own);
    tags.retain(|tag| {
        operations
            .iter()
            .any(|operation| list(&operation["tags"]).contains(&tag["name"]))
    });
    tags.sort_by_key(|tag| tag["name"].to_string());

    let required: Vec<Value> = operations
        .iter()
        .flat_map(|operation| list(&operation["security"]))
        .collect();
    let mut schemes = members(&security_schemes());
    schemes.retain(|name, _| required.iter().any(|one| !one[name].is_null()));

    let mut schemas = members(&document["components"]["schemas"]);
    schemas.extend(members(&described["components"]["schemas"]));
    let referenced = referenced(&json!(paths), &schemas);
    schemas.retain(|name, _| referenced.contains(name));

    let license = json!({ "name": "Apache License 2.0", "identifier": "Apache-2.0" });
    let info = json!({
        "title": api.title(),
        "description": format!(
            "{}\n\nA refusal is a problem document (RFC 9457), whose type ends with the name that is given here with \
             its status. A request that is not well-formed - its path, its query, in which no parameter is there \
             twice, or a header - is refused with status 400 and the name `{}`, whichever operation it \
             is for. Before a request gets that far, the gateway may refuse it for its rate, with status 429 or \
             503 and a JSON object with the member `message`.",
            api.description(),
            ProblemKind::MalformedRequest.slug()
        ),
        "license": license,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let components = json!({ "schemas": schemas, "securitySchemes": schemes });
    json!({ "openapi": "3.1.0", "info": info, "tags": tags, "paths": paths, "components": components })
}

/// Adds the owner to an operation, the refusals that follow from its inputs, and the problem schema
/// of each refusal.
fn complete(operation: &mut Value, function: &str) {
    operation[OWNER] = json!(function);
    // The first sentence of a doc comment has a full stop, a summary has none.
    if let Some(summary) = operation["summary"].as_str() {
        operation["summary"] = json!(summary.trim_end_matches('.'));
    }
    let mut responses = members(&operation["responses"]);
    for problem in take_problems(operation) {
        let (status, text) = (problem["status"].as_str(), problem["text"].as_str());
        add_refusal(
            &mut responses,
            status.unwrap_or_default(),
            text.unwrap_or_default(),
        );
    }
    for kind in implied(operation, &responses) {
        let (status, text) = refusal(kind);
        if !describes(&responses, kind) {
            add_refusal(&mut responses, &status, &text);
        }
    }
    for (status, response) in &mut responses {
        if is_refusal(status) {
            let schema = json!({ "$ref": format!("{SCHEMAS}Problem") });
            response["content"] = json!({ "application/problem+json": { "schema": schema } });
        }
        if ["429", "503"].contains(&status.as_str()) {
            let schema = json!({ "type": "integer", "minimum": 1 });
            response["headers"] = json!({ "retry-after": { "description": "How many seconds to wait.", "schema": schema } });
        }
    }
    operation["responses"] = Value::Object(responses);
}

/// Takes the line breaks of doc comments out of all texts within, but not those between paragraphs:
/// how wide a source is laid out is none of a document's business.
fn unfold(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unfold),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" || name == "summary" => {
                        let paragraphs = text.split("\n\n").map(|text| text.replace('\n', " "));
                        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
                    }
                    member => unfold(member),
                }
            }
        }
        _ => {}
    }
}

fn take_problems(operation: &mut Value) -> Vec<Value> {
    let problems = operation
        .as_object_mut()
        .and_then(|operation| operation.remove(PROBLEMS));
    problems.map(|problems| list(&problems)).unwrap_or_default()
}

/// The refusals that follow from what an operation takes.
fn implied(operation: &Value, responses: &Map<String, Value>) -> Vec<ProblemKind> {
    let security = list(&operation["security"]);
    let has_scope = |one: &Value| members(one).values().any(|scopes| !list(scopes).is_empty());
    let mut kinds = Vec::new();
    if !security.is_empty() {
        kinds.extend(OF_TOKENS);
    }
    if security.iter().any(has_scope) {
        kinds.extend(OF_SCOPES);
    }
    if operation["requestBody"].is_object() && !describes(responses, OF_BODIES[0]) {
        kinds.extend(OF_BODIES);
    }
    if !kinds.is_empty() || responses.keys().any(|status| is_refusal(status)) {
        kinds.extend(OF_ALL);
    }
    kinds
}

/// Whether one of the responses describes a problem of this name.
fn describes(responses: &Map<String, Value>, kind: ProblemKind) -> bool {
    let texts = responses
        .values()
        .filter_map(|response| response["description"].as_str());
    texts
        .into_iter()
        .any(|text| text.contains(&name(kind.slug())))
}

fn add_refusal(responses: &mut Map<String, Value>, status: &str, text: &str) {
    let text_so_far = responses
        .get(status)
        .and_then(|response| response["description"].as_str())
        .unwrap_or_default();
    let description = format!("{text_so_far} {text}").trim().to_owned();
    responses.insert(status.to_owned(), json!({ "description": description }));
}

fn is_refusal(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

fn security_schemes() -> Value {
    let scheme = |description: &str| {
        let mut scheme = json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" });
        scheme["description"] = json!(description);
        scheme
    };
    json!({
        "person": scheme("The access token that the region's user pool gives to a person at sign-in. It is for one \
                          tenant."),
        "machine": scheme(
            "An access token by client credentials (RFC 6749, section 4.4), with the scopes that the operation names."
        ),
    })
}

/// The names of the schemas that paths refer to, directly or through another schema.
fn referenced(paths: &Value, schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = references(paths);
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(schemas.get(&name).map(references).unwrap_or_default());
        }
    }
    found
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(map) => {
            let own = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.strip_prefix(SCHEMAS));
            own.map(str::to_owned)
                .into_iter()
                .chain(map.values().flat_map(references))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
