//! Writes. A change, its counts and its events are one transaction.

use crate::TenantStoreError;
use crate::read::{Remembered, TenantReader};
use crate::rows;
use dynamo::{Attempts, CONTENTION, Error};
use kernel::{InvitationId, SignupId, TenantId};
use outbox::Outbox;
use serde::Serialize;
use tenancy::{
    ChangeSet, Fingerprint, Invitation, KeyDigest, MachineClient, Refusal, SignUp, State, User,
    Username,
};

/// The retention of idempotency keys, in seconds.
const KEY_REMEMBERED_S: i64 = 7 * 24 * 60 * 60;

/// The tenants of a region, with the outbox that publishes their changes.
#[derive(Debug, Clone)]
pub struct TenantStore {
    pub(crate) reader: TenantReader,
    pub(crate) outbox: Outbox,
}

/// The result of storing a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Stored.
    Stored,
    /// Another request with the same key came first. Nothing was written.
    Repeated(Remembered),
}

/// The items that a decision needs besides the tenant. They are read after the tenant, whose
/// generation guards them all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether to load the tenant's sign-up.
    pub signup: bool,
    /// A user to load.
    pub user: Option<Username>,
    /// An invitation to load.
    pub invitation: Option<InvitationId>,
    /// Whether to load the machine clients.
    pub clients: bool,
    /// A user for whom to check whether an administrator has blocked them.
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

/// The input of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantView {
    /// The tenant, and its sign-up if the options load it.
    pub state: State,
    /// The user of the options, if it belongs to this tenant.
    pub user: Option<User>,
    /// The invitation of the options, if it belongs to this tenant.
    pub invitation: Option<Invitation>,
    /// The machine clients, if the options load them.
    pub clients: Vec<MachineClient>,
    /// Whether the user of [`LoadOptions::blocked`] may not come back uninvited.
    pub is_blocked: bool,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    signup: SignupId,
    fingerprint: &'a Fingerprint,
    expires_at: i64,
}

impl TenantStore {
    /// Stores tenants in a table, and their events in the outbox.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String, outbox: Outbox) -> Self {
        Self {
            reader: TenantReader::new(config, table),
            outbox,
        }
    }

    /// The reader of the same table.
    #[must_use]
    pub const fn reader(&self) -> &TenantReader {
        &self.reader
    }

    /// Stores everything that a sign-up creates, unless an earlier request had the same key.
    ///
    /// # Errors
    /// When the table fails, or the alias is taken. Nothing was written then.
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
            writes.push(self.publish(event)?);
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
                // A missing row expired in between; the next attempt can take the key.
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

    /// Loads a tenant, decides, and stores the change set on condition that the tenant's generation
    /// is still the one that was read; starts over where it is not. Writes nothing where the
    /// decision has no change set.
    ///
    /// Returns the tenant and its sign-up after the change.
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

    /// Loads the input of a decision.
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
