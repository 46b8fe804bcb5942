//! Tenants, and the one table of a tenant's life.

use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::closure::Closure;
use crate::policy::AppliedPolicy;
use crate::provisioning::Provisioning;
use crate::toolkit;
use crate::{Actor, AuditAction, Federation, Settings, Subdomains};
use catalogue::AlertThresholds;
use contract::{Envelope, Stream, TenantStatusChanged};
use kernel::{
    Alias, BillingAnchor, EventId, Generation, Language, PlanCode, RegionCode, SignupId,
    StatusReason, TenantId, TenantStatus, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A tenant, without anything personal but the subdomains that it chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    #[serde(rename = "tenant")]
    pub id: TenantId,
    /// Its random public subdomain.
    pub alias: Alias,
    /// The sign-up that made it.
    pub signup: SignupId,
    /// The plan that it is on.
    pub plan: PlanCode,
    /// What its people are addressed in.
    #[serde(default)]
    pub language: Language,
    /// When its days begin, from its sign-up on.
    #[serde(default)]
    pub billing_anchor: BillingAnchor,
    /// Which thresholds of usage it wants to be told, besides those of its plan.
    #[serde(default)]
    pub alert_thresholds: AlertThresholds,
    /// Where it is in its life.
    pub status: TenantStatus,
    /// When it became active: it is billed from the billing period on that this is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// Grows by one with every event about status or plan.
    pub version: u64,
    /// The optimistic lock: one higher with every change of anything.
    pub generation: Generation,
    /// What home wants of it, as far as this region knows.
    pub policy: AppliedPolicy,
    /// How many of its users are administrators.
    pub admins: u64,
    /// How many users it has.
    pub users: u64,
    /// How many of its invitations are open, or were when they ran out.
    pub invitations: u64,
    /// How far the application is with its resources; absent where nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
    /// The plan that its administrator asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_request: Option<PlanRequest>,
    /// How far its end is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure: Option<Closure>,
    /// By what its people sign in at its own identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
    /// Where its people had their accounts before it came to this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Realm>,
    /// Its readable subdomains, once it asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomains: Option<Subdomains>,
}

/// A user pool of the fleet, by the client that people use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realm {
    /// The region that it is in.
    pub region: RegionCode,
    /// The client.
    pub client_id: String,
}

/// A wish for another plan, which home decides on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The plan.
    pub plan: PlanCode,
    /// How many such wishes there were.
    pub revision: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

/// The circumstances of a decision, which come from outside: where, when, and the id of what it
/// states.
#[derive(Debug, Clone)]
pub struct Context {
    /// The region in which it is decided.
    pub region: RegionCode,
    /// The id of the event that may follow.
    pub event: EventId,
    /// The present moment.
    pub now: Timestamp,
}

impl Context {
    /// The id of another event that the same decision states.
    #[must_use]
    pub fn event_of(&self, what: &str) -> EventId {
        EventId::from_uuid(Uuid::new_v5(self.event.as_uuid(), what.as_bytes()))
    }
}

/// What can happen to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The application plane is asked for resources.
    Provision,
    /// The tenant becomes usable.
    Activate,
    /// The address was not confirmed, or the resources were not made, in time.
    Expire,
    /// Nobody may sign in any more, and nothing is lost.
    Suspend,
    /// A suspension ends.
    Reactivate,
    /// The grace period before the end begins.
    Close,
    /// The grace period is broken off.
    Reopen,
    /// The grace period of a suspended tenant is broken off: it is suspended still.
    Resuspend,
    /// The end.
    End,
    /// A move to another region begins.
    Relocate,
    /// A move is broken off.
    Return,
}

