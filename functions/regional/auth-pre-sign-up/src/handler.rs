//! Compares the account that is asked for with what was registered.

use aws_lambda_events::event::cognito::{
    CognitoEventUserPoolsPreSignup as PreSignUp, CognitoEventUserPoolsPreSignupTriggerSource as Source,
};
use regional_store::{TenantReader, TenantStoreError};
use runtime::Failure;
use tenancy::{EmailAddress, Origin, Username};

/// Lets an account pass whose username is registered with the same address; refuses any other, whoever
/// asks. The account of an invited person can only be made by Meridian, which has checked the invitation's
/// code. Changes nothing in the event.
pub(crate) async fn handle(adapters: &Adapters, event: PreSignUp) -> Result<PreSignUp, Failure> {
    let Some((username, email)) = asked_for(&event) else {
        return Err(refuse());
    };
    let registered =
        adapters.tenants.load_user(username).await.map_err(|error| unavailable(&error))?.ok_or_else(refuse)?;
    let by_administrator = event.cognito_event_user_pools_header.trigger_source == Some(Source::AdminCreateUser);
    let may_ask = match registered.origin {
        Origin::Signup(_) => true,
        Origin::Invitation(_) => by_administrator,
    };
    if may_ask && registered.email.key() == email.key() {
        tracing::info!("registered account");
        Ok(event)
    } else {
        Err(refuse())
    }
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) tenants: TenantReader,
}

fn asked_for(event: &PreSignUp) -> Option<(Username, EmailAddress)> {
    let username = event.cognito_event_user_pools_header.user_name.as_ref()?.parse().ok()?;
    let email = event.request.user_attributes.get("email")?.parse().ok()?;
    Some((username, email))
}

/// One answer for every mismatch, so that it tells nothing of other registrations.
fn refuse() -> Failure {
    tracing::info!("refused an account that is not registered");
    Failure::refusal("SignUpRefused", "not-registered")
}

fn unavailable(error: &TenantStoreError) -> Failure {
    Failure::of("RegistrationUnavailable", error)
}
