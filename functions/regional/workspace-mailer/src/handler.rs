//! Mails each person of a batch their own list, or some people of a workspace a notice. A
//! redelivered message may be mailed again: a repeated list or notice does no harm, and a list
//! counts once.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::stream::{StreamExt as _, iter};
use kernel::{Language, TenantStatus, Timestamp};
use mail::{Letter, Listed, MailError, Mailer};
use runtime::queue::{MessageError, each, parse};
use serde::Deserialize;
use std::convert::Infallible;
use tenancy::{Addresses, AdministratorNotice, Asker, EmailAddress, KeyDigest};
use tenant_store::{MailTally, Taken, TenantReader, TenantStoreError, Workspace};

/// The mails that are sent at once: SES allows 14 a second in a new account.
const MAILS_AT_ONCE: usize = 4;

/// Mails every list and notice of the batch. A failed one is redelivered, and ends in the
/// dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        answer(adapters, message).await
    })
    .await)
}

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) tenants: TenantReader,
    pub(crate) mails: MailTally,
    pub(crate) mailer: Mailer,
    pub(crate) addresses: Addresses,
}

/// A message of the queue.
#[derive(Deserialize)]
#[serde(untagged)]
enum Request {
    Notice(AdministratorNotice),
    Lookup(Lookup),
}

/// A request for a person's list of workspaces. Personal data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    email: String,
    language: Option<Language>,
    /// The requester, to whose share the mail counts.
    asker: Asker,
}

/// Why a list or a notice was not mailed. Holds nothing of the person.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the message has no valid address")]
    NoAddress,
    #[error("the workspaces could not be read")]
    NotFound(#[source] TenantStoreError),
    #[error("the list is not mailed")]
    NotMailed(#[source] MailError),
    #[error("the tenant's people could not be read")]
    NoPeople(#[source] TenantStoreError),
    #[error("not everybody is notified")]
    NotNotified(#[source] MailError),
}

async fn answer(adapters: &Adapters, message: &SqsMessage) -> Result<(), Unsent> {
    match parse(message).map_err(Unsent::Unreadable)? {
        Request::Notice(notice) => notify(adapters, &notice).await,
        Request::Lookup(lookup) => list(adapters, message, lookup).await,
    }
}

/// Notifies some people of a tenant that the provider has appointed a new administrator.
async fn notify(adapters: &Adapters, notice: &AdministratorNotice) -> Result<(), Unsent> {
    let tenant = adapters
        .tenants
        .load_tenant(notice.tenant)
        .await
        .map_err(Unsent::NoPeople)?;
    // A closed or erased tenant has nobody to notify.
    let Some(tenant) = tenant.filter(|tenant| tenant.status != TenantStatus::Closed) else {
        return Ok(());
    };
    let people = adapters
        .tenants
        .list_users(
            tenant.id,
            notice.after.as_deref(),
            AdministratorNotice::PEOPLE_MAX,
        )
        .await;
    let people = people.map_err(Unsent::NoPeople)?.entries;
    let letter = Letter::new_administrator(&tenant.alias, &adapters.addresses, tenant.language);
    let readers = people.iter().filter(|user| user.confirmed_at.is_some());
    let mut sent = iter(readers.map(|user| adapters.mailer.send(&user.email, &letter)))
        .buffer_unordered(MAILS_AT_ONCE);
    let mut notified = 0;
    while let Some(result) = sent.next().await {
        result.map_err(Unsent::NotNotified)?;
        notified += 1;
    }
    tracing::info!(tenant = %tenant.id, notified, "notified of a new administrator");
    Ok(())
}

async fn list(adapters: &Adapters, message: &SqsMessage, lookup: Lookup) -> Result<(), Unsent> {
    let Lookup {
        email,
        language,
        asker,
    } = lookup;
    let email: EmailAddress = email.parse().map_err(|_| Unsent::NoAddress)?;
    if !adapters.mailer.can_send() {
        tracing::warn!("nobody is mailed: there is no sender");
        return Ok(());
    }
    let workspaces = adapters
        .tenants
        .load_workspaces(&email)
        .await
        .map_err(Unsent::NotFound)?;
    let Some(first) = workspaces.first() else {
        tracing::info!("nobody to mail");
        return Ok(());
    };
    if !may_mail(adapters, &email, &asker, message)
        .await
        .map_err(Unsent::NotFound)?
    {
        tracing::info!("mailed often enough");
        return Ok(());
    }
    let letter = letter(
        &workspaces,
        &adapters.addresses,
        language.unwrap_or(first.language),
    );
    adapters
        .mailer
        .send(&email, &letter)
        .await
        .map_err(Unsent::NotMailed)?;
    tracing::info!(workspaces = workspaces.len(), "list mailed");
    Ok(())
}

/// Whether the address may get one more mail; a redelivered message counts once. A mail beyond the
/// limit is dropped silently: a refusal would disclose that somebody else requested mails to the
/// address. Nothing is stored about the dropped one, so that a later request gets the list.
async fn may_mail(
    adapters: &Adapters,
    email: &EmailAddress,
    asker: &Asker,
    message: &SqsMessage,
) -> Result<bool, TenantStoreError> {
    let mark = KeyDigest::of("message", message.message_id.as_deref().unwrap_or_default());
    let taken = adapters
        .mails
        .take(email, asker, &mark, sent_at(message))
        .await?;
    Ok(taken == Taken::Yes)
}

/// When the message was queued: it counts in the same hour however often it is redelivered.
fn sent_at(message: &SqsMessage) -> Timestamp {
    let sent_ms = message
        .attributes
        .get("SentTimestamp")
        .and_then(|text| text.parse().ok());
    sent_ms
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_else(runtime::now)
}

fn letter(workspaces: &[Workspace], addresses: &Addresses, language: Language) -> Letter {
    let listed = workspaces.iter().map(
        |Workspace {
             organisation,
             alias,
             ..
         }| Listed {
            organisation,
            alias,
        },
    );
    let listed: Vec<_> = listed.collect();
    Letter::workspaces(&listed, addresses, language)
}
