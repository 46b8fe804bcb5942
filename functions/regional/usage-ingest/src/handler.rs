//! `POST /usage/events`, and the same for clients of `OpenMeter`.

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

/// Takes usage events.
///
/// One event, or a batch of at most 1000 in at most 4 MiB (4194304 bytes). A client of a tenant
/// reports its own tenant's usage; that of any other is refused as of an unknown tenant. It is
/// answered once every valid event is stored: with 200, or with 422 where none is valid. What is
/// not answered may be sent again as it is: an event counts once, by its source and id, which a
/// tenant's own clients and the provider's services use independently of each other.
///
/// With the header `ce-specversion` and a content type that is not of CloudEvents, the request is
/// one event in binary mode: the headers are its attributes, and the body is its `data`, in JSON.
#[cfg_attr(test, utoipa::path(post, path = "/usage/events", operation_id = "reportUsage",
    tag = "Metering", params(EventHeaders), request_body(description = EVENTS, content(
            (UsageEvent = "application/cloudevents+json"),
            (Vec<UsageEvent> = "application/cloudevents-batch+json"),
            (UsageEvents = "application/json"))), security(("machine" = ["usage/write"])),
    responses((status = 200, description = "What became of the events.", body = Answer)),
    extensions(("x-problems" = json!(problems![MalformedJson, UnexpectedForm, MalformedGzip,
        BodyTooLarge, TooManyEvents, UnsupportedContentType, UnsupportedContentEncoding,
        EventsRefused, Throttled, UsageUnavailable])))))]
async fn handle(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let taken = adapters.take(&headers, body, now).await?;
    if taken.answer.accepted == 0 && !taken.answer.rejected.is_empty() {
        Err(taken.refusal())
    } else {
        Ok(Json(taken.answer))
    }
}

/// Takes usage events from clients of OpenMeter.
///
/// What `POST /usage/events` takes, with the same meaning, for clients that were written for
/// OpenMeter's ingest: `subject` is the tenant, `type` the event type of a meter, and `time` is
/// required. The answer is 204 only when every event is stored. When some are refused, the others
/// are stored all the same, and the answer is 422, so that a client which looks at the status alone
/// notices. That request may be sent again without the refused events, or as it is.
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
    let taken = adapters.take(&headers, body, now).await?;
    if taken.answer.rejected.is_empty() {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(taken.refusal())
    }
}

/// How long a refusal waits for the count of what it refuses.
const COUNT_TIME_MAX: Duration = Duration::from_millis(250);

/// Why nothing of a client is taken.
pub(crate) enum Refused {
    /// It is nobody's, or not for this, or has ended.
    NoClient,
    /// It is not known whose it is.
    Unknown(UsageStoreError),
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

/// What became of a request that could be read.
struct Taken {
    answer: Answer,
    is_single: bool,
}

/// What became of the events of a request.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UsageAnswer))]
struct Answer {
    /// How many events are stored.
    accepted: usize,
    /// Those that are not, each with the reason.
    #[cfg_attr(test, schema(value_type = Vec<RefusedEvent>))]
    rejected: Vec<Refusal>,
}

impl Adapters {
    /// Stores every valid event of a request.
    async fn take(
        &self,
        headers: &HeaderMap,
        body: Body,
        now: Timestamp,
    ) -> Result<Taken, Problem> {
        let client = self
            .tokens
            .verify_machine(headers, MachineScope::UsageWrite.as_str(), now)
            .await?;
        let form = form(headers)?;
        let body = bytes(headers, body).await?;
        let sender = sender(&client);
        let mut reading = read(&body, &form, sender, &self.catalogue, now).map_err(refuse)?;
        let known = self.reportable(&reading.tenants(), &client, now).await?;
        reading.keep_billable(|tenant| known.first_moment(tenant));
        reading.refuse_conflicts();
        let next_id = || SegmentId::from_uuid(runtime::new_uuid());
        let segments = group(reading.usage(), |tenant| known.anchor(tenant), next_id);
        if let Err(error) = self.segment_writer.store(&segments, now).await {
            self.count_not_stored(reading.usage().len()).await;
            return Err(usage_failed(&error));
        }
        self.count(sender, &reading.refused).await;
        let (accepted, is_single) = (reading.usage().len(), reading.is_single);
        Ok(Taken {
            answer: Answer {
                accepted,
                rejected: reading.refused,
            },
            is_single,
        })
    }

    /// Those of the tenants whose usage the client may report.
    pub(crate) async fn reportable(
        &self,
        tenants: &BTreeSet<TenantId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Reportable, Problem> {
        self.tenants
            .reportable(tenants, client, now)
            .await
            .map_err(|refused| match refused {
                Refused::NoClient => invalid_token(),
                Refused::Unknown(error) => usage_failed(&error),
            })
    }

    /// Counts what was refused. The count is only shown, so that a failure is no reason to refuse
    /// more.
    pub(crate) async fn count(&self, sender: Sender, refused: &[Refusal]) {
        let kinds = refused.iter().map(|refusal| refusal.reason.kind());
        if let Err(error) = self
            .segment_writer
            .count_rejected(sender, kinds, seed())
            .await
        {
            tracing::warn!(error = error.to_string(), "refused events are not counted");
        }
    }

    /// Counts what could not be stored, if the table takes that much: nobody waits for a count.
    pub(crate) async fn count_not_stored(&self, events: usize) {
        let counted = tokio::time::timeout(
            COUNT_TIME_MAX,
            self.segment_writer.count_not_stored(events, seed()),
        )
        .await;
        if !matches!(counted, Ok(Ok(()))) {
            tracing::warn!(events, "events that are not stored are not counted");
        }
    }
}

impl Taken {
    /// The answer as a refusal: of all events, or of those that it names.
    fn refusal(self) -> Problem {
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
