//! ParsedBatch an answer: in our own words, or in those of AWS SaaS Builder Toolkit.

use contract::application::{ANSWER_SOURCE, Answer};
use kernel::TenantId;
use runtime::queue::{BusMessage, MessageError};
use serde_json::Value;
use tenancy::{Said, Settings, TOOLKIT_ANSWER_SOURCE};

/// Where an application plane of the toolkit names the tenant. The first is what its control plane
/// calls the registration; ours is the tenant's id.
const TOOLKIT_TENANT: [&str; 3] = [
    "/tenantRegistrationId",
    "/tenantId",
    "/jobOutput/tenantData/tenantId",
];

/// Why an event cannot be read as an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the source may not say this")]
    OtherEvent,
    #[error("the detail is malformed")]
    Malformed(#[source] MessageError),
    #[error("the detail names no tenant")]
    NoTenant,
}

/// Reads what was said, and of whom. Each source may say what is its own to say and nothing else;
/// the toolkit is heard where its events are published.
pub(crate) fn read(event: &BusMessage, settings: &Settings) -> Result<(Said, Answer), Unread> {
    let said = Said::by_type(&event.detail_type).ok_or(Unread::OtherEvent)?;
    let is_ours = Answer::TYPES.contains(&event.detail_type.as_str());
    let answer = match event.source.as_str() {
        ANSWER_SOURCE if is_ours => event.detail().map_err(Unread::Malformed)?,
        TOOLKIT_ANSWER_SOURCE if !is_ours && settings.builder_toolkit => of_toolkit(event)?,
        _ => return Err(Unread::OtherEvent),
    };
    Ok((said, answer))
}

/// The toolkit knows no attempts, and gives no reason in a closed form: what failed may be tried
/// again.
fn of_toolkit(event: &BusMessage) -> Result<Answer, Unread> {
    let detail: Value = event.detail().map_err(Unread::Malformed)?;
    let named = |place: &&str| detail.pointer(place)?.as_str()?.parse::<TenantId>().ok();
    let tenant = TOOLKIT_TENANT
        .iter()
        .find_map(named)
        .ok_or(Unread::NoTenant)?;
    Ok(Answer {
        tenant,
        attempt: None,
        reason: None,
        retryable: None,
    })
}
