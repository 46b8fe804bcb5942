//! The home page. It holds no personal data and sends nothing home: a person's input goes to the
//! region of their choice.

use crate::handler::Adapters;
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
    description = "It lists the regions, signs companies up in the region of their choice, and has every region mail \
                   people their workspaces. It may connect to the regions, and sends nothing home. Public.",
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

/// `GET /home.js`: the script of the page.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/home.js",
    tag = "Home page",
    operation_id = "loadHomeScript",
    summary = "Loads the script of the home page",
    description = "Public.",
    responses((status = 200, description = "The script.", content_type = "text/javascript", body = String)),
))]
pub(crate) async fn script() -> Response {
    file(FileKind::Script, include_str!("../assets/home.js"))
}

/// `GET /home.css`: the style sheet of the page.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/home.css",
    tag = "Home page",
    operation_id = "loadHomeStyle",
    summary = "Loads the style sheet of the home page",
    description = "Public.",
    responses((status = 200, description = "The style sheet.", content_type = "text/css", body = String)),
))]
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
