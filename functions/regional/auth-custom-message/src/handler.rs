//! Chooses the letter and its language, and keeps the addresses of accounts as they are.
//!
//! An account is called by its person's address: with another one it would be found by nobody.
//! People may change the attribute of their own account, but Cognito takes no new address before
//! the code that it mails there comes back; that mail is refused here, so there is no such code.

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

/// Words the mail, or refuses it by a stable code. Whoever is not known here gets neutral words: no
/// address, no name, in English. So does everybody while the table is away, since a code in English
/// helps more than none.
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
        tracing::info!("not a mail with a code of ours");
        return Ok(event);
    };
    if is_withheld(&event) {
        tracing::info!("kept a mail back");
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
            // Logs the error once, with its sources; the mail goes out.
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

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) addresses: Addresses,
    pub(crate) tenants: TenantReader,
    pub(crate) mails: MailTally,
}

impl Adapters {
    /// Counts a code that somebody asks the pool for who has forgotten the password. It is mailed
    /// in any case: the pool asks for nobody who has no account, so that a refusal would tell who
    /// has one. It has a limit of its own. A trigger that is called again within the time that the
    /// pool takes for it counts once.
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
        let turn = now.as_second().div_euclid(SIGN_IN_RETRIED.as_secs());
        let mark = KeyDigest::of("forgotten password", &format!("{account}:{turn}"));
        if let Err(error) = self.mails.take(&email, &Asker::pool(), &mark, now).await {
            // Logs the error once, with its sources; the mail goes out.
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

/// Whether Meridian asked for an account without a mail, since the address got as many as it gets.
/// Anybody can say so at the pool who asks for another code, which is no account to make: a refusal
/// there would tell that the account exists.
fn is_withheld(event: &CustomMessage) -> bool {
    event.cognito_event_user_pools_header.trigger_source == Some(Source::SignUp)
        && event
            .request
            .client_metadata
            .get(Mailing::MEMBER)
            .is_some_and(|said| said == Mailing::WITHHELD)
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

/// What the code is for. Nobody gets a temporary password or a code by text message: those mails
/// stay Cognito's own.
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
