//! A router with every extractor that functions use.

use axum::extract::Path;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use runtime::http::{
    Body, Now, Problem, Source, Verbatim, csv_table, next_link, wants_csv, with_fallbacks,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::path::Path as FilePath;

/// A body with a member of every kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    name: Option<String>,
    email: Option<String>,
    code: Option<String>,
    role: Option<Role>,
    levels: Option<Vec<Level>>,
    placement: Option<HashMap<String, Value>>,
    signup: Option<Verbatim>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Admin,
    Member,
    Other(Level),
}

#[derive(Deserialize)]
struct Level {
    meter: String,
    percents: Vec<u16>,
}

async fn take(
    Now(now): Now,
    source: Source,
    uri: Uri,
    headers: HeaderMap,
    Body(order): Body<Order>,
) -> Result<Json<Value>, Problem> {
    let Order {
        name,
        email,
        code,
        role,
        levels,
        placement,
        signup,
    } = order;
    let role = role.map(|role| match role {
        Role::Admin => "admin".to_owned(),
        Role::Member => "member".to_owned(),
        Role::Other(level) => level.meter,
    });
    let percents: usize = levels
        .iter()
        .flatten()
        .map(|level| level.percents.len())
        .sum();
    Ok(Json(json!({
        "texts": [name, email, code, role], "percents": percents, "placement": placement, "now": now,
        "signup": signup.map(|signup| signup.get().len()), "source": source.expose(), "path": uri.path(),
        "headers": headers.len(),
    })))
}

/// The same as `take`, at a path with parameters.
async fn take_part(
    Path(parts): Path<(String, String)>,
    Now(now): Now,
    source: Source,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Body<Order>, Problem>,
) -> Result<Response, Problem> {
    let parts = parts.0.len() + parts.1.len();
    let answer = take(Now(now), source, uri, headers, body?).await?;
    Ok(([("x-length", parts.to_string())], answer).into_response())
}

async fn list(
    Now(now): Now,
    Path(part): Path<String>,
    axum::extract::Query(query): axum::extract::Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let link = next_link("/list", &query, now)?;
    let mut response = if wants_csv(&headers) {
        csv_table(&["part"], [&part])?
    } else {
        part.into_response()
    };
    response.headers_mut().insert("link", link);
    Ok(response)
}

/// The routes: `take` for the paths of the events, `list` for paths with a parameter.
pub(crate) fn router(usual: &[Value]) -> Router {
    let paths: BTreeSet<&str> = usual
        .iter()
        .filter_map(|event| event["rawPath"].as_str())
        .collect();
    let taken = paths
        .into_iter()
        .filter(|path| path.matches('/').count() == 1 && !path.contains(['{', '}', '%', '*']));
    let routes = taken.fold(Router::new(), |routes, path| routes.route(path, any(take)));
    with_fallbacks(
        routes
            .route("/signups/{id}", get(list))
            .route("/tenants/{tenant}/{*rest}", any(take_part)),
    )
}

/// The HTTP events of every function.
pub(crate) fn usual() -> Vec<Value> {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let files = |folder: &FilePath| -> Vec<_> {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let cases = files(&root)
        .into_iter()
        .filter(|path| path.is_dir())
        .flat_map(|folder| files(&folder));
    let cases = cases.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    let events =
        cases.map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap());
    events
        .filter(|event| event["requestContext"]["http"].is_object())
        .collect()
}
