//! The items of the regional table.
//!
//! | pk | sk | what |
//! |---|---|---|
//! | `SIGNUP#<id>` | `SIGNUP` | a sign-up and its steps |
//! | `KEY#<digest>` | `KEY` | the sign-up of an idempotency key |
//! | `TENANT#<id>` | `TENANT` | a tenant, with its organisation's name |
//! | `ALIAS#<subdomain>` | `ALIAS` | the tenant of an alias or a custom subdomain |
//! | `TENANT#<id>` | `USER#<username>` | a user, with name and address |
//! | `TENANT#<id>` | `INVITATION#<id>` | an open invitation, with the address |
//! | `USER#<username>` | `USER` | the tenant and role of a user |
//! | `USER#<username>` | `VOUCHER#<digest>` | Meridian has just requested the account |
//! | `INVITATION#<id>` | `INVITATION` | the tenant of an invitation |
//! | `EMAIL#<digest>` | `<username>` | the user of a proved address, and the tenant |
//! | `TENANT#<id>` | `CLIENT#<id>` | a machine client |
//! | `CLIENT#<client id of the user pool>` | `CLIENT` | the client by its id in tokens |
//! | `TENANT#<id>` | `PROVIDER` | the tenant's own identity provider |
//! | `TENANT#<id>` | `BLOCKED#<username>` | the user may not come back uninvited |
//! | `TENANT#<id>` | `AUDIT#<13-digit ms>#<id>` | an entry of the tenant's audit trail |
//! | `DUE#<shard>` | `<13-digit ms>#<kind>#<tenant>` | a scheduled task of a tenant |
//! | `LIMIT#<digest>` | `<window's start>` | the marks that a rate limit counted in a window |
//! | `LIMIT#<digest>` | `BEGAN` | the start of something that may be reported more than once |
//! | `ERASURE#<tenant>` | `ERASURE` | the record of a closed tenant's erasure |
//! | `STATS#<shard>` | `REGION` | the number of tenants in each status |
//!
//! Personal data of a tenant is in the tenant's own partition only, so that credentials narrowed to
//! the partition read no other tenant's.
//!
//! `usage-store` reads a few attributes of `TENANT` and `CLIENT` items without depending on this
//! crate: see its `terms` module. The tests of this crate write such items and read them through
//! it.

