//! One handler per route. All unknown addresses get the same response, whatever the reason, after
//! the same requests to the table: neither the response nor its time distinguishes them.

use crate::adapters::Adapters;
use crate::discovery::Discovery;
use crate::problems;
#[cfg(test)]
use crate::problems::ProblemKind;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, HOST, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kernel::{Language, TenantId};
use runtime::http::{Body, FileKind, Now, PageFile, Problem, Source};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{Asker, EmailAddress};
use tenant_store::{Destination, RegionAddress};
#[cfg(test)]
use testkit::problems;

/// The longest subdomain that DNS allows, in octets (RFC 1035, section 2.3.4).
const SUBDOMAIN_LENGTH_MAX: usize = 63;

/// The API's router.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/sign-in.js", get(script))
        .route("/sign-in.css", get(style))
        .route("/.well-known/meridian", get(discover))
        .route("/workspaces", post(look_up))
        .with_state(Arc::new(adapters))
}

/// The query of a discovery at the region's own address.
#[derive(Default, Deserialize)]
struct DiscoveryQuery {
    alias: Option<String>,
}

/// A request for a person's list of workspaces. Personal data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct LookupRequest {
    /// The person's address.
    #[cfg_attr(test, schema(format = "email", max_length = 254))]
    email: String,
    /// The language of the mail; the one of the person's first workspace if absent.
    language: Option<Language>,
}

/// The response, which is the same for every address.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct LookupAccepted {
    /// The lookup is accepted, and mailed if there is anything to mail.
    state: LookupState,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
enum LookupState {
    Accepted,
}

/// Shows the sign-in page.
///
/// The same page at every tenant's address. The page finds the tenant by its own address. Public.
#[cfg_attr(test, utoipa::path(get, path = "/", operation_id = "showSignInPage", tag = "Sign-in",
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String))))]
async fn page(State(adapters): State<Arc<Adapters>>) -> Response {
    file(
        &adapters,
        FileKind::Html,
        include_str!("../assets/sign-in.html"),
    )
}

/// Loads the script of the sign-in page.
///
/// Public.
#[cfg_attr(test, utoipa::path(get, path = "/sign-in.js", operation_id = "loadSignInScript",
    tag = "Sign-in",
    responses((status = 200, description = "The script.", content((String = "text/javascript"))))))]
async fn script(State(adapters): State<Arc<Adapters>>) -> Response {
    file(
        &adapters,
        FileKind::Script,
        include_str!("../assets/sign-in.js"),
    )
}

/// Loads the style sheet of the sign-in page.
///
/// Public.
#[cfg_attr(test, utoipa::path(get, path = "/sign-in.css", operation_id = "loadSignInStyle",
    tag = "Sign-in",
    responses((status = 200, description = "The style sheet.", content((String = "text/css"))))))]
async fn style(State(adapters): State<Arc<Adapters>>) -> Response {
    file(
        &adapters,
        FileKind::Style,
        include_str!("../assets/sign-in.css"),
    )
}

/// Shows how to sign in to a tenant.
///
/// The tenant is the one whose address is in the Host header; at the region's own address, the one
/// with the subdomain `alias`. Public. A source that has requested too many unknown addresses gets
/// no more responses for the rest of the hour.
#[cfg_attr(test, utoipa::path(get, path = "/.well-known/meridian", operation_id = "discoverSignIn",
    tag = "Sign-in", params(("alias" = Option<String>, Query,
            description = "A subdomain of the tenant, at the region's own address.")),
    responses((status = 200, description = "How to sign in, or that nobody can for now.",
            body = Discovery<'static>, headers(("cache-control" = String,
                    description = "How long it may be cached: a minute at most."))), (status = 308,
            description = "The tenant has moved to another region.",
            headers(("location" = String, description = "The same discovery in that region.")))),
    extensions(("x-problems" = json!(problems![UnknownAddress, TooManyRequests])))))]
async fn discover(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    query: Result<Query<DiscoveryQuery>, QueryRejection>,
    Now(now): Now,
    source: Source,
) -> Result<Response, Problem> {
    let Query(DiscoveryQuery { alias }) = query.unwrap_or_default();
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let requested = adapters
        .addresses
        .subdomain(host)
        .or(alias)
        .unwrap_or_default()
        .to_ascii_lowercase();
    // A text that is not a subdomain is looked up all the same, as an empty one, so that it costs
    // the same requests.
    let subdomain = if is_subdomain(&requested) {
        requested.as_str()
    } else {
        ""
    };
    let answer = match adapters.resolve(subdomain, &source, now).await?.lead {
        Some(Destination::Here(tenant)) => discovery(&adapters, tenant).await?,
        Some(Destination::Moved(place)) => Some(moved(&place, subdomain)),
        None => None,
    };
    match answer {
        Some(answer) => Ok(answer),
        None => Err(adapters.miss(&requested, &source, now).await),
    }
}

/// Mails a person the list of their workspaces.
///
/// The workspaces of this region, to the person's own address. Only that mail discloses whether
/// there are any: every address gets this same response. An address that has reached its limit of
/// mails gets no other one for the hour. Public.
#[cfg_attr(test, utoipa::path(post, path = "/workspaces", operation_id = "findWorkspaces",
    tag = "Sign-in", request_body = LookupRequest,
    responses((status = 202, description = "The lookup is accepted.", body = LookupAccepted,
            headers(("cache-control" = String, description = "It must not be cached.")))),
    extensions(("x-problems" = json!(problems![InvalidFields, TooManyRequests])))))]
async fn look_up(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    source: Source,
    Body(request): Body<LookupRequest>,
) -> Result<Response, Problem> {
    // Nothing is looked up before the response, so that its time discloses nothing.
    let email: EmailAddress = request.email.parse().map_err(problems::invalid_email)?;
    adapters.limit_lookups(&source, now).await?;
    let sent = adapters
        .lookups
        .send(&email, request.language, &Asker::network(source.expose()))
        .await;
    sent.map_err(|error| Problem::internal(&error))?;
    let answer = Json(LookupAccepted {
        state: LookupState::Accepted,
    });
    Ok((StatusCode::ACCEPTED, [(CACHE_CONTROL, "no-store")], answer).into_response())
}

/// The discovery of a tenant; none where its subdomain leads nowhere after all.
async fn discovery(adapters: &Adapters, id: TenantId) -> Result<Option<Response>, Problem> {
    let tenant = adapters
        .tenants
        .load_tenant(id)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let discovery = tenant
        .as_ref()
        .and_then(|tenant| Discovery::of(tenant, &adapters.provider));
    Ok(discovery.map(|discovery| {
        (
            [(CACHE_CONTROL, discovery.cache_control())],
            Json(discovery),
        )
            .into_response()
    }))
}

fn moved(place: &RegionAddress, subdomain: &str) -> Response {
    let location = format!(
        "{}/.well-known/meridian?alias={subdomain}",
        place.api_url.as_str()
    );
    (
        StatusCode::PERMANENT_REDIRECT,
        [(LOCATION, location), (CACHE_CONTROL, "no-store".to_owned())],
    )
        .into_response()
}

/// Whether a text has the form of a subdomain, so that it can be part of a key and of an address.
fn is_subdomain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=SUBDOMAIN_LENGTH_MAX).contains(&text.len()) && text.bytes().all(inner)
}

fn file(adapters: &Adapters, kind: FileKind, text: &'static str) -> Response {
    PageFile {
        kind,
        text,
        policy: &adapters.policy,
    }
    .into_response()
}