/// A tenant's life: from, what happens, to. What is not listed is refused.
pub const TRANSITIONS: [(TenantStatus, Change, TenantStatus); 15] = {
    use TenantStatus::{Active, Closed, Closing, Pending, Provisioning, Relocating, Suspended};
    [
        (Pending, Change::Provision, Provisioning),
        (Pending, Change::Activate, Active),
        (Pending, Change::Expire, Closed),
        (Provisioning, Change::Activate, Active),
        (Provisioning, Change::Expire, Closed),
        (Active, Change::Suspend, Suspended),
        (Suspended, Change::Reactivate, Active),
        (Active, Change::Close, Closing),
        (Suspended, Change::Close, Closing),
        (Closing, Change::Reopen, Active),
        (Closing, Change::Resuspend, Suspended),
        (Closing, Change::End, Closed),
        (Active, Change::Relocate, Relocating),
        (Relocating, Change::Return, Active),
        (Relocating, Change::End, Closed),
    ]
};

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tenant's life knows no such change.
    #[error("a tenant that is {status} does not take this change")]
    NotFromHere {
        /// The tenant's status.
        status: TenantStatus,
    },
    /// The catalogue does not have the plan.
    #[error("the plan is not in the catalogue")]
    UnknownPlan,
    /// The plan is in another currency, or needs resources of another tier.
    #[error("the plan cannot be changed to while the tenant lives")]
    OtherPlanKind,
    /// The tenant would be without an administrator.
    #[error("the tenant's last administrator stays")]
    LastAdmin,
    /// The tenant has as many users or invitations as it can have.
    #[error("the tenant has no room for more")]
    Full,
    /// The address belongs to a user of the tenant.
    #[error("the person is a user of the tenant")]
    AlreadyMember,
    /// There is no such invitation, or it is withdrawn, accepted or too old, or the code is another
    /// one's.
    #[error("the invitation does not hold")]
    NoInvitation,
    /// The code of a closure is not the one that was given.
    #[error("the code is wrong")]
    WrongCode,
    /// The tenant has no such client.
    #[error("the tenant has no such client")]
    NoClient,
    /// The client is not made yet, or is replaced or ended already.
    #[error("the client cannot be replaced")]
    ClientEnds,
    /// The tenant has as many clients as it can have.
    #[error("the tenant has too many clients")]
    TooManyClients,
    /// The account is not of the tenant's own identity provider.
    #[error("the account is not of the tenant's own identity provider")]
    NotFederated,
    /// The tenant's own identity provider does not say that the address is verified.
    #[error("the provider does not say that the address is verified")]
    UnverifiedAddress,
    /// An administrator has removed the person, and nobody has invited them since.
    #[error("the person was removed")]
    Barred,
    /// There is nothing that could be tried again.
    #[error("nothing has failed that could be repeated")]
    NothingToRetry,
}

/// Decides a change of status by the table; the caller adds what else follows from it.
///
/// # Errors
/// When the table has no such change from the tenant's status.
pub fn decide_change(
    state: &State,
    change: Change,
    reason: StatusReason,
    actor: Actor,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let from = state.tenant.status;
    let to = TRANSITIONS
        .iter()
        .find(|(status, on, _)| *status == from && *on == change)
        .map(|(_, _, to)| *to)
        .ok_or(Refusal::NotFromHere { status: from })?;
    let mut changes = ChangeSet::of(state);
    changes.tenant.status = to;
    if change == Change::Activate {
        changes.tenant.activated_at = Some(context.now);
    }
    changes.publish_status(reason, context);
    if settings.builder_toolkit {
        changes
            .events
            .extend(toolkit::of_change(&changes.tenant, change, context).map(TenantEvent::Toolkit));
    }
    changes.note(
        actor,
        AuditAction::ChangeStatus,
        Some(to.to_string()),
        context,
    );
    Ok(changes)
}

/// The event that a tenant now has its status and plan.
pub(crate) fn status_changed(
    tenant: &Tenant,
    reason: StatusReason,
    context: &Context,
) -> Envelope<TenantStatusChanged> {
    Envelope {
        id: context.event,
        region: context.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: tenant.version,
        occurred_at: context.now,
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
