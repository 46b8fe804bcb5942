use crate::problems::ProblemKind;
use crate::{corrections, handler};
use kernel::{MeterCode, ReasonCode, SegmentId, TenantId, Timestamp};
use serde_json::Value;
use testkit::openapi::{Api, assert_published};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// What the body of a report is.
pub(crate) const EVENTS: &str = "An event, or a list of events, as the content type says; \
                                 `application/json` is either, or the data of an event in binary \
                                 mode.";

/// A usage event: `CloudEvents` 1.0 with the tenant as its subject. Other attributes are allowed
/// and not read.
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
    /// When it happened: at most 35 days ago, no more than 5 minutes ahead, and not before the
    /// billing period in which the tenant became active.
    time: Timestamp,
    /// Holds the number, where the meter has one: a JSON number or a text that is one.
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<Value>,
}

/// The headers of an event in binary mode, percent-encoded as its HTTP binding says, and of any
/// body.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct EventHeaders {
    /// Makes the request one event in binary mode: `1.0`.
    #[param(rename = "ce-specversion", nullable = false)]
    specversion: Option<String>,
    /// The event's `id`.
    #[param(rename = "ce-id", nullable = false)]
    id: Option<String>,
    /// Its `source`.
    #[param(rename = "ce-source", nullable = false)]
    source: Option<String>,
    /// Its `type`.
    #[param(rename = "ce-type", nullable = false)]
    kind: Option<String>,
    /// Its `subject`.
    #[param(rename = "ce-subject", nullable = false)]
    subject: Option<String>,
    /// Its `time`.
    #[param(rename = "ce-time", nullable = false)]
    time: Option<String>,
    /// How the body is compressed, in any mode: `gzip`, or not at all.
    #[param(rename = "content-encoding", nullable = false)]
    content_encoding: Option<String>,
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
    /// Why, in a word such as `unknown-meter`, `unknown-tenant`, `time-too-old` or
    /// `before-first-period`.
    #[schema(pattern = "^[a-z-]+$")]
    reason: String,
    /// The rule that it broke, without what it said.
    detail: String,
}

/// Corrections of usage.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionRequest {
    #[schema(max_items = 500)]
    corrections: Vec<UsageCorrection>,
}

/// An event that is taken back, and what comes in its place.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageCorrection {
    /// The event as it was sent, unless it is named by its key.
    #[schema(nullable = false)]
    event: Option<UsageEvent>,
    /// Which event, unless it is repeated in full.
    #[schema(nullable = false)]
    key: Option<EventKey>,
    /// Whose event it is: `provider` where it is not said.
    #[schema(pattern = "^(provider|tenant)$", nullable = false)]
    sent_by: Option<String>,
    /// Another one, of the same tenant and with an identity of its own.
    #[schema(nullable = false)]
    replacement: Option<UsageEvent>,
    /// Why, in a word such as `wrong-unit`.
    reason: ReasonCode,
}

/// Which event, without what it said. It is looked up in what is stored of the last 40 days.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct EventKey {
    tenant: TenantId,
    #[schema(min_length = 1, max_length = 1024)]
    source: String,
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    /// The first moment that it may have been sent at; 40 days ago where it is not said.
    #[schema(nullable = false)]
    sent_from: Option<Timestamp>,
    /// The last moment that it may have been sent at; now where it is not said.
    #[schema(nullable = false)]
    sent_to: Option<Timestamp>,
}

/// A correction as it was sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionRecord {
    id: SegmentId,
    /// When it came.
    at: Timestamp,
    /// The client that sent it.
    by: String,
    events: Vec<CorrectedEvent>,
    /// What came of it; null until it is settled.
    outcome: Option<CorrectionOutcome>,
}

/// An event that is taken back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectedEvent {
    /// The hash of its sender's namespace, its source and its id.
    #[schema(pattern = "^[0-9a-f]{24}$")]
    identity: String,
    /// Whose event it is.
    #[schema(pattern = "^(provider|tenant)$")]
    sent_by: String,
    meter: MeterCode,
    /// Whether another one comes in its place.
    is_replaced: bool,
    /// Why, as the client says.
    reason: ReasonCode,
}

/// What came of a correction, by numbers of events.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionOutcome {
    /// Taken back.
    voided: u64,
    /// Counted in place of those.
    replaced: u64,
    /// Taken back, or counted, by an earlier correction.
    duplicates: u64,
    /// Not found as they were sent, with what was to come in their place.
    unmatched: u64,
    /// Not taken back, since the id of what was to come in their place is used already; with that.
    replacement_used: u64,
}

#[derive(OpenApi)]
#[openapi(
    paths(handler::handle, handler::handle_openmeter, corrections::correct, corrections::list),
    tags(
        (name = "Metering", description = "What tenants used, as the product reports it."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published::<ProblemKind>(Api::Regional, "usage-ingest", &Description::openapi());
}
