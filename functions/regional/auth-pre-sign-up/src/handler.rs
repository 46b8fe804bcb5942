//! Compares the account that is asked for with what was registered.

use aws_lambda_events::event::cognito::CognitoEventUserPoolsPreSignup as PreSignUp;
use regional_store::{TenantReader, TenantStoreError};
use runtime::Failure;
use tenancy::{EmailAddress, Username};

/// Lets a sign-up pass whose username is registered with the same address; refuses any other, whoever
/// asks. Changes nothing in the event: the address is still to be confirmed.
pub(crate) async fn handle(adapters: &Adapters, event: PreSignUp) -> Result<PreSignUp, Failure> {
    let Some((username, email)) = asked_for(&event) else {
        return Err(refuse());
    };
    let registered =
        adapters.tenants.load_email(username).await.map_err(|error| unavailable(&error))?.ok_or_else(refuse)?;
    if registered.key() == email.key() {
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
