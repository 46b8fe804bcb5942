//! The home page. It holds no personal data and sends nothing home: a person's input goes to the
//! region of their choice.

use crate::adapters::Adapters;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
#[cfg(test)]
use runtime::http;
use runtime::http::{FileKind, Now, PageFile, PagePolicy, Problem};
use std::sync::Arc;
#[cfg(test)]
use testkit::openapi;

/// Shows the home page.
///
/// It lists the regions, signs companies up at the region of their choice, and has people's
/// workspaces mailed by every region. It may connect to the regions, and sends nothing home.
/// Public.
#[cfg_attr(test, utoipa::path(get, path = "/", operation_id = "showHomePage", tag = "Home page",
    responses((status = 200, description = "The page.", content((String = "text/html")))),
    extensions(("x-problems" = json!(openapi::problems(&[http::ProblemKind::Internal]))))))]
pub(crate) async fn page(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
) -> Result<Response, Problem> {
    let described = adapters
        .listing
        .load(&adapters.store, now)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let policy = PagePolicy::connecting_to(
        described
            .iter()
            .map(|(_, region)| region.signup_url.as_str()),
    );
    let text = include_str!("../assets/home.html");
    Ok(PageFile {
        kind: FileKind::Html,
        text,
        policy: &policy,
    }
    .into_response())
}

/// Loads what the home page does.
///
/// Public.
#[cfg_attr(test, utoipa::path(get, path = "/home.js", operation_id = "loadHomeScript",
    tag = "Home page",
    responses((status = 200, description = "The script.", content((String = "text/javascript"))))))]
pub(crate) async fn script() -> Response {
    file(FileKind::Script, include_str!("../assets/home.js"))
}

/// Loads what the home page looks like.
///
/// Public.
#[cfg_attr(test, utoipa::path(get, path = "/home.css", operation_id = "loadHomeStyle",
    tag = "Home page",
    responses((status = 200, description = "The style sheet.", content((String = "text/css"))))))]
pub(crate) async fn style() -> Response {
    file(FileKind::Style, include_str!("../assets/home.css"))
}

/// A file that may not connect to anything by itself.
fn file(kind: FileKind, text: &'static str) -> Response {
    let policy = PagePolicy::connecting_to([]);
    PageFile {
        kind,
        text,
        policy: &policy,
    }
    .into_response()
}
