//! The machine clients of a tenant.
//!
//! A client is stored here before the identity provider creates it, under an id that is a function
//! of the request's idempotency key. So the same request completes one that was interrupted, and
//! whatever an interrupted one left can be revoked.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
use crate::tenant::note_read;
#[cfg(test)]
use crate::tests::openapi::{IdempotencyHeader, OfClient, OfTenant, refusals};
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use identity::Credentials;
use kernel::{MachineScope, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    AuditAction, ClientId, ClientWish, FieldProblem, IdempotencyKey, MachineClient, Refusal,
    decide_client, decide_client_made, decide_forgotten, decide_revocation,
};
use tenant_store::{LoadOptions, TenantStoreError};

/// A request for a machine client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct ClientRequest {
    /// The client's scopes: at least one, each once.
    #[cfg_attr(test, schema(min_items = 1, max_items = 3))]
    scopes: Vec<MachineScope>,
}

/// A machine client as an administrator of its tenant sees it.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MachineClient))]
struct ClientView<'a> {
    id: ClientId,
    /// The id with which it signs in; absent until the identity provider has created it.
    client_id: Option<&'a str>,
    scopes: &'a [MachineScope],
    created_at: Timestamp,
    /// When it stops working; absent unless somebody has ended it.
    ends_at: Option<Timestamp>,
}

/// The machine clients.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MachineClientList))]
struct ClientList<'a> {
    clients: Vec<ClientView<'a>>,
}

/// A new client with its secret, which no other response shows.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MachineClientMade))]
struct ClientMade<'a> {
    id: ClientId,
    client_id: &'a str,
    client_secret: &'a str,
    scopes: &'a [MachineScope],
    created_at: Timestamp,
}

impl<'a> From<&'a MachineClient> for ClientView<'a> {
    fn from(client: &'a MachineClient) -> Self {
        Self {
            id: client.id,
            client_id: client.client_id.as_deref(),
            scopes: &client.scopes,
            created_at: client.created_at,
            ends_at: client.ends_at,
        }
    }
}

/// Lists the machine clients.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/clients", operation_id = "listClients",
    tag = "Clients", params(OfTenant), security(("person" = [])),
    responses((status = 200, description = "The clients.", body = ClientList<'static>)),
    extensions(("x-problems" = json!(refusals![Use])))))]
pub(crate) async fn list(
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let clients = load(&caller).await?;
    note_read(&caller, AuditAction::ListClients, now).await?;
    let clients = clients
        .iter()
        .filter(|client| !client.has_ended(now))
        .map(ClientView::from)
        .collect();
    Ok(Json(ClientList { clients }).into_response())
}

/// Creates a machine client.
///
/// For administrators. The client signs in at the token endpoint with the grant client_credentials.
/// The same request with the same Idempotency-Key completes one that was interrupted, and shows the
/// secret again as long as the client exists.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/clients",
    operation_id = "createClient", tag = "Clients", params(OfTenant, IdempotencyHeader),
    request_body = ClientRequest, security(("person" = [])),
    responses(
        (status = 201, description = "The client, with its secret.", body = ClientMade<'static>)),
    extensions(("x-problems" = json!(refusals![Change; KeyMissing, KeyMalformed, UnknownClient,
        TooManyClients, ClientEnds, InvalidFields, KeyReused, ClientNotMade])))))]
pub(crate) async fn create(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    headers: HeaderMap,
    body: Result<Body<ClientRequest>, Problem>,
) -> Result<Response, Refused> {
    let id = client_of(&caller, &headers)?;
    let Body(ClientRequest { mut scopes }) = body?;
    let requested = scopes.len();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() || scopes.len() != requested {
        let reason = "a list of at least one scope, each once";
        return Err(problems::invalid_fields(&[FieldProblem {
            field: "scopes",
            reason,
        }])
        .into());
    }
    let request = ClientWish {
        id,
        scopes,
        replaces: None,
        by: caller.username,
    };
    Ok(make(&adapters, &caller, &request, now).await?)
}