use crate::TenantStoreError;
use crate::read::Membership;
use crate::resolve::RegionAddress;
use dynamo::{AttributeValue, Item, Shards, key, number, text};
use kernel::{Alias, InvitationId, Role, SignupId, TenantId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenancy::{
    Actor, AuditEntry, ClientId, Consent, EmailAddress, Invitation, KeyDigest, Origin, OwedMail,
    ScheduledTask, SignUp, User, Username, Voucher,
};

/// The items that hold the tenant counts: enough that concurrent sign-ups do not contend for one,
/// few enough for one `BatchGetItem`.
pub(crate) const STATS_SHARDS: Shards = Shards::new(32);
/// The partitions of scheduled tasks.
pub(crate) const DUE_SHARDS: Shards = Shards::new(8);
/// The retention of audit entries, in seconds.
const AUDIT_KEPT_S: i64 = 400 * 86_400;
/// How long an expired invitation stays in the table, in seconds. Nobody can use it any more.
const INVITATION_KEPT_S: i64 = 86_400;

pub(crate) const USER_PREFIX: &str = "USER#";
pub(crate) const INVITATION_PREFIX: &str = "INVITATION#";
pub(crate) const CLIENT_PREFIX: &str = "CLIENT#";
pub(crate) const BLOCKED_PREFIX: &str = "BLOCKED#";
pub(crate) const AUDIT_PREFIX: &str = "AUDIT#";

pub(crate) fn signup_key(id: SignupId) -> Item {
    key(format!("SIGNUP#{id}"), "SIGNUP")
}

pub(crate) fn idempotency_key(digest: &KeyDigest) -> Item {
    key(format!("KEY#{}", digest.as_str()), "KEY")
}

pub(crate) fn tenant_key(id: TenantId) -> Item {
    key(tenant_partition(id), "TENANT")
}

pub(crate) fn tenant_partition(id: TenantId) -> String {
    format!("TENANT#{id}")
}

pub(crate) fn alias_key(alias: &Alias) -> Item {
    subdomain_key(alias.as_str())
}

/// The key of a subdomain: an alias or a custom subdomain.
pub(crate) fn subdomain_key(subdomain: &str) -> Item {
    key(format!("ALIAS#{subdomain}"), "ALIAS")
}

/// The key of the item that leads from a user to the tenant.
pub(crate) fn membership_key(username: Username) -> Item {
    key(format!("USER#{username}"), "USER")
}

/// The key of a voucher for an account.
pub(crate) fn voucher_key(username: Username, voucher: &Voucher) -> Item {
    key(
        format!("USER#{username}"),
        format!("VOUCHER#{}", voucher.digest().as_str()),
    )
}

/// The key of the item that leads from an address to a user.
pub(crate) fn address_key(email: &EmailAddress, username: Username) -> Item {
    key(address_partition(email), username.to_string())
}

pub(crate) fn address_partition(email: &EmailAddress) -> String {
    format!("EMAIL#{}", KeyDigest::of("address", &email.key()).as_str())
}

pub(crate) fn user_key(tenant: TenantId, username: Username) -> Item {
    key(tenant_partition(tenant), format!("{USER_PREFIX}{username}"))
}

/// The key of the item that leads from an invitation to the tenant.
pub(crate) fn invitee_key(id: InvitationId) -> Item {
    key(format!("INVITATION#{id}"), "INVITATION")
}

pub(crate) fn invitation_key(tenant: TenantId, id: InvitationId) -> Item {
    key(tenant_partition(tenant), format!("{INVITATION_PREFIX}{id}"))
}

/// The key of a client by its id at the identity provider.
pub(crate) fn token_client_key(client_id: &str) -> Item {
    key(format!("{CLIENT_PREFIX}{client_id}"), "CLIENT")
}

pub(crate) fn client_key(tenant: TenantId, id: ClientId) -> Item {
    key(tenant_partition(tenant), format!("{CLIENT_PREFIX}{id}"))
}

pub(crate) fn provider_key(tenant: TenantId) -> Item {
    key(tenant_partition(tenant), "PROVIDER")
}

pub(crate) fn blocked_key(tenant: TenantId, username: Username) -> Item {
    key(
        tenant_partition(tenant),
        format!("{BLOCKED_PREFIX}{username}"),
    )
}

pub(crate) fn limit_key(digest: &KeyDigest, window_start_s: i64) -> Item {
    key(
        format!("LIMIT#{}", digest.as_str()),
        window_start_s.to_string(),
    )
}

/// The key of the moment when something began.
pub(crate) fn began_key(digest: &KeyDigest) -> Item {
    key(format!("LIMIT#{}", digest.as_str()), "BEGAN")
}

pub(crate) fn erasure_key(tenant: TenantId) -> Item {
    key(format!("ERASURE#{tenant}"), "ERASURE")
}

pub(crate) fn due_key(due: &ScheduledTask) -> Item {
    let sort = format!(
        "{}#{}#{}",
        milliseconds(due.at),
        due.kind.as_str(),
        due.tenant
    );
    key(due_partition(DUE_SHARDS.of(due.tenant.as_uuid())), sort)
}

pub(crate) fn due_partition(shard: u8) -> String {
    format!("DUE#{shard}")
}

pub(crate) fn stats_key(shard: u8) -> Item {
    key(format!("STATS#{shard}"), "REGION")
}

/// A moment in 13 digits, so that keys sort by time.
pub(crate) fn milliseconds(at: Timestamp) -> String {
    format!("{:013}", at.as_millisecond().max(0))
}

/// Encodes a value as an attribute.
pub(crate) fn attribute(value: &impl Serialize) -> Result<AttributeValue, TenantStoreError> {
    dynamo::to_value(value).map_err(TenantStoreError::unwritable)
}

/// Builds an item from a key and a value.
pub(crate) fn item(key: Item, stored: &impl Serialize) -> Result<Item, TenantStoreError> {
    dynamo::to_item(key, stored).map_err(TenantStoreError::unwritable)
}

/// Decodes an item. The parser's message is dropped: it may quote the item.
pub(crate) fn stored<T: DeserializeOwned>(
    item: Item,
    entity: &'static str,
) -> Result<T, TenantStoreError> {
    dynamo::from_item(item).map_err(|_| TenantStoreError::Malformed { entity })
}

/// The tenant of a subdomain.
#[derive(Serialize, Deserialize)]
pub(crate) struct AliasRow {
    pub(crate) tenant: TenantId,
    /// The version of the tenant from which on the subdomain leads to it; absent before activation
    /// and after closing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) routed_since_version: Option<u64>,
    /// The region to which the tenant has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moved: Option<RegionAddress>,
}

impl AliasRow {
    /// The row of a tenant that nobody can sign in to yet.
    pub(crate) const fn of(tenant: TenantId) -> Self {
        Self {
            tenant,
            routed_since_version: None,
            moved: None,
        }
    }
}

/// The item of a new tenant: the only item with the organisation's name.
pub(crate) fn tenant_item(made: &SignUp) -> Result<Item, TenantStoreError> {
    let mut item = item(tenant_key(made.tenant.id), &made.tenant)?;
    item.insert("organisation".to_owned(), text(made.organisation.expose()));
    Ok(item)
}

/// A stored user, with all personal data that Meridian has of one.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserRow {
    username: Username,
    tenant: TenantId,
    role: Role,
    name: String,
    email: String,
    origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    consents: Vec<Consent>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            username: user.username,
            tenant: user.tenant,
            role: user.role,
            name: user.name.expose().to_owned(),
            email: user.email.expose().to_owned(),
            origin: user.origin.clone(),
            account: user
                .account
                .as_ref()
                .map(|account| account.expose().to_owned()),
            consents: user.consents.clone(),
            created_at: user.created_at,
            confirmed_at: user.confirmed_at,
        }
    }
}

