//! Decides by the event alone: Cognito calls this before it has looked at the password.
//!
//! An answer here must not tell who has an account. So an account that does not exist, or is not
//! confirmed yet, passes: Cognito refuses it in the words that it has for a wrong password. And
//! what the client says of the tenant is compared with what the client says of the person, never
//! with the account. That the account belongs to the tenant is checked when its token is made,
//! after the password.

use aws_lambda_events::event::cognito::CognitoEventUserPoolsPreAuthentication as PreAuthentication;
use kernel::Alias;
use runtime::Failure;
use std::collections::HashMap;
use tenancy::{AccountName, EmailAddress, Username};

/// What the client may say of the tenant that it signs in to, and of the person: the label and the
/// address.
const ALIAS: &str = "alias";
const EMAIL: &str = "email";

/// Lets a sign-in go on unchanged, or refuses it by a stable code.
pub(crate) fn handle(event: PreAuthentication) -> Result<PreAuthentication, Failure> {
    if !is_meant(&event) {
        tracing::info!("refused a sign-in to another tenant");
        return Err(Failure::refusal("SignInRefused", "other-tenant"));
    }
    if !is_of_provider(&event) && !may_try(&event.request.user_attributes) {
        tracing::info!("refused a sign-in by an address that is not verified");
        return Err(Failure::refusal("SignInRefused", "address-not-verified"));
    }
    Ok(event)
}

/// Whether the name that is signed in with is that of this person in this tenant, where the client
/// names both. Accounts of a tenant's own identity provider are never asked for by address.
fn is_meant(event: &PreAuthentication) -> bool {
    let said = &event.request.validation_data;
    let (Some(alias), Some(email)) = (said.get(ALIAS), said.get(EMAIL)) else {
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

/// Whether the account is one of a tenant's own identity provider. The tenant's setting says
/// whether the address has to be verified; it is read with the tenant, when the token is made.
fn is_of_provider(event: &PreAuthentication) -> bool {
    let account = event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .unwrap_or_default();
    account.parse::<AccountName>().is_ok()
}

/// An account that does not exist has no attributes.
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
