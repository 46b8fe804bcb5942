//! Adds the tenant's claims to the id token and the access token.

use aws_lambda_events::event::cognito::{
    ClaimsAndScopeOverrideDetailsV2, CognitoAccessTokenGenerationV2, CognitoEventUserPoolsPreTokenGenV2 as PreToken,
    CognitoIdTokenGenerationV2,
};
use kernel::RegionCode;
use regional_store::{TenantReader, TenantStoreError};
use runtime::Failure;
use serde_json::Value;
use std::collections::HashMap;
use tenancy::{Claims, Username, claims};

/// Two reads, then the claims, at sign-in and at every refresh; or a refusal by a stable code.
pub(crate) async fn handle(adapters: &Adapters, mut event: PreToken) -> Result<PreToken, Failure> {
    let username: Username = event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .and_then(|name| name.parse().ok())
        .ok_or_else(not_registered)?;
    let membership = adapters
        .tenants
        .load_membership(username)
        .await
        .map_err(|error| failure(&error))?
        .ok_or_else(not_registered)?;
    let tenant = adapters
        .tenants
        .load_tenant(membership.tenant)
        .await
        .map_err(|error| failure(&error))?
        .ok_or_else(not_registered)?;
    let claims = claims(&tenant, membership.role, &adapters.region).map_err(|refusal| {
        tracing::info!(tenant = %tenant.id, code = %refusal, "refused a token");
        Failure::refusal("TokenRefused", refusal.to_string())
    })?;
    add(&mut event, &claims).map_err(|error| Failure::of("ClaimsUnwritable", &error))?;
    tracing::info!(tenant = %tenant.id, "issued a token");
    Ok(event)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantReader,
}

/// Cognito takes an answer without groups for an order to remove them, so they are repeated.
fn add(event: &mut PreToken, claims: &Claims) -> Result<(), serde_json::Error> {
    let claims: HashMap<String, Value> = serde_json::from_value(serde_json::to_value(claims)?)?;
    let mut id = CognitoIdTokenGenerationV2::default();
    id.claims_to_add_or_override = claims.clone();
    let mut access = CognitoAccessTokenGenerationV2::default();
    access.claims_to_add_or_override = claims;
    let mut details = ClaimsAndScopeOverrideDetailsV2::default();
    details.group_override_details = event.request.group_configuration.clone();
    details.id_token_generation = Some(id);
    details.access_token_generation = Some(access);
    event.response.claims_and_scope_override_details = Some(details);
    Ok(())
}

fn not_registered() -> Failure {
    tracing::info!("refused a token for an account that is not registered");
    Failure::refusal("TokenRefused", "not-registered")
}

fn failure(error: &TenantStoreError) -> Failure {
    Failure::of("TenantUnavailable", error)
}