/// The item of a user.
pub(crate) fn user_item(user: &User) -> Result<Item, TenantStoreError> {
    item(user_key(user.tenant, user.username), &UserRow::from(user))
}

/// The item that leads from a user to the tenant. Nothing personal.
pub(crate) fn membership_item(user: &User) -> Result<Item, TenantStoreError> {
    let membership = Membership {
        tenant: user.tenant,
        origin: user.origin.clone(),
        role: user.role,
        confirmed_at: user.confirmed_at,
    };
    item(membership_key(user.username), &membership)
}

/// The item that leads from an address to a user.
pub(crate) fn address_item(user: &User) -> Result<Item, TenantStoreError> {
    item(
        address_key(&user.email, user.username),
        &Addressee {
            tenant: user.tenant,
        },
    )
}

/// The tenant of a user that an address leads to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Addressee {
    pub(crate) tenant: TenantId,
}

pub(crate) fn user(item: Item) -> Result<User, TenantStoreError> {
    let malformed = |_| TenantStoreError::Malformed { entity: "user" };
    let row: UserRow = stored(item, "user")?;
    Ok(User {
        username: row.username,
        tenant: row.tenant,
        role: row.role,
        name: row.name.parse().map_err(malformed)?,
        email: row.email.parse().map_err(malformed)?,
        origin: row.origin,
        account: row
            .account
            .map(|name| name.parse())
            .transpose()
            .map_err(malformed)?,
        consents: row.consents,
        created_at: row.created_at,
        confirmed_at: row.confirmed_at,
    })
}

#[derive(Serialize, Deserialize)]
struct InvitationRow {
    invitation: InvitationId,
    tenant: TenantId,
    email: String,
    role: Role,
    code: KeyDigest,
    invited_by: Actor,
    created_at: Timestamp,
    valid_until: Timestamp,
    sendings: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed: Option<OwedMail>,
    expires_at: i64,
}

/// The item of an invitation.
pub(crate) fn invitation_item(invitation: &Invitation) -> Result<Item, TenantStoreError> {
    let row = InvitationRow {
        invitation: invitation.id,
        tenant: invitation.tenant,
        email: invitation.email.expose().to_owned(),
        role: invitation.role,
        code: invitation.code.clone(),
        invited_by: invitation.invited_by,
        created_at: invitation.created_at,
        valid_until: invitation.valid_until,
        sendings: invitation.sendings,
        owed: invitation.owed.clone(),
        expires_at: invitation_expiry(invitation),
    };
    item(invitation_key(invitation.tenant, invitation.id), &row)
}

/// The item that leads from an invitation to the tenant.
pub(crate) fn invitee_item(invitation: &Invitation) -> Result<Item, TenantStoreError> {
    let row = Invitee {
        tenant: invitation.tenant,
        expires_at: invitation_expiry(invitation),
    };
    item(invitee_key(invitation.id), &row)
}

/// The tenant that an invitation is to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Invitee {
    pub(crate) tenant: TenantId,
    expires_at: i64,
}

/// When the table may delete an invitation, in epoch seconds.
fn invitation_expiry(invitation: &Invitation) -> i64 {
    invitation.valid_until.as_second() + INVITATION_KEPT_S
}

pub(crate) fn invitation(item: Item) -> Result<Invitation, TenantStoreError> {
    let row: InvitationRow = stored(item, "invitation")?;
    Ok(Invitation {
        id: row.invitation,
        tenant: row.tenant,
        email: row.email.parse().map_err(|_| TenantStoreError::Malformed {
            entity: "invitation",
        })?,
        role: row.role,
        code: row.code,
        invited_by: row.invited_by,
        created_at: row.created_at,
        valid_until: row.valid_until,
        sendings: row.sendings,
        owed: row.owed,
    })
}

/// The item of an audit entry.
pub(crate) fn audit_item(tenant: TenantId, entry: &AuditEntry) -> Result<Item, TenantStoreError> {
    let sort = format!("{AUDIT_PREFIX}{}#{}", milliseconds(entry.at), entry.id);
    let mut item = item(key(tenant_partition(tenant), sort), entry)?;
    item.insert(
        "expires_at".to_owned(),
        number(entry.at.as_second() + AUDIT_KEPT_S),
    );
    Ok(item)
}
