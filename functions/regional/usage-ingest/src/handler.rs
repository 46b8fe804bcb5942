//! `POST /usage/events`, and `POST /api/v1/events` for clients of `OpenMeter`.

use crate::adapters::Adapters;
use crate::body::bytes;
use crate::corrections;
use crate::known::{Reportable, sender};
use crate::problems::{ProblemKind, refuse, usage_failed};
#[cfg(test)]
use crate::tests::openapi::{EVENTS, EventHeaders, RefusedEvent, UsageEvent, UsageEvents};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use kernel::{MachineScope, SegmentId, TenantId, Timestamp};
use metering::{Form, Refusal, Sender, group, read};
use runtime::http::{Client, Now, Problem, invalid_token};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
#[cfg(test)]
use testkit::problems;
use usage_store::UsageStoreError;

/// Ingests usage events.
///
/// The body is one event, or a batch of at most 1000 events in at most 4 MiB (4194304 bytes). A
/// tenant's client reports the usage of its own tenant; events of any other tenant are rejected as
/// of an unknown tenant. The answer comes once every valid event is stored: 200, or 422 where no
/// event is valid. A request without an answer may be sent again unchanged: each event counts once,
/// by its source and id. A tenant's clients and the provider's services have separate ids.
///
/// A request with the header `ce-specversion` and a content type other than that of CloudEvents is
/// one event in binary mode: the headers are its attributes, and the body is its `data`, in JSON.
#[cfg_attr(test, utoipa::path(post, path = "/usage/events", operation_id = "reportUsage",
    tag = "Metering", params(EventHeaders), request_body(description = EVENTS, content(
            (UsageEvent = "application/cloudevents+json"),
            (Vec<UsageEvent> = "application/cloudevents-batch+json"),
            (UsageEvents = "application/json"))), security(("machine" = ["usage/write"])),
    responses((status = 200, description = "The result for the events.", body = Answer)),
    extensions(("x-problems" = json!(problems![MalformedJson, UnexpectedForm, MalformedGzip,
        BodyTooLarge, TooManyEvents, UnsupportedContentType, UnsupportedContentEncoding,
        EventsRefused, Throttled, UsageUnavailable])))))]
async fn handle(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let ingested = adapters.ingest(&headers, body, now).await?;
    if ingested.answer.accepted == 0 && !ingested.answer.rejected.is_empty() {
        Err(ingested.into_problem())
    } else {
        Ok(Json(ingested.answer))
    }
}

/// Ingests usage events from clients of OpenMeter.
///
/// Accepts the same bodies as `POST /usage/events`, for clients that were written for OpenMeter's
/// ingest: `subject` is the tenant, `type` the event type of a meter, and `time` is required. The
/// answer is 204 only when every event is stored. When some events are rejected, the others are
/// still stored, and the answer is 422, so that a client that checks only the status notices. The
/// request may be sent again unchanged, or without the rejected events.
#[cfg_attr(test, utoipa::path(post, path = "/api/v1/events", operation_id = "ingestEvents",
    tag = "Metering", params(EventHeaders), request_body(description = EVENTS, content(
            (UsageEvent = "application/cloudevents+json"),
            (Vec<UsageEvent> = "application/cloudevents-batch+json"),
            (UsageEvents = "application/json"))), security(("machine" = ["usage/write"])),
    responses((status = 204, description = "Every event is stored.")),
    extensions(("x-problems" = json!(problems![MalformedJson, UnexpectedForm, MalformedGzip,
        BodyTooLarge, TooManyEvents, UnsupportedContentType, UnsupportedContentEncoding,
        EventsRefused, Throttled, UsageUnavailable])))))]
async fn handle_openmeter(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let ingested = adapters.ingest(&headers, body, now).await?;
    if ingested.answer.rejected.is_empty() {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ingested.into_problem())
    }
}

/// The longest time that a failed request waits for the count of its events: the table that failed
/// to store them may be too busy to count them too.
const COUNT_TIME_MAX: Duration = Duration::from_millis(250);

/// A failure to find the tenants that a client may report.
pub(crate) enum ReportableError {
    /// The client is unknown, lacks the scope, or has ended.
    InvalidClient,
    /// The table with the tenants and clients failed.
    Unavailable(UsageStoreError),
}

