use crate::problems::ProblemKind;
use crate::{corrections, handler};
use kernel::{MeterCode, ReasonCode, SegmentId, TenantId, Timestamp};
use serde_json::Value;
use testkit::openapi::{Api, assert_published};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The description of a request's body.
pub(crate) const EVENTS: &str = "An event or a list of events, depending on the content type. \
                                 `application/json` is either, or the data of an event in binary \
                                 mode.";

/// A usage event: `CloudEvents` 1.0 with the tenant as its subject. Other attributes are allowed
/// and ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageEvent {
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// Unique within its source. An event that is sent again has the same id.
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    #[schema(min_length = 1, max_length = 1024)]
    source: String,
    /// The event type of a meter of the catalogue.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 1024)]
    kind: String,
    /// The tenant.
    subject: TenantId,
    /// The time of the usage: at most 35 days ago, at most 5 minutes ahead, and not before the
    /// billing period in which the tenant became active.
    time: Timestamp,
    /// The event's data. Holds the value where the meter has one: a JSON number, or a string with
    /// one.
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<Value>,
}

/// The headers of an event in binary mode, percent-encoded by the HTTP binding of `CloudEvents`,
/// and the header of any body.
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
    /// The event's `source`.
    #[param(rename = "ce-source", nullable = false)]
    source: Option<String>,
    /// The event's `type`.
    #[param(rename = "ce-type", nullable = false)]
    kind: Option<String>,
    /// The event's `subject`.
    #[param(rename = "ce-subject", nullable = false)]
    subject: Option<String>,
    /// The event's `time`.
    #[param(rename = "ce-time", nullable = false)]
    time: Option<String>,
    /// The compression of the body, in any mode: `gzip`, or absent.
    #[param(rename = "content-encoding", nullable = false)]
    content_encoding: Option<String>,
}

/// One event, or a list of events.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its variants are read by the derive alone")]
#[serde(untagged)]
pub(crate) enum UsageEvents {
    One(UsageEvent),
    Several(Vec<UsageEvent>),
}

/// A rejected event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct RefusedEvent {
    /// The event's index in the batch, from 0.
    index: usize,
    /// The event's id, where it has one of a permitted length.
    #[schema(nullable = false)]
    id: Option<String>,
    /// The reason code, such as `unknown-meter`, `unknown-tenant`, `time-too-old` or
    /// `before-first-period`.
    #[schema(pattern = "^[a-z-]+$")]
    reason: String,
    /// The rule that the event broke, without the event's content.
    detail: String,
}

/// Corrections of usage.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionRequest {
    #[schema(max_items = 500)]
    corrections: Vec<UsageCorrection>,
}

/// The withdrawal of an event, and its replacement if there is one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageCorrection {
    /// The event as it was sent. Absent with `key`.
    #[schema(nullable = false)]
    event: Option<UsageEvent>,
    /// The key of the event. Absent with `event`.
    #[schema(nullable = false)]
    key: Option<EventKey>,
    /// The event's sender: `provider` by default.
    #[schema(pattern = "^(provider|tenant)$", nullable = false)]
    sent_by: Option<String>,
    /// Another event of the same tenant, with a source and id of its own.
    #[schema(nullable = false)]
    replacement: Option<UsageEvent>,
    /// The reason code, such as `wrong-unit`.
    reason: ReasonCode,
}

/// The key of an event, which is looked up in the stored events of the last 40 days.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct EventKey {
    tenant: TenantId,
    #[schema(min_length = 1, max_length = 1024)]
    source: String,
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    /// The first moment at which the event may have been sent: 40 days ago by default.
    #[schema(nullable = false)]
    sent_from: Option<Timestamp>,
    /// The last moment at which the event may have been sent: now by default.
    #[schema(nullable = false)]
    sent_to: Option<Timestamp>,
}

/// A correction as it was sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionRecord {
    id: SegmentId,
    /// The time at which it was received.
    at: Timestamp,
    /// The client that sent it.
    by: String,
    events: Vec<CorrectedEvent>,
    /// The result. Null until the correction is rolled up.
    outcome: Option<CorrectionOutcome>,
}

/// A withdrawn event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectedEvent {
    /// The event's dedupe key: the hash of its sender's namespace, its source and its id.
    #[schema(pattern = "^[0-9a-f]{24}$")]
    identity: String,
    /// The event's sender.
    #[schema(pattern = "^(provider|tenant)$")]
    sent_by: String,
    meter: MeterCode,
    /// Whether the correction has a replacement.
    is_replaced: bool,
    /// The client's reason.
    reason: ReasonCode,
}

/// The result of a correction, in numbers of events.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct CorrectionOutcome {
    /// Withdrawn events.
    voided: u64,
    /// Replacements that were counted.
    replaced: u64,
    /// Events that an earlier correction had already withdrawn or counted.
    duplicates: u64,
    /// Events that were not found with the given content, and their replacements.
    unmatched: u64,
    /// Events that were not withdrawn because the id of their replacement is already used, and
    /// those replacements.
    replacement_used: u64,
}

#[derive(OpenApi)]
#[openapi(
    paths(handler::handle, handler::handle_openmeter, corrections::correct, corrections::list),
    tags(
        (name = "Metering", description = "The usage of tenants, as the product reports it."),
    ),
)]
struct Description;

#[test]
fn the_committed_document_matches_the_routes() {
    assert_published::<ProblemKind>(Api::Regional, "usage-ingest", &Description::openapi());
}
