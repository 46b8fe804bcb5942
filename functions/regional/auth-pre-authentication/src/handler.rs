//! Decides from the event alone: Cognito calls this trigger before it checks the password.
//!
//! A refusal here must not disclose who has an account. So an account that does not exist, or is
//! not confirmed yet, passes: Cognito refuses it as it does a wrong password. The client's alias is
//! compared with the client's address, never with the account. Whether the account belongs to the
//! tenant is checked when its token is issued, after the password.

use aws_lambda_events::event::cognito::CognitoEventUserPoolsPreAuthentication as PreAuthentication;
use kernel::Alias;
use runtime::Failure;
use std::collections::HashMap;
use tenancy::{AccountName, EmailAddress, Username};

/// The members with which the client may name the tenant that it wants to sign in to, and the
/// person's address.
const ALIAS: &str = "alias";
const EMAIL: &str = "email";

/// Passes a sign-in unchanged, or refuses it with a stable code.
pub(crate) fn handle(event: PreAuthentication) -> Result<PreAuthentication, Failure> {
    if !matches_client_data(&event) {
        tracing::info!("refused a sign-in to another tenant");
        return Err(Failure::refusal("SignInRefused", "other-tenant"));
    }
    if !is_of_provider(&event) && !may_try(&event.request.user_attributes) {
        tracing::info!("refused a sign-in by an address that is not verified");
        return Err(Failure::refusal("SignInRefused", "address-not-verified"));
    }
    Ok(event)
}

/// Whether the username is the one of this person in this tenant, where the client names both.
/// Accounts of a tenant's own identity provider never sign in with an address.
fn matches_client_data(event: &PreAuthentication) -> bool {
    let data = &event.request.validation_data;
    let (Some(alias), Some(email)) = (data.get(ALIAS), data.get(EMAIL)) else {
        return true;
    };
    let (Ok(alias), Ok(email)) = (alias.parse::<Alias>(), email.parse::<EmailAddress>()) else {
        return false;
    };
    let account = event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .unwrap_or_default();
    account.parse() == Ok(Username::of(&alias, &email))
}

/// Whether the account is one of a tenant's own identity provider. Whether its address has to be
/// verified is a setting of the tenant, which is read when the token is issued.
fn is_of_provider(event: &PreAuthentication) -> bool {
    let account = event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .unwrap_or_default();
    account.parse::<AccountName>().is_ok()
}

/// Whether the attributes allow an attempt. An account that does not exist has none, and passes.
fn may_try(attributes: &HashMap<String, String>) -> bool {
    let is = |name: &str, value: &str| {
        attributes
            .get(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    attributes.is_empty()
        || is("cognito:user_status", "UNCONFIRMED")
        || is("email_verified", "true")
}
