//! Problem documents (RFC 9457).

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use problem_details::ProblemDetails;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A problem type (RFC 9457, 3.1.1): the parts that all its documents have in common.
///
/// An API declares its types as one enum, by [`problem_kinds!`](crate::problem_kinds). The enum
/// feeds both the answers and the OpenAPI document, so that they cannot differ.
pub trait ProblemType: Copy + 'static {
    /// All types of the API.
    const ALL: &'static [Self];

    /// The HTTP status.
    fn status(self) -> StatusCode;

    /// The last part of the type's URI: `/problems/<slug>`, relative to the API.
    fn slug(self) -> &'static str;

    /// The summary, the same in every document of the type.
    fn title(self) -> &'static str;

    /// The advice to the caller, where it is the same for every document of the type.
    fn detail(self) -> Option<&'static str>;

    /// The condition of the problem, for the OpenAPI document.
    fn description(self) -> &'static str;
}

/// Declares the problems of an API.
///
/// Each has a name, a status, a slug, a title, and a detail where all its documents have the same.
/// Its doc comment is the description in the OpenAPI document, or else its title.
///
/// ```
/// runtime::problem_kinds! {
///     /// What the API refuses.
///     pub enum ProblemKind {
///         /// No tenant of this region has the id.
///         UnknownTenant = NOT_FOUND, "unknown-tenant", "There is no such tenant";
///         Busy = SERVICE_UNAVAILABLE, "try-again", "There is too much to do right now",
///             "The same request may be sent again.";
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! problem_kinds {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $(
                $(#[doc = $description:literal])*
                $kind:ident = $status:ident, $slug:literal, $title:literal $(, $detail:literal)?;
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[doc = $description])* $kind,)+
        }

        impl $crate::http::ProblemType for $name {
            const ALL: &'static [Self] = &[$(Self::$kind,)+];

            fn status(self) -> $crate::http::StatusCode {
                match self {
                    $(Self::$kind => $crate::http::StatusCode::$status,)+
                }
            }

            fn slug(self) -> &'static str {
                match self {
                    $(Self::$kind => $slug,)+
                }
            }

            fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }

            fn detail(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => None$(.or(Some($detail)))?,)+
                }
            }

            fn description(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($description),*).trim_ascii(),)+
                }
            }
        }

        impl From<$name> for $crate::http::Problem {
            fn from(kind: $name) -> Self {
                Self::new(kind)
            }
        }
    };
}

problem_kinds! {
    /// The problems that every API has, beside its own.
    pub enum ProblemKind {
        /// Something failed on our side. Nothing was half done, so the request may be sent again.
        Internal = INTERNAL_SERVER_ERROR, "internal", "Something failed on our side",
            "Nothing was half done: the same request may be sent again.";
        /// No operation has this path.
        NotFound = NOT_FOUND, "not-found", "There is nothing at this path";
        /// The path has operations, and none with this method.
        MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed",
            "This path does not take this method";
        /// A part of the path is no text.
        MalformedPath = BAD_REQUEST, "malformed-path", "The path is malformed",
            "Its parts are texts in UTF-8, percent-encoded where they have to be.";
        /// The request is not well-formed: its path, its query, or a header.
        MalformedRequest = BAD_REQUEST, "malformed-request", "The request is malformed";
        /// The access token is missing, malformed, expired, or was issued by another pool or to
        /// another client.
        Unauthorized = UNAUTHORIZED, "unauthorized", "A valid access token is needed";
        /// Tokens cannot be verified at the moment.
        KeysUnavailable = SERVICE_UNAVAILABLE, "keys-unavailable",
            "Tokens cannot be verified at the moment";
        /// The token lacks the scope.
        MissingScope = FORBIDDEN, "missing-scope", "The token lacks a scope";
        /// The body is not JSON.
        MalformedJson = BAD_REQUEST, "malformed-json", "The body is not JSON";
        /// The body has more than 64 KiB.
        BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
        /// The body does not have the expected members.
        InvalidBody = UNPROCESSABLE_ENTITY, "invalid-body",
            "The body does not have the expected members";
    }
}

/// The default of `retry-after` in seconds, for problems that pass by themselves.
const RETRY_AFTER_S: &str = "2";

/// A problem document. Holds no internals, and no personal data of anyone but the caller.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: Option<Cow<'static, str>>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a type, with the headers that HTTP requires for its status.
    #[must_use]
    pub fn new(kind: impl ProblemType) -> Self {
        let status = kind.status();
        let problem = Self {
            status,
            slug: kind.slug(),
            title: kind.title(),
            detail: kind.detail().map(Cow::Borrowed),
            members: Map::new(),
            headers: Vec::new(),
        };
        match status {
            StatusCode::UNAUTHORIZED => {
                problem.header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                problem.header(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S))
            }
            _ => problem,
        }
    }

    /// A problem of an invalid value in the request, with the rule that it breaks.
    #[must_use]
    pub fn invalid(kind: impl ProblemType, invalid: kernel::Invalid) -> Self {
        Self::new(kind).detail(format!("The {invalid}."))
    }

    /// An internal problem. Logs the error with all its sources; the document does not name it.
    #[must_use]
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = crate::failure::chain(error), "request failed");
        Self::new(ProblemKind::Internal)
    }

    /// Replaces the title by a more specific one.
    #[must_use]
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = title;
        self
    }

    /// Sets the detail of this occurrence: the fault, and the advice to the caller.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
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

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(set, _)| *set != name);
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