/// Creates a client's successor.
///
/// For administrators. The successor has the same scopes; the old client works for another 24
/// hours.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/clients/{client}/rotation",
    operation_id = "rotateClient", tag = "Clients", params(OfClient, IdempotencyHeader),
    security(("person" = [])),
    responses((status = 201, description = "The successor, with its secret.",
            body = ClientMade<'static>)),
    extensions(("x-problems" = json!(refusals![Change; KeyMissing, KeyMalformed, UnknownClient,
        TooManyClients, ClientEnds, KeyReused, ClientNotMade])))))]
pub(crate) async fn rotate(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, client)): Path<(String, String)>,
    Now(now): Now,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let id = client_of(&caller, &headers)?;
    let old = find(&caller, &client).await?;
    let request = ClientWish {
        id,
        scopes: old.scopes,
        replaces: Some(old.id),
        by: caller.username,
    };
    Ok(make(&adapters, &caller, &request, now).await?)
}

/// Revokes a machine client.
///
/// For administrators. Its tokens are rejected from now on.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/clients/{client}",
    operation_id = "revokeClient", tag = "Clients", params(OfClient), security(("person" = [])),
    responses((status = 204, description = "It is revoked.")),
    extensions(("x-problems" = json!(refusals![ToEnd; TenantClosing, UnknownClient,
        ClientNotDeleted])))))]
