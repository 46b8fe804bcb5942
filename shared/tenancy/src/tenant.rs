//! Tenants and users, and the one table of a tenant's life.

use crate::policy::AppliedPolicy;
use crate::{EmailAddress, PersonName};
use contract::{Envelope, Stream, TenantStatusChanged};
use kernel::{Alias, EventId, PlanCode, RegionCode, Role, SignupId, StatusReason, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A tenant, without anything personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    #[serde(rename = "tenant")]
    pub id: TenantId,
    /// Its random public label.
    pub alias: Alias,
    /// The plan that it is on.
    pub plan: PlanCode,
    /// Where it is in its life.
    pub status: TenantStatus,
    /// Grows by one with every change of status.
    pub version: u64,
    /// What home wants of it, as far as this region knows.
    pub policy: AppliedPolicy,
}

/// The name by which the identity provider knows a user: a function of the tenant's alias and the
/// user's address, so that a sign-in page needs no look-up, and one person can be in several tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Username(Uuid);

impl Username {
    /// UUID version 5 (RFC 9562) of `meridian:user:<alias>:<lower-case address>` in the namespace of URLs.
    #[must_use]
    pub fn of(alias: &Alias, email: &EmailAddress) -> Self {
        let name = format!("meridian:user:{alias}:{}", email.key());
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Username {
    type Err = kernel::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = Uuid::try_parse(text).map_err(|_| kernel::Invalid { kind: "username", rule: "a UUID" })?;
        Ok(Self(uuid))
    }
}

/// A user of a tenant. Personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name by which the identity provider knows the user.
    pub username: Username,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// The sign-up that the user came by.
    pub signup: SignupId,
    /// What the user may do.
    pub role: Role,
    /// The person's name.
    pub name: PersonName,
    /// The person's address.
    pub email: EmailAddress,
}

/// The circumstances of a decision, which come from outside: where, when, and the id of what it states.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The region in which it is decided.
    pub region: RegionCode,
    /// The id of the fact that may follow.
    pub event: EventId,
    /// The present moment.
    pub now: Timestamp,
}

/// What can happen to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The application plane is asked for resources.
    Provision,
    /// The tenant becomes usable.
    Activate,
    /// Nobody may sign in any more, and nothing is lost.
    Suspend,
    /// A suspension ends.
    Reactivate,
    /// The grace period before the end begins.
    Close,
    /// The grace period is broken off.
    Reopen,
    /// The end.
    End,
    /// A move to another region begins.
    Relocate,
    /// A move is broken off.
    Return,
}

/// A tenant's life: from, what happens, to. What is not listed is refused.
pub const TRANSITIONS: [(TenantStatus, Change, TenantStatus); 12] = {
    use TenantStatus::{Active, Closed, Closing, Pending, Provisioning, Relocating, Suspended};
    [
        (Pending, Change::Provision, Provisioning),
        (Pending, Change::Activate, Active),
        (Provisioning, Change::Activate, Active),
        (Active, Change::Suspend, Suspended),
        (Suspended, Change::Reactivate, Active),
        (Active, Change::Close, Closing),
        (Suspended, Change::Close, Closing),
        (Closing, Change::Reopen, Active),
        (Closing, Change::End, Closed),
        (Active, Change::Relocate, Relocating),
        (Relocating, Change::Return, Active),
        (Relocating, Change::End, Closed),
    ]
};

/// A change of a tenant's status, to be stored on condition that the tenant is still at `from_version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The tenant.
    pub tenant: TenantId,
    /// The version that the decision was made on.
    pub from_version: u64,
    /// The status before.
    pub from: TenantStatus,
    /// The status after.
    pub to: TenantStatus,
    /// The one fact that tells of it.
    pub fact: Envelope<TenantStatusChanged>,
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tenant's life knows no such change.
    #[error("a tenant that is {status} does not take this change")]
    NotFromHere {
        /// The tenant's status.
        status: TenantStatus,
    },
}

/// Decides a change by the table.
///
/// # Errors
/// When the table has no such change from the tenant's status.
pub fn decide_change(
    tenant: &Tenant,
    change: Change,
    reason: StatusReason,
    occasion: &Occasion,
) -> Result<Transition, Refusal> {
    let to = TRANSITIONS
        .iter()
        .find(|(from, on, _)| *from == tenant.status && *on == change)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::NotFromHere { status: tenant.status })?;
    let changed = Tenant { status: to, version: tenant.version + 1, ..tenant.clone() };
    Ok(Transition {
        tenant: tenant.id,
        from_version: tenant.version,
        from: tenant.status,
        to,
        fact: status_changed(&changed, reason, occasion),
    })
}

/// Decides what the administrator's confirmed address changes: a pending tenant becomes active, and one
/// that has been confirmed before stays as it is.
///
/// # Errors
/// When the tenant is closed.
pub fn decide_confirmation(tenant: &Tenant, occasion: &Occasion) -> Result<Option<Transition>, Refusal> {
    match tenant.status {
        TenantStatus::Pending => decide_change(tenant, Change::Activate, StatusReason::Confirmed, occasion).map(Some),
        TenantStatus::Closed => Err(Refusal::NotFromHere { status: tenant.status }),
        TenantStatus::Provisioning
        | TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => Ok(None),
    }
}

/// The fact that a tenant now has its status.
pub(crate) fn status_changed(
    tenant: &Tenant,
    reason: StatusReason,
    occasion: &Occasion,
) -> Envelope<TenantStatusChanged> {
    Envelope {
        id: occasion.event,
        region: occasion.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: tenant.version,
        occurred_at: occasion.now,
        data: TenantStatusChanged {
            tenant: tenant.id,
            alias: tenant.alias.clone(),
            plan: tenant.plan.clone(),
            status: tenant.status,
            reason,
            revision: tenant.version,
        },
    }
}
