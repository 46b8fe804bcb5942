//! Problem documents (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use problem_details::ProblemDetails;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A refusal that helps its caller. Holds no internals and nothing personal of anyone but the
/// caller.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a stable type: `/problems/<slug>`, relative to the API.
    #[must_use]
    pub fn new(status: StatusCode, slug: &'static str, title: &'static str) -> Self {
        Self {
            status,
            slug,
            title,
            detail: None,
            members: Map::new(),
            headers: Vec::new(),
        }
    }

    /// Something that the request names is not what it has to be.
    #[must_use]
    pub fn invalid(slug: &'static str, title: &'static str, invalid: kernel::Invalid) -> Self {
        Self::new(StatusCode::BAD_REQUEST, slug, title).detail(format!("The {invalid}."))
    }

    /// Something failed here, and the log says what. The caller may try again.
    #[must_use]
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = crate::failure::chain(error), "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something failed on our side",
        )
        .detail("Nothing was half done: the same request may be sent again.")
    }

    /// Says what is wrong this time, and what to do about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a member to the document. A value that is not JSON is left out.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Its further members.
    #[cfg(test)]
    pub(super) const fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The last part of its type.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.slug
    }
}

/// A refusal (RFC 9457). It may have further members, which the operation describes.
#[expect(dead_code, reason = "its fields are read by the derive alone")]
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
struct Description {
    /// What went wrong, stable from release to release: `/problems/` and a name, relative to the
    /// API.
    #[serde(rename = "type")]
    #[schema(pattern = "^/problems/[a-z-]+$")]
    kind: String,
    /// The same in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time, and what to do about it.
    #[schema(nullable = false)]
    detail: Option<String>,
    /// Where it is about single fields of the body or the query: each, with what it has to be.
    #[schema(nullable = false)]
    fields: Option<Vec<Field>>,
}

/// A field that is not what it has to be.
#[expect(dead_code, reason = "its fields are read by the derive alone")]
#[derive(utoipa::ToSchema)]
#[schema(as = FieldProblem)]
struct Field {
    /// The field's name in the request.
    field: String,
    /// What the field must be, in words that complete "must be".
    reason: String,
}

/// How OpenAPI documents describe it.
impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Description::schema()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Description::schemas(schemas);
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = ProblemDetails::from_status_code(self.status)
            .with_title(self.title)
            .with_extensions(self.members);
        if let Ok(uri) = format!("/problems/{}", self.slug).parse::<Uri>() {
            document = document.with_type(uri);
        }
        if let Some(detail) = self.detail {
            document = document.with_detail(detail);
        }
        let mut response = document.into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}
