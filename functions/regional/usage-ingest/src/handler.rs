//! `POST /usage/events`.

use crate::known::KnownTenants;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use contract::catalogue::Catalogue;
use kernel::SegmentId;
use metering::{BODY_BYTES_MAX, BodyError, EVENTS_MAX, Form, Reading, Refusal, group, read};
use regional_store::{Intake, TenantStoreError, UsageStoreError};
use runtime::Failure;
use runtime::http::{Now, Problem, Tokens, invalid_token};
use serde::Serialize;
use std::sync::Arc;
use tenancy::MachineScope;

/// Takes `CloudEvents` 1.0, one in structured mode or a JSON batch.
///
/// The answer is 200 once every valid event is stored, and names each refused one; 422 when none was valid.
/// What is answered otherwise may be sent again as it is: an event that was stored before counts once.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/usage/events",
    tag = "Usage",
    operation_id = "reportUsage",
    summary = "Takes usage events",
    description = "One event, or a batch of at most 1000 in at most 1 MiB. A client of a tenant reports its own tenant's \
                   usage; that of any other is refused as of an unknown tenant. It is answered once every valid event is \
                   stored. What is not answered may be sent again as it is: an event counts once, by its source and \
                   id.",
    request_body(
        description = "An event, or a list of events, as the content type says; `application/json` is either.",
        content(
            (crate::tests::openapi::UsageEvent = "application/cloudevents+json"),
            (Vec<crate::tests::openapi::UsageEvent> = "application/cloudevents-batch+json"),
            (crate::tests::openapi::UsageEvents = "application/json"),
        ),
    ),
    security(("machine" = ["usage/write"])),
    responses(
        (status = 200, description = "What became of the events.", body = Answer),
        (status = 400, description = "`malformed-json`: the body is not JSON. `unexpected-form`: it is not what its \
                                      content type says."),
        (status = 413, description = "`body-too-large`: the body has more than 1 MiB. `too-many-events`: the batch has \
                                      more than 1000 events."),
        (status = 415, description = "`unsupported-content-type`: it is neither of CloudEvents nor JSON."),
        (status = 422, description = "`events-refused`: no event is valid; the member `rejected` has the reason of \
                                      each."),
        (status = 429, description = "`throttled`: the region takes no more usage at the moment. Nothing is \
                                      acknowledged."),
        (status = 503, description = "`usage-unavailable`: usage cannot be stored at the moment. Nothing is \
                                      acknowledged."),
    ),
))]
async fn handle(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let client = adapters.tokens.verify_machine(&headers, MachineScope::UsageWrite.as_str(), now).await?;
    let form = form(&headers)?;
    let body = bytes(body).await?;
    let mut reading = read(&body, form, &adapters.catalogue, now).map_err(refuse)?;
    let known =
        adapters.tenants.reportable(&reading.tenants(), &client, now).await.map_err(|refused| match refused {
            Refused::NoClient => invalid_token(),
            Refused::Unknown(error) => tenants_failed(&error),
        })?;
    reading.keep_tenants(&known);
    let segments = group(reading.usage(), || SegmentId::from_uuid(runtime::new_uuid()));
    adapters.intake.store(&segments, now).await.map_err(|error| usage_failed(&error))?;
    adapters.count(&reading.refused).await;
    answer(reading)
}

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) tokens: Tokens,
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: KnownTenants,
    pub(crate) intake: Intake,
}

/// Why nothing of a client is taken.
pub(crate) enum Refused {
    /// It is nobody's, or not for this, or has ended.
    NoClient,
    /// It is not known whose it is.
    Unknown(TenantStoreError),
}

/// The function's routes.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new().route("/usage/events", post(handle)).with_state(Arc::new(adapters))
}

/// What became of the events of a request.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageAnswer))]
struct Answer {
    /// How many events are stored.
    accepted: usize,
    /// Those that are not, each with the reason.
    #[cfg_attr(test, schema(value_type = Vec<crate::tests::openapi::RefusedEvent>))]
    rejected: Vec<Refusal>,
}

impl Adapters {
    /// Counts what was refused. The count is only shown, so that a failure is no reason to refuse more.
    async fn count(&self, refused: &[Refusal]) {
        if refused.is_empty() {
            return;
        }
        let seed = runtime::new_uuid().as_bytes()[15];
        if let Err(error) = self.intake.count_rejected(refused.len(), seed).await {
            tracing::warn!(error = error.to_string(), "refused events are not counted");
        }
    }
}

fn answer(reading: Reading<'_, '_>) -> Result<Json<Answer>, Problem> {
    let accepted = reading.usage().len();
    if accepted > 0 || reading.refused.is_empty() {
        return Ok(Json(Answer { accepted, rejected: reading.refused }));
    }
    let title = if reading.is_single { "The event is refused" } else { "Every event of the batch is refused" };
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "events-refused", title).with("rejected", reading.refused))
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Form::of_content_type(content_type).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-content-type",
            "The content type is not read here",
        )
        .detail("Send application/cloudevents+json, application/cloudevents-batch+json or application/json.")
    })
}

async fn bytes(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| refuse(BodyError::TooLarge))
}

/// A body that cannot be read as a whole.
fn refuse(error: BodyError) -> Problem {
    let (status, slug, title) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
        BodyError::TooMany { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "too-many-events", "The batch has too many events")
        }
        BodyError::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed-json", "The body is not JSON"),
        BodyError::WrongShape { .. } => {
            (StatusCode::BAD_REQUEST, "unexpected-form", "The body is not what its content type says")
        }
    };
    let problem = Problem::new(status, slug, title).detail(error.to_string());
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        problem.with("events_max", EVENTS_MAX).with("bytes_max", BODY_BYTES_MAX)
    } else {
        problem
    }
}

fn usage_failed(error: &UsageStoreError) -> Problem {
    match error {
        UsageStoreError::Throttled { .. } => throttled(),
        _ => unavailable(error),
    }
}

fn tenants_failed(error: &TenantStoreError) -> Problem {
    match error {
        TenantStoreError::Busy { .. } => throttled(),
        _ => unavailable(error),
    }
}

fn throttled() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "The region takes no more usage at the moment")
        .detail("Nothing is acknowledged. Send the same events again: each counts once.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    let failure = Failure::of("usage-unavailable", error);
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, failure.kind(), "Usage cannot be stored at the moment")
        .detail("Nothing is acknowledged. Send the same events again: each counts once.")
        .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}
