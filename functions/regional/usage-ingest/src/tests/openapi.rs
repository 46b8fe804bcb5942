use crate::handler;
use kernel::{TenantId, Timestamp};
use runtime::http::Problem;
use serde_json::Value;
use testkit::openapi::{Api, assert_published};
use utoipa::{OpenApi, ToSchema};

/// A usage event: `CloudEvents` 1.0 with the tenant as its subject. Other attributes are allowed and not read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageEvent {
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// Unique within its source, however often it is sent.
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    #[schema(min_length = 1, max_length = 1024)]
    source: String,
    /// The type that a meter of the catalogue counts.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 1024)]
    kind: String,
    /// The tenant.
    subject: TenantId,
    /// When it happened: at most 35 days ago, and no more than 5 minutes ahead.
    time: Timestamp,
    /// Holds the number, where the meter has one: a JSON number or a text that is one.
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<Value>,
}

/// One event, or several.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its variants are read by the derive alone")]
#[serde(untagged)]
pub(crate) enum UsageEvents {
    One(UsageEvent),
    Several(Vec<UsageEvent>),
}

/// A refused event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct RefusedEvent {
    /// Where in the batch it was, from 0.
    index: usize,
    /// Its id, when it has one of a permitted length.
    #[schema(nullable = false)]
    id: Option<String>,
    /// Why, in a word such as `unknown-meter`, `unknown-tenant` or `time-too-old`.
    #[schema(pattern = "^[a-z-]+$")]
    reason: String,
    /// The rule that it broke, without what it said.
    detail: String,
}

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::handle,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Usage", description = "What tenants used, as the product reports it."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published(Api::Regional, "usage-ingest", &serde_json::to_value(Description::openapi()).unwrap());
}
