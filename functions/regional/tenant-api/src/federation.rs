//! The tenant's own identity provider.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
use crate::tenant::note_read;
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{Invalid, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    AuditAction, Federation, FieldProblem, IdentityProvider, Issuer, ProviderClientId,
    ProviderName, ProviderSecret, decide_federation, decide_federation_end, decide_provider,
    decide_provider_forgotten,
};
use tenant_store::LoadOptions;

/// A request for an OpenID provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct ProviderRequest {
    /// Its issuer URL, without a query; `/.well-known/openid-configuration` is appended to it.
    #[cfg_attr(test, schema(format = "uri", max_length = 200))]
    issuer: String,
    /// Meridian's client id at the provider.
    #[cfg_attr(test, schema(min_length = 1, max_length = 256))]
    client_id: String,
    /// Meridian's client secret at the provider. It is passed to the region's user pool, and stored
    /// nowhere else.
    #[cfg_attr(test, schema(min_length = 1, max_length = 256, format = "password"))]
    client_secret: String,
    /// Whether an address is accepted that the provider does not mark as verified, as Microsoft
    /// Entra ID never does; false if absent. It applies to this tenant's own sign-in only. With it,
    /// anybody who can write addresses into the provider's directory decides who signs in as whom.
    #[serde(default)]
    trusts_unverified_email: bool,
}

/// The tenant's own identity provider as an administrator sees it.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = IdentityProvider))]
struct ProviderView<'a> {
    #[cfg_attr(test, schema(format = "uri"))]
    issuer: &'a str,
    client_id: &'a str,
    /// The redirect URI that the provider has to allow.
    #[cfg_attr(test, schema(format = "uri"))]
    redirect_uri: &'a str,
    /// Whether an address is accepted that the provider does not mark as verified.
    trusts_unverified_email: bool,
    /// Whether people can sign in with it. Where they cannot, the request that sets it was
    /// interrupted.
    in_use: bool,
    changed_at: Timestamp,
}

/// Shows the tenant's own identity provider.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/identity-provider",
    operation_id = "readIdentityProvider", tag = "Federation", params(OfTenant),
    security(("person" = [])),
    responses((status = 200, description = "The provider.", body = ProviderView<'static>)),
    extensions(("x-problems" = json!(refusals![Use; NoIdentityProvider])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let provider = load(&caller)
        .await?
        .ok_or(ProblemKind::NoIdentityProvider)?;
    note_read(&caller, AuditAction::ReadIdentityProvider, now).await?;
    Ok(shown(
        &adapters,
        &provider,
        caller.tenant.federation.is_some(),
    ))
}

/// Sets the tenant's own identity provider.
///
/// For administrators. Everybody to whom the provider attests a verified address can sign in at the
/// tenant's address, and is a member from the first sign-in on. `trusts_unverified_email` drops the
/// demand for verification.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/identity-provider",
    operation_id = "setIdentityProvider", tag = "Federation", params(OfTenant),
    request_body = ProviderRequest, security(("person" = [])),
    responses((status = 200, description = "The provider.", body = ProviderView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; NoAddress, InvalidFields, ProviderRefused,
        ProviderNotSet])))))]
pub(crate) async fn set(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<ProviderRequest>, Problem>,
) -> Result<Response, Refused> {
    // Order: the provider is stored here first, then in the user pool, then for the sign-in page.
    // The same request completes an interrupted one.
    let Body(request) = body?;
    let alias = &caller.tenant.alias;
    let address = adapters
        .addresses
        .url(alias.as_str())
        .ok_or(ProblemKind::NoAddress)?;
    let (issuer, client_id, secret) = validate(&request, adapters.with_loopback)?;
    let name = ProviderName::of(alias);
    let provider = IdentityProvider {
        tenant: caller.tenant.id,
        name,
        issuer,
        client_id,
        trusts_unverified_email: request.trusts_unverified_email,
        changed_at: now,
    };
    let was_known = load(&caller).await?.is_some();
    let context = adapters.context(now);
    let begun = caller.scope.change(LoadOptions::TENANT, |loaded| {
        decide_provider(&loaded.state, &provider, caller.username, &context).map(Some)
    });
    let state = begun.await.map_err(store)?;
    adapters
        .identity
        .put_provider(&provider, &secret)
        .await
        .map_err(|error| problems::provider_not_set(&error))?;
    if state.tenant.federation.is_none() {
        federate(
            &adapters,
            &caller,
            &provider,
            &format!("{address}/"),
            was_known,
        )
        .await?;
    }
    Ok(shown(&adapters, &provider, true))
}

