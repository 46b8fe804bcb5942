//! Parses an answer, in Meridian's own form or in that of AWS SaaS Builder Toolkit.

use contract::application::{ANSWER_SOURCE, Answer};
use kernel::TenantId;
use runtime::queue::{BusMessage, MessageError};
use serde_json::Value;
use tenancy::{Said, Settings, TOOLKIT_ANSWER_SOURCE};

/// The members in which an application plane of the toolkit may name the tenant. The first is its
/// control plane's registration id, for which Meridian sends the tenant's id.
const TOOLKIT_TENANT: [&str; 3] = [
    "/tenantRegistrationId",
    "/tenantId",
    "/jobOutput/tenantData/tenantId",
];

/// A failure to parse an event as an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the source may not send this event type")]
    OtherEvent,
    #[error("the detail is malformed")]
    Malformed(#[source] MessageError),
    #[error("the detail names no tenant")]
    NoTenant,
}

/// Parses an answer. Each source may send only its own event types. The toolkit's events are
/// accepted only where the region also publishes events for it.
pub(crate) fn read(event: &BusMessage, settings: &Settings) -> Result<(Said, Answer), AnswerError> {
    let said = Said::by_type(&event.detail_type).ok_or(AnswerError::OtherEvent)?;
    let is_ours = Answer::TYPES.contains(&event.detail_type.as_str());
    let answer = match event.source.as_str() {
        ANSWER_SOURCE if is_ours => event.detail().map_err(AnswerError::Malformed)?,
        TOOLKIT_ANSWER_SOURCE if !is_ours && settings.builder_toolkit => of_toolkit(event)?,
        _ => return Err(AnswerError::OtherEvent),
    };
    Ok((said, answer))
}

/// Parses an answer of the toolkit. It has no attempts, and no reason from a closed list, so a
/// failure may always be retried.
fn of_toolkit(event: &BusMessage) -> Result<Answer, AnswerError> {
    let detail: Value = event.detail().map_err(AnswerError::Malformed)?;
    let named = |place: &&str| detail.pointer(place)?.as_str()?.parse::<TenantId>().ok();
    let tenant = TOOLKIT_TENANT
        .iter()
        .find_map(named)
        .ok_or(AnswerError::NoTenant)?;
    Ok(Answer {
        tenant,
        attempt: None,
        reason: None,
        retryable: None,
    })
}
