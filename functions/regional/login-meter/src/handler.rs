//! Turns a batch of sign-ins into segments of usage.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use catalogue::Catalogue;
use kernel::{SegmentId, TenantId, TenantStatus, Timestamp};
use metering::{TIME_AHEAD_MAX, TIME_BEHIND_MAX, Usage, group};
use runtime::queue::{MessageError, each, parse};
use std::convert::Infallible;
use tenancy::{Login, SIGN_IN_RETRIED};
use tenant_store::{Tally, TenantReader, TenantStoreError};
use usage_store::{SegmentWriter, TermsReader, UsageStoreError, UsageTerms};

/// What the events of sign-ins come from. With the id of the sign-in, it says which event it is.
const SOURCE: &str = "meridian/identity";

/// Meters every sign-in of the batch; those that are not stored come again, and end in the
/// dead-letter queue. A sign-in that comes twice is stored twice and counted once, as any usage
/// event is. So is one that the user pool told of more than once, since its trigger did not answer
/// in time: it is an event of the moment when it was told first.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        meter(adapters, message).await
    })
    .await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: TenantReader,
    pub(crate) terms: TermsReader,
    pub(crate) tally: Tally,
    pub(crate) segment_writer: SegmentWriter,
}

/// Why a sign-in is not metered.
#[derive(Debug, thiserror::Error)]
enum MeteringError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the sign-in is of another time")]
    OutOfTime,
    #[error("the catalogue has no meter for sign-ins")]
    NoMeter,
    #[error("the user's tenant was not loaded")]
    NotLoaded(#[source] TenantStoreError),
    #[error("the terms of the tenant's usage were not loaded")]
    NoTerms(#[source] UsageStoreError),
    #[error("whether it was told before is not known")]
    NotTold(#[source] TenantStoreError),
    #[error("the event is not stored")]
    NotStored(#[source] UsageStoreError),
}

async fn meter(adapters: &Adapters, message: &SqsMessage) -> Result<(), MeteringError> {
    let login: Login = parse(message).map_err(MeteringError::Unreadable)?;
    let sent = sent_at(message).ok_or(MeteringError::OutOfTime)?;
    // Identities are kept for longer than this: what is older could count a second time.
    if login.at.duration_since(sent) > TIME_AHEAD_MAX
        || sent.duration_since(login.at) > TIME_BEHIND_MAX
    {
        return Err(MeteringError::OutOfTime);
    }
    let meter = adapters.catalogue.logins().ok_or(MeteringError::NoMeter)?;
    let Some((tenant, terms)) = tenant(adapters, &login).await? else {
        tracing::info!("of no tenant that can be signed in to");
        return Ok(());
    };
    let began_at = adapters
        .tally
        .began(&login.key(), login.at, SIGN_IN_RETRIED)
        .await
        .map_err(MeteringError::NotTold)?;
    let event = login.event(began_at);
    // Clocks differ: whoever signs in to a tenant did so after it became active, whatever the time
    // says.
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
    tracing::info!(login = %event, %tenant, "metered");
    Ok(())
}

/// When the queue took the message, by its own clock.
fn sent_at(message: &SqsMessage) -> Option<Timestamp> {
    Timestamp::from_millisecond(message.attributes.get("SentTimestamp")?.parse().ok()?).ok()
}

/// The tenant that was signed in to, and the terms of its usage; none where the person got no
/// token, since the tenant is not in use, or where the user was removed meanwhile.
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
