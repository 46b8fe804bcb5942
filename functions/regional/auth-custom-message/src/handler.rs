//! Chooses the letter and its language, and refuses changes of addresses.
//!
//! Usernames are computed from addresses: an account with another address could not be found.
//! People may change the attribute of their own account, but Cognito applies a new address only
//! after the code that it mails there comes back. That mail is refused here, so there is no such
//! code.

use aws_lambda_events::event::cognito::{
    CognitoEventUserPoolsCustomMessage as CustomMessage,
    CognitoEventUserPoolsCustomMessageTriggerSource as Source,
};
use identity::{MAIL_WITHHELD, Mailing};
use kernel::{Language, Timestamp};
use mail::{CodePurpose, Letter};
use runtime::Failure;
use tenancy::{Addresses, Asker, KeyDigest, SIGN_IN_RETRIED, Tenant, Username};
use tenant_store::{MailTally, TenantReader, TenantStoreError};

/// Words the mail, or refuses it with a stable code. An unknown account gets a neutral letter: no
/// address, no name, in English. So does every account while the table is unavailable, because a
/// code in English helps more than none.
pub(crate) async fn handle(
    adapters: &Adapters,
    mut event: CustomMessage,
) -> Result<CustomMessage, Failure> {
    if changes_address(&event) {
        tracing::info!("refused a change of an address");
        return Err(Failure::refusal("MailRefused", "address-is-fixed"));
    }
    let (Some(purpose), Some(code)) = (purpose(&event), event.request.code_parameter.clone())
    else {
        tracing::info!("not a mail with a code of Meridian's");
        return Ok(event);
    };
    if is_withheld(&event) {
        tracing::info!("withheld a mail");
        return Err(Failure::refusal("MailRefused", MAIL_WITHHELD));
    }
    if purpose == CodePurpose::Password {
        adapters.count(&event, runtime::now()).await;
    }
    let name = event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .unwrap_or_default();
    let tenant = adapters
        .tenant_of(Username::of_account(name))
        .await
        .unwrap_or_else(|error| {
            // This logs the error once, with its sources; the mail goes out.
            let _ = Failure::of("TenantUnavailable", &error);
            None
        });
    let language = tenant
        .as_ref()
        .map_or(Language::default(), |tenant| tenant.language);
    let address = tenant
        .as_ref()
        .and_then(|tenant| adapters.addresses.url(tenant.alias.as_str()));
    let letter = Letter::code(purpose, &code, address.as_deref(), language);
    event.response.email_subject = Some(letter.subject().to_owned());
    event.response.email_message = Some(letter.html());
    tracing::info!(?purpose, %language, tenant = tenant.map(|tenant| tenant.id.to_string()), "worded a mail");
    Ok(event)
}

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) addresses: Addresses,
    pub(crate) tenants: TenantReader,
    pub(crate) mails: MailTally,
}

impl Adapters {
    /// Counts a code for a forgotten password. It is mailed in any case: the pool calls this
    /// trigger only for existing accounts, so a refusal would disclose who has one. Cognito itself
    /// limits these codes. A trigger that Cognito calls again within [`SIGN_IN_RETRIED`] counts
    /// once.
    async fn count(&self, event: &CustomMessage, now: Timestamp) {
        let account = event
            .cognito_event_user_pools_header
            .user_name
            .as_deref()
            .unwrap_or_default();
        let Some(email) = event
            .request
            .user_attributes
            .get("email")
            .and_then(|email| email.as_str()?.parse().ok())
        else {
            return;
        };
        let slot = now.as_second().div_euclid(SIGN_IN_RETRIED.as_secs());
        let mark = KeyDigest::of("forgotten password", &format!("{account}:{slot}"));
        if let Err(error) = self.mails.take(&email, &Asker::pool(), &mark, now).await {
            // This logs the error once, with its sources; the mail goes out.
            let _ = Failure::of("MailNotCounted", &error);
        }
    }

    async fn tenant_of(&self, account: Username) -> Result<Option<Tenant>, TenantStoreError> {
        match self.tenants.load_membership(account).await? {
            Some(membership) => self.tenants.load_tenant(membership.tenant).await,
            None => Ok(None),
        }
    }
}

/// Whether Meridian requested an account without a mail, because the address has reached its limit.
/// Only a sign-up counts: anybody could send the same member with a request for another code, and a
/// refusal there would disclose that the account exists.
fn is_withheld(event: &CustomMessage) -> bool {
    event.cognito_event_user_pools_header.trigger_source == Some(Source::SignUp)
        && event
            .request
            .client_metadata
            .get(Mailing::MEMBER)
            .is_some_and(|value| value == Mailing::WITHHELD)
}

/// Whether the code is for a new address of an account.
fn changes_address(event: &CustomMessage) -> bool {
    let source = event
        .cognito_event_user_pools_header
        .trigger_source
        .as_ref();
    matches!(
        source,
        Some(Source::UpdateUserAttribute | Source::VerifyUserAttribute)
    )
}

/// The purpose of the code. Meridian uses neither temporary passwords nor text messages, so those
/// mails stay Cognito's own.
fn purpose(event: &CustomMessage) -> Option<CodePurpose> {
    match event
        .cognito_event_user_pools_header
        .trigger_source
        .as_ref()?
    {
        Source::SignUp | Source::ResendCode => Some(CodePurpose::Confirmation),
        Source::ForgotPassword => Some(CodePurpose::Password),
        _ => None,
    }
}
