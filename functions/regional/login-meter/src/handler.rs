//! Converts a batch of sign-ins to segments of usage.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use catalogue::Catalogue;
use kernel::{SegmentId, TenantId, TenantStatus, Timestamp};
use metering::{TIME_AHEAD_MAX, TIME_BEHIND_MAX, Usage, group};
use runtime::queue::{MessageError, each, parse};
use std::convert::Infallible;
use tenancy::{Login, SIGN_IN_RETRIED};
use tenant_store::{Tally, TenantReader, TenantStoreError};
use usage_store::{SegmentWriter, TermsReader, UsageStoreError, UsageTerms};

/// The source of the usage events of sign-ins. With the sign-in's id it makes the event's dedupe
/// key.
const SOURCE: &str = "meridian/identity";

/// Meters every sign-in of the batch. The queue redelivers those that are not stored, and moves
/// them to the dead-letter queue in the end. A sign-in that is delivered twice is stored twice and
/// counted once, as any usage event is. So is a sign-in that the user pool reported several times
/// because its trigger did not answer in time: its event has the time of the first report.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        meter(adapters, message).await
    })
    .await)
}

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: TenantReader,
    pub(crate) terms: TermsReader,
    pub(crate) tally: Tally,
    pub(crate) segment_writer: SegmentWriter,
}

/// A failure to meter a sign-in.
#[derive(Debug, thiserror::Error)]
enum MeteringError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the sign-in is too old or too far in the future")]
    OutOfTime,
    #[error("the catalogue has no meter for sign-ins")]
    NoMeter,
    #[error("the user's tenant could not be loaded")]
    NotLoaded(#[source] TenantStoreError),
    #[error("the terms of the tenant's usage could not be loaded")]
    NoTerms(#[source] UsageStoreError),
    #[error("the first report of the sign-in could not be determined")]
    NotTallied(#[source] TenantStoreError),
    #[error("the event could not be stored")]
    NotStored(#[source] UsageStoreError),
}

async fn meter(adapters: &Adapters, message: &SqsMessage) -> Result<(), MeteringError> {
    let login: Login = parse(message).map_err(MeteringError::Unreadable)?;
    let sent = sent_at(message).ok_or(MeteringError::OutOfTime)?;
    // Dedupe keys are retained for longer than this. An older sign-in could count a second time.
    if login.at.duration_since(sent) > TIME_AHEAD_MAX
        || sent.duration_since(login.at) > TIME_BEHIND_MAX
    {
        return Err(MeteringError::OutOfTime);
    }
    let meter = adapters.catalogue.logins().ok_or(MeteringError::NoMeter)?;
    let Some((tenant, terms)) = tenant(adapters, &login).await? else {
        tracing::info!("ignored a sign-in without a tenant in use");
        return Ok(());
    };
    let began_at = adapters
        .tally
        .began(&login.key(), login.at, SIGN_IN_RETRIED)
        .await
        .map_err(MeteringError::NotTallied)?;
    let event = login.event(began_at);
    // Clocks differ: a sign-in always follows the tenant's activation, even where its time is
    // earlier.
    let at = terms
        .first_moment()
        .map_or(began_at, |first| first.max(began_at));
    let usage = Usage::counted(meter, tenant, SOURCE, &event.to_string(), at);
    let segments = group(
        [usage],
        |_| terms.billing_anchor,
        || SegmentId::from_uuid(runtime::new_uuid()),
    );
    adapters
        .segment_writer
        .store(&segments, runtime::now())
        .await
        .map_err(MeteringError::NotStored)?;
    tracing::info!(login = %event, %tenant, "metered a sign-in");
    Ok(())
}

/// The time at which the queue received the message, by its own clock.
fn sent_at(message: &SqsMessage) -> Option<Timestamp> {
    Timestamp::from_millisecond(message.attributes.get("SentTimestamp")?.parse().ok()?).ok()
}

/// The tenant of a sign-in and the terms of its usage. None where the person got no token because
/// the tenant is not in use, and where the user was removed meanwhile.
async fn tenant(
    adapters: &Adapters,
    login: &Login,
) -> Result<Option<(TenantId, UsageTerms)>, MeteringError> {
    let membership = adapters.tenants.load_membership(login.account).await;
    let Some(membership) = membership.map_err(MeteringError::NotLoaded)? else {
        return Ok(None);
    };
    let tenant = membership.tenant;
    let terms = adapters.terms.usage_terms(&[tenant]).await;
    let terms = terms.map_err(MeteringError::NoTerms)?;
    let in_use = |terms: &&UsageTerms| {
        matches!(
            terms.status,
            TenantStatus::Active | TenantStatus::Relocating
        )
    };
    Ok(terms
        .get(&tenant)
        .filter(in_use)
        .map(|terms| (tenant, *terms)))
}