/// The function's routes.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/usage/events", post(handle))
        .route("/api/v1/events", post(handle_openmeter))
        .route(
            "/usage/corrections",
            get(corrections::list).post(corrections::correct),
        )
        .with_state(Arc::new(adapters))
}

/// The result of a request whose body could be parsed.
struct Ingested {
    answer: Answer,
    is_single: bool,
}

/// The result for the events of a request.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageAnswer))]
struct Answer {
    /// The number of stored events.
    accepted: usize,
    /// The rejected events, each with its reason.
    #[cfg_attr(test, schema(value_type = Vec<RefusedEvent>))]
    rejected: Vec<Refusal>,
}

impl Adapters {
    /// Parses a request, stores its valid events, and counts the rejected ones.
    async fn ingest(
        &self,
        headers: &HeaderMap,
        body: Body,
        now: Timestamp,
    ) -> Result<Ingested, Problem> {
        let client = self
            .tokens
            .verify_machine(headers, MachineScope::UsageWrite.as_str(), now)
            .await?;
        let form = form(headers)?;
        let body = bytes(headers, body).await?;
        let sender = sender(&client);
        let mut parsed = read(&body, &form, sender, &self.catalogue, now).map_err(refuse)?;
        let known = self.reportable(&parsed.tenants(), &client, now).await?;
        parsed.keep_billable(|tenant| known.first_moment(tenant));
        parsed.refuse_conflicts();
        let next_id = || SegmentId::from_uuid(runtime::new_uuid());
        let segments = group(parsed.usage(), |tenant| known.anchor(tenant), next_id);
        if let Err(error) = self.segment_writer.store(&segments, now).await {
            self.count_not_stored(parsed.usage().len()).await;
            return Err(usage_failed(&error));
        }
        self.count(sender, &parsed.refused).await;
        let (accepted, is_single) = (parsed.usage().len(), parsed.is_single);
        Ok(Ingested {
            answer: Answer {
                accepted,
                rejected: parsed.refused,
            },
            is_single,
        })
    }

    /// Selects the tenants whose usage the client may report.
    pub(crate) async fn reportable(
        &self,
        tenants: &BTreeSet<TenantId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Reportable, Problem> {
        self.tenants
            .reportable(tenants, client, now)
            .await
            .map_err(|error| match error {
                ReportableError::InvalidClient => invalid_token(),
                ReportableError::Unavailable(error) => usage_failed(&error),
            })
    }

    /// Counts rejected events. The counts are statistics only, so a failure does not fail the
    /// request.
    pub(crate) async fn count(&self, sender: Sender, refused: &[Refusal]) {
        let kinds = refused.iter().map(|refusal| refusal.reason.kind());
        if let Err(error) = self
            .segment_writer
            .count_rejected(sender, kinds, seed())
            .await
        {
            tracing::warn!(error = error.to_string(), "failed to count rejected events");
        }
    }

    /// Counts events that could not be stored. Gives up after [`COUNT_TIME_MAX`].
    pub(crate) async fn count_not_stored(&self, events: usize) {
        let counted = tokio::time::timeout(
            COUNT_TIME_MAX,
            self.segment_writer.count_not_stored(events, seed()),
        )
        .await;
        if !matches!(counted, Ok(Ok(()))) {
            tracing::warn!(events, "failed to count events that were not stored");
        }
    }
}

impl Ingested {
    /// The problem document of a request with rejected events.
    fn into_problem(self) -> Problem {
        let title = match self.answer.accepted {
            _ if self.is_single => "The event is refused",
            0 => "Every event of the batch is refused",
            _ => "Some events of the batch are refused",
        };
        Problem::new(ProblemKind::EventsRefused)
            .title(title)
            .with("accepted", self.answer.accepted)
            .with("rejected", self.answer.rejected)
    }
}

/// Chooses one of the partitions of the region's counts.
fn seed() -> u8 {
    runtime::new_uuid().as_bytes()[15]
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str())
        .transpose();
    let content_type = content_type.map_err(|_| ProblemKind::UnsupportedContentType)?;
    let all = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    Form::of_headers(content_type, all).ok_or_else(|| ProblemKind::UnsupportedContentType.into())
}
