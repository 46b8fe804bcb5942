//! Federated sign-in: people of a tenant sign in at the tenant's own identity provider.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, MemberChange, State};
use crate::invitation::USERS_MAX;
use crate::personal::personal;
use crate::personal::{EmailAddress, PersonName};
use crate::tenant::{Context, Refusal};
use crate::user::{Origin, User, Username};
use kernel::{Alias, Invalid, Role, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The prefix of a tenant's alias in the name of its provider.
const PREFIX: &str = "oidc-";

/// The name of a tenant's own identity provider in the user pool, derived from the tenant's alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderName(String);

impl ProviderName {
    /// The provider of the tenant with this alias.
    #[must_use]
    pub fn of(alias: &Alias) -> Self {
        Self(format!("{PREFIX}{alias}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user pool's client and provider for a tenant that has its own provider. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    /// The user pool's client for this tenant. It accepts no other provider.
    pub client_id: String,
    /// The name of the provider in the user pool.
    pub identity_provider: ProviderName,
    /// Whether an address is accepted although the provider does not report it as verified.
    #[serde(default)]
    pub trusts_unverified_email: bool,
}

impl Federation {
    /// Whether an address is accepted, given whether the provider reports it as verified.
    #[must_use]
    pub const fn takes_address(&self, is_verified: bool) -> bool {
        is_verified || self.trusts_unverified_email
    }
}

/// The address of an OpenID provider. It may reveal who the tenant is.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer(String);
personal!(Issuer);

impl Issuer {
    const LENGTH_MAX: usize = 200;

    /// Parses an `https` address without user, query and fragment (OpenID Connect Discovery 1.0,
    /// section 3). With `with_loopback`, an `http` address of this machine is accepted too.
    ///
    /// # Errors
    /// When the text is not such an address.
    pub fn parse(text: &str, with_loopback: bool) -> Result<Self, Invalid> {
        let rule = "an address such as https://login.example.com, of at most 200 characters, without a query";
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/%".contains(&b));
        let of_scheme = |scheme| {
            text.strip_prefix(scheme)
                .map(|rest| rest.split(['/', ':']).next().unwrap_or_default())
        };
        let local = of_scheme("http://")
            .filter(|host| with_loopback && matches!(*host, "127.0.0.1" | "localhost"));
        let valid = of_scheme("https://").or(local).is_some_and(is_host)
            && plain
            && text.len() <= Self::LENGTH_MAX;
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "issuer",
                rule,
            })
        }
    }
}

fn is_host(host: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !host.is_empty()
        && host
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(inner))
}

/// Meridian's client id at a provider. It may reveal who the tenant is.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderClientId(String);
personal!(ProviderClientId);

impl FromStr for ProviderClientId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        visible(text).map(Self).ok_or(Invalid {
            kind: "client_id",
            rule: "1 to 256 visible ASCII characters",
        })
    }
}

/// Meridian's secret at a provider. It is passed to the user pool and stored nowhere else.
#[derive(Clone)]
pub struct ProviderSecret(String);
personal!(ProviderSecret);

impl FromStr for ProviderSecret {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        visible(text).map(Self).ok_or(Invalid {
            kind: "client_secret",
            rule: "1 to 256 visible ASCII characters",
        })
    }
}

fn visible(text: &str) -> Option<String> {
    let valid = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    valid.then(|| text.to_owned())
}

/// The user pool's name of an account at a tenant's provider: `<provider>_<subject>`. The subject
/// may be an e-mail address.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountName(String);
personal!(AccountName);

impl AccountName {
    /// The longest name that Amazon Cognito accepts.
    const LENGTH_MAX: usize = 128;

    /// The alias of the tenant that the provider belongs to.
    #[must_use]
    pub fn alias(&self) -> Option<Alias> {
        self.0.strip_prefix(PREFIX)?.split('_').next()?.parse().ok()
    }
}

impl FromStr for AccountName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "account",
            rule: "the name of an account of a tenant's own provider",
        };
        let (provider, subject) = text.split_once('_').ok_or(invalid)?;
        let valid = provider.starts_with(PREFIX)
            && !subject.is_empty()
            && text.chars().count() <= Self::LENGTH_MAX;
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid)
        }
    }
}

/// A tenant's own identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The tenant.
    pub tenant: TenantId,
    /// The name of the provider in the user pool.
    pub name: ProviderName,
    /// The address of the provider.
    pub issuer: Issuer,
    /// Meridian's client id at the provider.
    pub client_id: ProviderClientId,
    /// Whether an address is accepted although the provider does not report it as verified.
    pub trusts_unverified_email: bool,
    /// When it was last set.
    pub changed_at: Timestamp,
}

