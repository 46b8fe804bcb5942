//! Machine clients: credentials with which a tenant's own services get tokens.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, MemberChange, State};
use crate::idempotency::KeyDigest;
use crate::settings::after;
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::{Context, Refusal};
use crate::user::Username;
use jiff::SignedDuration;
use kernel::{
    Invalid, MachineScope, TenantId, TenantStatus, Timestamp, canonical_uuid, deserialize_text,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most clients of a tenant in use, not counting those that are about to end.
pub const CLIENTS_MAX: usize = 5;
/// The most clients of a tenant, counting those that are about to end.
pub const CLIENTS_KEPT_MAX: usize = 10;
/// How long a replaced client stays usable, so that the tenant's services can switch to the new
/// one.
pub const ROTATION: SignedDuration = SignedDuration::from_hours(24);

/// The id of a tenant's client, derived from the tenant and the request that creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = "uuid", description = "A machine client of a tenant.")]
pub struct ClientId(Uuid);

impl ClientId {
    /// Derives the client's id from the idempotency key of the request (RFC 9562, UUID version 5),
    /// so that a repeated request names the same client.
    #[must_use]
    pub fn of(tenant: TenantId, key: &KeyDigest) -> Self {
        let name = format!("client:{}", key.as_str());
        Self(Uuid::new_v5(tenant.as_uuid(), name.as_bytes()))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ClientId {
    type Err = Invalid;

    /// Accepts only the canonical form, so that one client has one text.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rule = "a lower-case hyphenated UUID";
        canonical_uuid(text).map(Self).ok_or(Invalid {
            kind: "client",
            rule,
        })
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

/// A client of a tenant. Only the identity provider and the tenant have its secret; Meridian does
/// not store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineClient {
    /// Its id, which is also its name at the identity provider.
    pub id: ClientId,
    /// The identity provider's id of it, as in tokens; absent while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The tenant.
    pub tenant: TenantId,
    /// The permissions of the client.
    pub scopes: Vec<MachineScope>,
    /// When it was requested.
    pub created_at: Timestamp,
    /// The client that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ClientId>,
    /// The time from which it cannot be used; absent while no end is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl MachineClient {
    /// Whether it has the scope and has not ended.
    #[must_use]
    pub fn may(&self, scope: MachineScope, now: Timestamp) -> bool {
        self.scopes.contains(&scope) && !self.has_ended(now)
    }

    /// Whether it can no longer be used.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

/// A request for a client.
#[derive(Debug, Clone)]
pub struct ClientWish {
    /// The id of the new client.
    pub id: ClientId,
    /// Its permissions.
    pub scopes: Vec<MachineScope>,
    /// The client that it replaces.
    pub replaces: Option<ClientId>,
    /// The user who requests it.
    pub by: Username,
}

/// Decides to create a client. It is stored before the identity provider creates it, so that a
/// request that is cut off in between leaves a trace.
///
/// # Errors
/// When the tenant is not active or has too many clients, or when the client to be replaced is
/// unknown, not created yet, or already replaced.
pub fn decide_client(
    state: &State,
    clients: &[MachineClient],
    request: &ClientWish,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let tenant = &state.tenant;
    if tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    if let Some(old) = request.replaces {
        let known = clients
            .iter()
            .find(|client| client.id == old)
            .ok_or(Refusal::NoClient)?;
        let is_replaced = clients.iter().any(|client| client.replaces == Some(old));
        if known.ends_at.is_some() || known.client_id.is_none() || is_replaced {
            return Err(Refusal::ClientEnds);
        }
    }
    let in_use = clients
        .iter()
        .filter(|client| is_in_use(client, clients))
        .count();
    // A successor takes its predecessor's place, so it does not need room among those in use.
    let full = request.replaces.is_none() && in_use >= CLIENTS_MAX;
    if full || clients.len() >= CLIENTS_KEPT_MAX {
        return Err(Refusal::TooManyClients);
    }
    let mut changes = ChangeSet::of(state);
    changes
        .members
        .push(MemberChange::Client(Box::new(MachineClient {
            id: request.id,
            client_id: None,
            tenant: tenant.id,
            scopes: request.scopes.clone(),
            created_at: context.now,
            replaces: request.replaces,
            ends_at: None,
        })));
    let (action, target) = match request.replaces {
        None => (AuditAction::CreateClient, request.id),
        Some(old) => (AuditAction::RotateClient, old),
    };
    changes.note(
        Actor::User(request.by),
        action,
        Some(target.to_string()),
        context,
    );
    Ok(changes)
}

/// Whether a client counts towards the limit. A successor that is still being created does not
/// count as long as its predecessor does.
fn is_in_use(client: &MachineClient, clients: &[MachineClient]) -> bool {
    let old = clients
        .iter()
        .find(|old| client.client_id.is_none() && Some(old.id) == client.replaces);
    client.ends_at.is_none() && old.is_none_or(|old| old.ends_at.is_some())
}

/// Records that the identity provider has created a client. The client that it replaces ends in a
/// day. `None` if that is recorded already.
///
/// # Errors
/// When the client is not among the tenant's clients.
pub fn decide_client_made(
    state: &State,
    clients: &[MachineClient],
    id: ClientId,
    client_id: &str,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let open = clients
        .iter()
        .find(|client| client.id == id)
        .ok_or(Refusal::NoClient)?;
    if open.client_id.is_some() {
        return Ok(None);
    }
    let mut changes = ChangeSet::of(state);
    let made = MachineClient {
        client_id: Some(client_id.to_owned()),
        ..open.clone()
    };
    changes.members.push(MemberChange::Client(Box::new(made)));
    let old = clients
        .iter()
        .find(|old| Some(old.id) == open.replaces && old.ends_at.is_none());
    if let Some(old) = old {
        end(&mut changes, old, after(context.now, ROTATION));
    }
    Ok(Some(changes))
}

/// Ends a client at once. The identity provider's copy is deleted afterwards.
#[must_use]
pub fn decide_revocation(
    state: &State,
    client: &MachineClient,
    by: Username,
    context: &Context,
) -> Option<ChangeSet> {
    if client.has_ended(context.now) {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    end(&mut changes, client, context.now);
    changes.note(
        Actor::User(by),
        AuditAction::RevokeClient,
        Some(client.id.to_string()),
        context,
    );
    Some(changes)
}

/// Deletes a client after the identity provider has deleted it.
#[must_use]
pub fn decide_forgotten(state: &State, client: &MachineClient) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    changes
        .members
        .push(MemberChange::DeleteClient(Box::new(client.clone())));
    changes
}

fn end(changes: &mut ChangeSet, client: &MachineClient, at: Timestamp) {
    let ended = MachineClient {
        ends_at: Some(at),
        ..client.clone()
    };
    changes.members.push(MemberChange::Client(Box::new(ended)));
    changes.due.push(ScheduledTask {
        at,
        kind: TaskKind::Clients,
        tenant: client.tenant,
    });
}

/// Removes the federation of a closed tenant. The tenant's clients are removed by the caller, at
/// the identity provider.
pub(crate) fn decide_clients_ended(state: &State) -> Option<ChangeSet> {
    let is_over = state.tenant.status == TenantStatus::Closed && state.tenant.federation.is_some();
    let mut changes = ChangeSet::of(state);
    changes.tenant.federation = None;
    is_over.then_some(changes)
}
