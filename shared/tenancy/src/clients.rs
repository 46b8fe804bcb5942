//! Machine clients: how a tenant's own services get tokens.

use crate::change_set::{ChangeSet, MemberChange, State};
use crate::settings::after;
use crate::{Actor, AuditAction, Context, KeyDigest, Refusal, ScheduledTask, TaskKind, Username};
use jiff::SignedDuration;
use kernel::{
    Invalid, MachineScope, TenantId, TenantStatus, Timestamp, canonical_uuid, deserialize_text,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many clients of a tenant can be in use, besides those that are about to end.
pub const CLIENTS_MAX: usize = 5;
/// How many clients a tenant can have with those that are about to end.
pub const CLIENTS_KEPT_MAX: usize = 10;
/// How long a client that was replaced can still be used.
pub const ROTATION: SignedDuration = SignedDuration::from_hours(24);

/// The identity of a tenant's client: a function of the tenant and of the request that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = "uuid", description = "A machine client of a tenant.")]
pub struct ClientId(Uuid);

impl ClientId {
    /// The client that the request with this key makes (RFC 9562, UUID version 5).
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

/// A client of a tenant. Its secret is known to the identity provider and to the tenant, and stored
/// nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineClient {
    /// Its identity, and its name at the identity provider.
    pub id: ClientId,
    /// What the identity provider calls it in tokens; absent while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The tenant.
    pub tenant: TenantId,
    /// What it may do.
    pub scopes: Vec<MachineScope>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Which client it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ClientId>,
    /// From when on it cannot be used; absent while nobody has ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl MachineClient {
    /// Whether it may do something at a moment.
    #[must_use]
    pub fn may(&self, scope: MachineScope, now: Timestamp) -> bool {
        self.scopes.contains(&scope) && !self.has_ended(now)
    }

    /// Whether it cannot be used any more.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

/// A client to be made.
#[derive(Debug, Clone)]
pub struct ClientWish {
    /// Its identity.
    pub id: ClientId,
    /// What it may do.
    pub scopes: Vec<MachineScope>,
    /// Which one it takes the place of.
    pub replaces: Option<ClientId>,
    /// Who asks.
    pub by: Username,
}

/// Decides that a client is made. It is known here before the identity provider makes it, so that
/// nothing that was cut off is forgotten.
///
/// # Errors
/// When the tenant is not active or has too many clients, or when the client to be replaced is
/// unknown, not made yet, or replaced already.
pub fn decide_client(
    state: &State,
    clients: &[MachineClient],
    wish: &ClientWish,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let tenant = &state.tenant;
    if tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    if let Some(old) = wish.replaces {
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
    let full = wish.replaces.is_none() && in_use >= CLIENTS_MAX;
    if full || clients.len() >= CLIENTS_KEPT_MAX {
        return Err(Refusal::TooManyClients);
    }
    let mut changes = ChangeSet::of(state);
    changes
        .members
        .push(MemberChange::Client(Box::new(MachineClient {
            id: wish.id,
            client_id: None,
            tenant: tenant.id,
            scopes: wish.scopes.clone(),
            created_at: context.now,
            replaces: wish.replaces,
            ends_at: None,
        })));
    let (action, target) = match wish.replaces {
        None => (AuditAction::CreateClient, wish.id),
        Some(old) => (AuditAction::RotateClient, old),
    };
    changes.note(
        Actor::User(wish.by),
        action,
        Some(target.to_string()),
        context,
    );
    Ok(changes)
}

/// Whether a client counts: one that is being made in the place of another does not, as long as
/// that one does.
fn is_in_use(client: &MachineClient, clients: &[MachineClient]) -> bool {
    let old = clients
        .iter()
        .find(|old| client.client_id.is_none() && Some(old.id) == client.replaces);
    client.ends_at.is_none() && old.is_none_or(|old| old.ends_at.is_some())
}

/// Decides that the identity provider has made a client. The one that it replaces ends in a day.
/// Nothing changes where the client is known to be made.
///
/// # Errors
/// When the client has been revoked meanwhile.
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

/// Decides that a client cannot be used from now on. The identity provider forgets it afterwards.
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

/// Decides that a client is forgotten here, since the identity provider has forgotten it.
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

/// What is over takes what signed in by the tenant's own provider along: only the tenant's clients
/// are left to end where it lives.
pub(crate) fn decide_clients_ended(state: &State) -> Option<ChangeSet> {
    let is_over = state.tenant.status == TenantStatus::Closed && state.tenant.federation.is_some();
    let mut changes = ChangeSet::of(state);
    changes.tenant.federation = None;
    is_over.then_some(changes)
}
