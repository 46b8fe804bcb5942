//! The home page: it knows nobody and is sent nothing. What a person types into it goes to the
//! region of choice.

use crate::adapters::Adapters;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use runtime::http::{FileKind, Now, PageFile, PagePolicy, Problem};
use std::sync::Arc;

/// `GET /`: the page.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/",
    tag = "Home page",
    operation_id = "showHomePage",
    summary = "Shows the home page",
    description = "It lists the regions, signs companies up at the region of their choice, and has people's workspaces \
                   mailed by every region. It may connect to the regions, and sends nothing home. Public.",
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 500, description = "`internal`: something failed on our side."),
    ),
))]
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

/// `GET /home.js`: what the page does.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/home.js",
    tag = "Home page",
    operation_id = "loadHomeScript",
    summary = "Loads what the home page does",
    description = "Public.",
    responses((status = 200, description = "The script.", content_type = "text/javascript", body = String)),
))]
pub(crate) async fn script() -> Response {
    file(FileKind::Script, include_str!("../assets/home.js"))
}

/// `GET /home.css`: what the page looks like.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/home.css",
    tag = "Home page",
    operation_id = "loadHomeStyle",
    summary = "Loads what the home page looks like",
    description = "Public.",
    responses((status = 200, description = "The style sheet.", content_type = "text/css", body = String)),
))]
pub(crate) async fn style() -> Response {
    file(FileKind::Style, include_str!("../assets/home.css"))
}

/// A file that connects to nothing by itself.
fn file(kind: FileKind, text: &'static str) -> Response {
    let policy = PagePolicy::connecting_to([]);
    PageFile {
        kind,
        text,
        policy: &policy,
    }
    .into_response()
}