pub(crate) async fn revoke(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, client)): Path<(String, String)>,
    Now(now): Now,
) -> Result<Response, Refused> {
    // The client is rejected here first, then deleted at the identity provider. A scheduled task
    // completes what was interrupted in between.
    let client = find(&caller, &client).await?;
    let context = adapters.context(now);
    let ended = caller.scope.change(LoadOptions::CLIENTS, |loaded| {
        let known = loaded
            .clients
            .iter()
            .find(|known| known.id == client.id)
            .ok_or(Refusal::NoClient)?;
        Ok(decide_revocation(
            &loaded.state,
            known,
            caller.username,
            &context,
        ))
    });
    ended.await.map_err(store)?;
    let deleted = match &client.client_id {
        Some(client_id) => adapters.identity.delete_client(client_id).await,
        None => {
            adapters
                .identity
                .delete_clients_named(&client.id.to_string())
                .await
        }
    };
    deleted.map_err(|error| problems::client_not_deleted(&error))?;
    let removed = caller.scope.change(LoadOptions::CLIENTS, |loaded| {
        let known = loaded.clients.iter().find(|known| known.id == client.id);
        Ok(known.map(|known| decide_forgotten(&loaded.state, known)))
    });
    removed.await.map_err(store)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The id of the client that a request creates, from its idempotency key.
fn client_of(caller: &Caller, headers: &HeaderMap) -> Result<ClientId, Problem> {
    let header = headers
        .get("idempotency-key")
        .ok_or(ProblemKind::KeyMissing)?;
    let key: Option<IdempotencyKey> = header.to_str().ok().and_then(|key| key.parse().ok());
    let key = key.ok_or(ProblemKind::KeyMalformed)?;
    Ok(ClientId::of(caller.tenant.id, &key.digest()))
}

/// Creates a client, or completes an interrupted one, or returns an existing one.
async fn make(
    adapters: &Adapters,
    caller: &Caller,
    request: &ClientWish,
    now: Timestamp,
) -> Result<Response, Problem> {
    let known = load(caller)
        .await?
        .into_iter()
        .find(|known| known.id == request.id);
    if known
        .as_ref()
        .is_some_and(|known| known.scopes != request.scopes || known.replaces != request.replaces)
    {
        return Err(ProblemKind::KeyReused.into());
    }
    if known.as_ref().is_some_and(|known| known.has_ended(now)) {
        return Err(ProblemKind::UnknownClient.into());
    }
    let credentials = match &known {
        None => {
            begin(adapters, caller, request, now).await?;
            create_machine(adapters, request).await?
        }
        Some(MachineClient {
            client_id: Some(client_id),
            ..
        }) => machine(adapters, client_id).await?,
        Some(_) => find_machine(adapters, request).await?,
    };
    let (client, credentials) = complete(adapters, caller, request.id, credentials, now).await?;
    let made = ClientMade {
        id: client.id,
        client_id: &credentials.client_id,
        client_secret: credentials.secret.reveal(),
        scopes: &client.scopes,
        created_at: client.created_at,
    };
    Ok((
        StatusCode::CREATED,
        [(CACHE_CONTROL, "no-store")],
        Json(made),
    )
        .into_response())
}

async fn begin(
    adapters: &Adapters,
    caller: &Caller,
    request: &ClientWish,
    now: Timestamp,
) -> Result<(), Problem> {
    let context = adapters.context(now);
    let begun = caller.scope.change(LoadOptions::CLIENTS, |loaded| {
        let is_begun = loaded.clients.iter().any(|known| known.id == request.id);
        if is_begun {
            Ok(None)
        } else {
            decide_client(&loaded.state, &loaded.clients, request, &context).map(Some)
        }
    });
    begun.await.map(|_| ()).map_err(store)
}

/// Finds the client that an interrupted request created at the pool, or creates one.
async fn find_machine(adapters: &Adapters, request: &ClientWish) -> Result<Credentials, Problem> {
    let named = adapters
        .identity
        .clients_named(&request.id.to_string())
        .await;
    match named
        .map_err(|error| problems::client_not_made(&error))?
        .first()
    {
        Some(client_id) => machine(adapters, client_id).await,
        None => create_machine(adapters, request).await,
    }
}

async fn create_machine(adapters: &Adapters, request: &ClientWish) -> Result<Credentials, Problem> {
    let created = adapters
        .identity
        .create_machine(request.id, &request.scopes)
        .await;
    created.map_err(|error| problems::client_not_made(&error))
}

async fn machine(adapters: &Adapters, client_id: &str) -> Result<Credentials, Problem> {
    let found = adapters
        .identity
        .machine(client_id)
        .await
        .map_err(|error| problems::client_not_made(&error))?;
    found.ok_or_else(|| ProblemKind::UnknownClient.into())
}

/// Stores that the client was created. Of two that concurrent requests with one key created, the
/// one that was stored first stays; the other is deleted.
async fn complete(
    adapters: &Adapters,
    caller: &Caller,
    id: ClientId,
    credentials: Credentials,
    now: Timestamp,
) -> Result<(MachineClient, Credentials), Problem> {
    let context = adapters.context(now);
    let noted = caller.scope.change(LoadOptions::CLIENTS, |loaded| {
        decide_client_made(
            &loaded.state,
            &loaded.clients,
            id,
            &credentials.client_id,
            &context,
        )
    });
    let noted = noted.await;
    let client = match noted {
        Ok(_) => load(caller).await?.into_iter().find(|known| known.id == id),
        Err(TenantStoreError::Refused(Refusal::NoClient)) => None,
        Err(error) => return Err(store(error)),
    };
    let stored_id = client.as_ref().and_then(|client| client.client_id.clone());
    if stored_id.as_ref() != Some(&credentials.client_id) {
        let deleted = adapters
            .identity
            .delete_client(&credentials.client_id)
            .await;
        deleted.map_err(|error| problems::client_not_made(&error))?;
    }
    match (client, stored_id) {
        (Some(client), Some(stored_id)) if stored_id == credentials.client_id => {
            Ok((client, credentials))
        }
        (Some(client), Some(stored_id)) => Ok((client, machine(adapters, &stored_id).await?)),
        _ => Err(ProblemKind::UnknownClient.into()),
    }
}

async fn load(caller: &Caller) -> Result<Vec<MachineClient>, Problem> {
    caller
        .scope
        .reader()
        .load_clients(caller.tenant.id)
        .await
        .map_err(store)
}

/// Finds a client of this tenant. Another tenant's is as unknown as one that does not exist.
async fn find(caller: &Caller, client: &str) -> Result<MachineClient, Problem> {
    let id: ClientId = client.parse().map_err(|_| ProblemKind::UnknownClient)?;
    let found = load(caller).await?.into_iter().find(|known| known.id == id);
    found.ok_or_else(|| ProblemKind::UnknownClient.into())
}