/// Removes the tenant's own identity provider.
///
/// For administrators. People who signed in with it stay users but cannot sign in; their tokens are
/// rejected.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/identity-provider",
    operation_id = "removeIdentityProvider", tag = "Federation", params(OfTenant),
    security(("person" = [])),
    responses((status = 204, description = "It is removed.")),
    extensions(("x-problems" = json!(refusals![Use; NoIdentityProvider, ProviderNotSet])))))]
pub(crate) async fn remove(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let provider = load(&caller)
        .await?
        .ok_or(ProblemKind::NoIdentityProvider)?;
    let context = adapters.context(now);
    let ended = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(decide_federation_end(
            &loaded.state,
            caller.username,
            &context,
        ))
    });
    ended.await.map_err(store)?;
    let identity = &adapters.identity;
    let not_removed = |error| problems::provider_not_set(&error);
    identity
        .delete_clients_named(provider.name.as_str())
        .await
        .map_err(not_removed)?;
    identity
        .delete_provider(&provider.name)
        .await
        .map_err(not_removed)?;
    let removed = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(Some(decide_provider_forgotten(&loaded.state)))
    });
    removed.await.map_err(store)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Creates the client that people sign in with, and stores it for the sign-in page. Of two that
/// concurrent requests created, the one that was stored first stays.
async fn federate(
    adapters: &Adapters,
    caller: &Caller,
    provider: &IdentityProvider,
    callback: &str,
    was_known: bool,
) -> Result<(), Problem> {
    let (identity, name) = (&adapters.identity, &provider.name);
    let not_set = |error| problems::provider_not_set(&error);
    let left = if was_known {
        identity
            .clients_named(name.as_str())
            .await
            .map_err(not_set)?
    } else {
        Vec::new()
    };
    let federation = match left.into_iter().next() {
        Some(client_id) => Federation {
            client_id,
            identity_provider: name.clone(),
            trusts_unverified_email: false,
        },
        None => identity
            .create_federation(name, callback)
            .await
            .map_err(not_set)?,
    };
    let federation = Federation {
        trusts_unverified_email: provider.trusts_unverified_email,
        ..federation
    };
    let noted = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(decide_federation(&loaded.state, &federation))
    });
    let noted = noted.await.map_err(store)?;
    if noted
        .tenant
        .federation
        .is_some_and(|first| first.client_id != federation.client_id)
    {
        identity
            .delete_client(&federation.client_id)
            .await
            .map_err(not_set)?;
    }
    Ok(())
}

fn validate(
    request: &ProviderRequest,
    with_loopback: bool,
) -> Result<(Issuer, ProviderClientId, ProviderSecret), Problem> {
    let issuer = Issuer::parse(&request.issuer, with_loopback);
    let client_id = request.client_id.parse::<ProviderClientId>();
    let secret = request.client_secret.parse::<ProviderSecret>();
    let problem = |field, invalid: Option<&Invalid>| {
        Some(FieldProblem {
            field,
            reason: invalid?.rule,
        })
    };
    let fields = [
        problem("issuer", issuer.as_ref().err()),
        problem("client_id", client_id.as_ref().err()),
        problem("client_secret", secret.as_ref().err()),
    ];
    match (issuer, client_id, secret) {
        (Ok(issuer), Ok(client_id), Ok(secret)) => Ok((issuer, client_id, secret)),
        _ => Err(problems::invalid_fields(
            &fields.into_iter().flatten().collect::<Vec<_>>(),
        )),
    }
}

fn shown(adapters: &Adapters, provider: &IdentityProvider, in_use: bool) -> Response {
    let view = ProviderView {
        issuer: provider.issuer.expose(),
        client_id: provider.client_id.expose(),
        trusts_unverified_email: provider.trusts_unverified_email,
        redirect_uri: &format!("{}/oauth2/idpresponse", adapters.auth_url),
        in_use,
        changed_at: provider.changed_at,
    };
    Json(view).into_response()
}

async fn load(caller: &Caller) -> Result<Option<IdentityProvider>, Problem> {
    caller
        .scope
        .reader()
        .load_provider(caller.tenant.id)
        .await
        .map_err(store)
}
