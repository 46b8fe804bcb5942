//! Writing. State, its counts and the events that tell of it are one transaction.

use crate::rows;
use crate::{Remembered, TenantReader, TenantStoreError};
use dynamo::{Attempts, CONTENTION, Error};
use kernel::{InvitationId, SignupId, TenantId};
use outbox::Outbox;
use serde::Serialize;
use tenancy::{
    ChangeSet, Fingerprint, Invitation, KeyDigest, MachineClient, Refusal, SignUp, State, User,
    Username,
};

/// How long an idempotency key is remembered.
const KEY_REMEMBERED_S: i64 = 7 * 24 * 60 * 60;

/// The tenants of a region, with the outbox that tells of their changes.
#[derive(Debug, Clone)]
pub struct TenantStore {
    pub(crate) reader: TenantReader,
    pub(crate) outbox: Outbox,
}

/// What came of storing a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is stored.
    Stored,
    /// Another request with the same key came first. Nothing was written.
    Repeated(Remembered),
}

/// What a decision reads besides the tenant. It is read after the tenant, which guards it all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether the sign-up that made the tenant is read.
    pub signup: bool,
    /// A user.
    pub user: Option<Username>,
    /// An invitation.
    pub invitation: Option<InvitationId>,
    /// Whether the machine clients are read.
    pub clients: bool,
    /// A user of whom it is asked whether an administrator has removed them.
    pub blocked: Option<Username>,
}

impl LoadOptions {
    /// The tenant alone.
    pub const TENANT: Self = Self {
        signup: false,
        user: None,
        invitation: None,
        clients: false,
        blocked: None,
    };
    /// The tenant with its sign-up.
    pub const SIGNUP: Self = Self {
        signup: true,
        ..Self::TENANT
    };
    /// The tenant with its machine clients.
    pub const CLIENTS: Self = Self {
        clients: true,
        ..Self::TENANT
    };
}

/// What a decision is made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantView {
    /// The tenant, and its sign-up where that is within options.
    pub state: State,
    /// The user within reach, if it belongs to this tenant.
    pub user: Option<User>,
    /// The invitation within reach, if it is one to this tenant.
    pub invitation: Option<Invitation>,
    /// The machine clients, where they are within options.
    pub clients: Vec<MachineClient>,
    /// Whether the user that was asked for may not come back uninvited.
    pub is_blocked: bool,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    signup: SignupId,
    fingerprint: &'a Fingerprint,
    expires_at: i64,
}

impl TenantStore {
    /// The tenants in a table, with the outbox beside it.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String, outbox: Outbox) -> Self {
        Self {
            reader: TenantReader::new(config, table),
            outbox,
        }
    }

    /// Reads of the same table.
    #[must_use]
    pub const fn reader(&self) -> &TenantReader {
        &self.reader
    }

    /// Stores all that a sign-up creates, unless a request with the same key did so before.
    ///
    /// # Errors
    /// When the table fails, or the alias is taken; then nothing was written.
    pub async fn register(
        &self,
        made: &SignUp,
        key: &KeyDigest,
        fingerprint: &Fingerprint,
    ) -> Result<Registered, TenantStoreError> {
        const ACTION: &str = "store a registration";
        const KEY: usize = 0;
        const ALIAS: usize = 1;
        let SignUp {
            signup,
            tenant,
            user,
            ..
        } = made;
        let expires_at = signup.registered_at.as_second() + KEY_REMEMBERED_S;
        let mut writes = vec![
            self.insert(rows::item(
                rows::idempotency_key(key),
                &KeyRow {
                    signup: signup.id,
                    fingerprint,
                    expires_at,
                },
            )?),
            self.insert(rows::item(
                rows::alias_key(&tenant.alias),
                &rows::AliasRow::of(tenant.id),
            )?),
            self.insert(rows::item(rows::signup_key(signup.id), signup)?),
            self.insert(rows::tenant_item(made)?),
            self.put(rows::audit_item(tenant.id, &made.audit)?),
            self.put(rows::item(rows::due_key(&made.due), &made.due)?),
            self.count(tenant.id, None, tenant.status),
        ];
        writes.extend(self.join(user)?);
        for event in &made.events {
            writes.push(self.state(event)?);
        }
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let lost = match self.reader.table.transact(writes.clone()).await {
                Ok(()) => return Ok(Registered::Stored),
                Err(error) => error,
            };
            let failed =
                |place| matches!(&lost, Error::ConditionFailed(places) if places.contains(&place));
            if failed(KEY) {
                // Gone only if it expired in between: then the next attempt can have it.
                if let Some(first) = self.reader.load_remembered(key).await? {
                    return Ok(Registered::Repeated(first));
                }
            } else if failed(ALIAS) {
                return Err(TenantStoreError::AliasTaken);
            }
            attempts
                .again(lost)
                .await
                .map_err(TenantStoreError::of(ACTION))?;
        }
    }

    /// Reads a tenant, decides on it, and stores the changes on condition that the tenant is still
    /// the one that was decided on; decides anew where it is not. Nothing is written where there is
    /// no changes.
    ///
    /// Returns the tenant and its sign-up as they are from now on.
    ///
    /// # Errors
    /// When the tenant is unknown, the decision refuses, or the table fails.
    pub async fn change(
        &self,
        tenant: TenantId,
        options: LoadOptions,
        decide: impl Fn(&TenantView) -> Result<Option<ChangeSet>, Refusal>,
    ) -> Result<State, TenantStoreError> {
        const ACTION: &str = "change a tenant";
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let loaded = self.load(tenant, options).await?;
            let Some(changes) = decide(&loaded).map_err(TenantStoreError::Refused)? else {
                return Ok(loaded.state);
            };
            let mut writes = self.writes(&changes)?;
            writes.extend(self.find_by_address(&changes).await?);
            match self.reader.table.transact(writes).await {
                Ok(()) => {
                    let signup = changes.signup.or(loaded.state.signup);
                    return Ok(State {
                        tenant: changes.tenant,
                        signup,
                    });
                }
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(TenantStoreError::of(ACTION))?,
            }
        }
    }

    /// Reads what a decision is made on.
    ///
    /// # Errors
    /// When the tenant is unknown, or the table fails.
    pub async fn load(
        &self,
        tenant: TenantId,
        options: LoadOptions,
    ) -> Result<TenantView, TenantStoreError> {
        let reader = &self.reader;
        let tenant = reader
            .load_tenant(tenant)
            .await?
            .ok_or(TenantStoreError::UnknownTenant)?;
        let signup = match options.signup {
            true => reader.load_signup(tenant.signup).await?,
            false => None,
        };
        let user = match options.user {
            Some(username) => reader.load_user_of(tenant.id, username).await?,
            None => None,
        };
        let invitation = match options.invitation {
            Some(id) => reader.load_invitation_to(tenant.id, id).await?,
            None => None,
        };
        let clients = match options.clients {
            true => reader.load_clients(tenant.id).await?,
            false => Vec::new(),
        };
        let is_blocked = match options.blocked {
            Some(username) => reader.is_blocked(tenant.id, username).await?,
            None => false,
        };
        Ok(TenantView {
            state: State { tenant, signup },
            user,
            invitation,
            clients,
            is_blocked,
        })
    }
}