/// Sets the tenant's own provider. It can be used once the user pool has it.
///
/// # Errors
/// When the tenant is not active.
pub fn decide_provider(
    state: &State,
    provider: &IdentityProvider,
    by: Username,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    if state.tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: state.tenant.status,
        });
    }
    let mut changes = ChangeSet::of(state);
    // The setting takes effect at once. The client in the user pool does not depend on it.
    if let Some(federation) = changes.tenant.federation.as_mut() {
        federation.trusts_unverified_email = provider.trusts_unverified_email;
    }
    changes
        .members
        .push(MemberChange::Provider(Box::new(provider.clone())));
    changes.note(
        Actor::User(by),
        AuditAction::SetIdentityProvider,
        None,
        context,
    );
    Ok(changes)
}

/// Records that the user pool has the provider and a client for it. `None` if that is recorded
/// already.
#[must_use]
pub fn decide_federation(state: &State, federation: &Federation) -> Option<ChangeSet> {
    let mut changes = ChangeSet::of(state);
    changes.tenant.federation = Some(federation.clone());
    state.tenant.federation.is_none().then_some(changes)
}

/// Ends sign-in by the tenant's own provider. It is deleted from the user pool afterwards.
#[must_use]
pub fn decide_federation_end(state: &State, by: Username, context: &Context) -> Option<ChangeSet> {
    let mut changes = ChangeSet::of(state);
    changes.tenant.federation = None;
    changes.note(
        Actor::User(by),
        AuditAction::RemoveIdentityProvider,
        None,
        context,
    );
    state.tenant.federation.is_some().then_some(changes)
}

/// Deletes the provider after the user pool has deleted it.
#[must_use]
pub fn decide_provider_forgotten(state: &State) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    changes.members.push(MemberChange::NoProvider);
    changes
}

/// A person with an account at the tenant's own provider. Personal.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The account.
    pub account: AccountName,
    /// The address as the provider reports it.
    pub email: EmailAddress,
    /// Whether the provider reports the address as verified.
    pub is_verified: bool,
}

/// The stored conditions on which a newcomer may join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinConditions {
    /// The person is a user of the tenant.
    pub is_member: bool,
    /// An administrator has removed the person.
    pub is_blocked: bool,
    /// There is an open invitation to the person's address.
    pub is_invited: bool,
}

/// Lets a person with an account at the tenant's own provider join as a member. `None` for a user
/// of the tenant, whose role stays. A person whom an administrator removed needs an invitation to
/// come back.
///
/// # Errors
/// When the tenant is not active, has another provider, or is full; when the address is not
/// verified and the tenant requires that; or when the person was removed and not invited.
pub fn decide_newcomer(
    state: &State,
    newcomer: &Newcomer,
    conditions: JoinConditions,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let tenant = &state.tenant;
    let is_of_provider = newcomer.account.alias().as_ref() == Some(&tenant.alias);
    let suspended = tenant.policy.suspension.is_some();
    let Some(federation) = tenant.federation.as_ref().filter(|_| is_of_provider) else {
        return Err(Refusal::NotFederated);
    };
    if tenant.status != TenantStatus::Active || suspended {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    if !federation.takes_address(newcomer.is_verified) {
        return Err(Refusal::UnverifiedAddress);
    }
    if conditions.is_member {
        return Ok(None);
    }
    if conditions.is_blocked && !conditions.is_invited {
        return Err(Refusal::Barred);
    }
    if tenant.users >= USERS_MAX {
        return Err(Refusal::Full);
    }
    let username = Username::of_account(newcomer.account.expose());
    let mut changes = ChangeSet::of(state);
    changes.tenant.users += 1;
    changes.members.push(MemberChange::Join(Box::new(User {
        username,
        tenant: tenant.id,
        role: Role::Member,
        name: PersonName::of_address(&newcomer.email),
        email: newcomer.email.clone(),
        origin: Origin::Federation,
        account: Some(newcomer.account.clone()),
        consents: Vec::new(),
        created_at: context.now,
        confirmed_at: Some(context.now),
    })));
    if conditions.is_blocked {
        changes.members.push(MemberChange::Unblock(username));
    }
    changes.note(
        Actor::User(username),
        AuditAction::JoinByProvider,
        Some(username.to_string()),
        context,
    );
    Ok(Some(changes))
}
