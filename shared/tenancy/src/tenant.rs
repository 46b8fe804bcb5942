//! Tenants, and the table of their status transitions.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::closure::Closure;
use crate::federation::Federation;
use crate::policy::AppliedPolicy;
use crate::provisioning::Provisioning;
use crate::settings::Settings;
use crate::subdomain::Subdomains;
use crate::toolkit;
use catalogue::AlertThresholds;
use contract::{Envelope, Stream, TenantStatusChanged};
use kernel::{
    Alias, BillingAnchor, EventId, Generation, Language, PlanCode, RegionCode, SignupId,
    StatusReason, TenantId, TenantStatus, Timestamp,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A tenant. Nothing in it is personal but the custom subdomains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    #[serde(rename = "tenant")]
    pub id: TenantId,
    /// Its random public name, the first part of its address.
    pub alias: Alias,
    /// The sign-up that created it.
    pub signup: SignupId,
    /// Its plan.
    pub plan: PlanCode,
    /// The language of mails and pages for its people.
    #[serde(default)]
    pub language: Language,
    /// The time of day at which its days begin, fixed at sign-up.
    #[serde(default)]
    pub billing_anchor: BillingAnchor,
    /// Usage thresholds at which it wants to be notified, besides those of its plan.
    #[serde(default)]
    pub alert_thresholds: AlertThresholds,
    /// Its status.
    pub status: TenantStatus,
    /// When it became active. It is billed from the billing period of this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// Grows by one with every event about its status or plan.
    pub version: u64,
    /// The optimistic lock: one higher with every change of anything.
    pub generation: Generation,
    /// What home wants of it, as far as this region knows.
    pub policy: AppliedPolicy,
    /// The number of administrators. Invited ones count once their account exists.
    pub admins: u64,
    /// The number of users.
    pub users: u64,
    /// The number of open invitations. Expired ones count until they are recounted.
    pub invitations: u64,
    /// The progress of its resources; absent if the application was not asked for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
    /// The plan that its administrator requested last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_request: Option<PlanRequest>,
    /// The progress of its closure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure: Option<Closure>,
    /// How its people sign in at its own identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
    /// The user pool of its people's accounts before it moved to this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Realm>,
    /// Its custom subdomains, once it has requested one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomains: Option<Subdomains>,
}

/// A user pool of the fleet, identified by its client for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realm {
    /// The region of the pool.
    pub region: RegionCode,
    /// The id of the client.
    pub client_id: String,
}

/// A request for another plan. Home decides on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// The plan.
    pub plan: PlanCode,
    /// The number of the request, starting at 1.
    pub revision: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

/// The inputs of a decision that depend on its surroundings: region, time, and the id of its event.
#[derive(Debug, Clone)]
pub struct Context {
    /// The region that decides.
    pub region: RegionCode,
    /// The id of the decision's event.
    pub event: EventId,
    /// The current time.
    pub now: Timestamp,
}

impl Context {
    /// The id of a further event of the same decision, derived from its name.
    #[must_use]
    pub fn event_of(&self, what: &str) -> EventId {
        EventId::from_uuid(Uuid::new_v5(self.event.as_uuid(), what.as_bytes()))
    }
}

/// A transition of a tenant's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The application plane is asked for resources.
    Provision,
    /// The tenant becomes usable.
    Activate,
    /// The address was not confirmed in time, or the resources could not be made.
    Expire,
    /// Nobody can sign in any more. No data is lost.
    Suspend,
    /// A suspension ends.
    Reactivate,
    /// The grace period of a closure begins.
    Close,
    /// A closure is undone.
    Reopen,
    /// The closure of a suspended tenant is undone. The tenant stays suspended.
    Resuspend,
    /// The tenant is closed for good.
    End,
    /// A move to another region begins.
    Relocate,
    /// A move is cancelled.
    Return,
}

/// The transitions of a tenant's status: from, change, to. All others are refused.
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

/// The reason for which a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tenant's status does not allow the change.
    #[error("a tenant that is {status} does not allow this change")]
    NotFromHere {
        /// The tenant's status.
        status: TenantStatus,
    },
    /// The catalogue does not have the plan.
    #[error("the plan is not in the catalogue")]
    UnknownPlan,
    /// The plan has another currency, or needs resources of another tier.
    #[error("the plan has another currency or tier than the tenant's")]
    OtherPlanKind,
    /// The tenant would have no administrator.
    #[error("the tenant would have no administrator")]
    LastAdmin,
    /// The tenant has reached its limit of users or invitations.
    #[error("the tenant has reached its limit")]
    Full,
    /// The address belongs to a user of the tenant.
    #[error("the person is a user of the tenant")]
    AlreadyMember,
    /// There is no such open invitation, it has expired, or the code is not its latest.
    #[error("the invitation is not valid")]
    NoInvitation,
    /// The code is not the closure's.
    #[error("the code is wrong")]
    WrongCode,
    /// The tenant has no such client.
    #[error("the tenant has no such client")]
    NoClient,
    /// The client is not created yet, or is already replaced or ended.
    #[error("the client cannot be replaced")]
    ClientEnds,
    /// The tenant has reached its limit of clients.
    #[error("the tenant has too many clients")]
    TooManyClients,
    /// The account does not belong to the tenant's own identity provider.
    #[error("the account does not belong to the tenant's own identity provider")]
    NotFederated,
    /// The tenant's own identity provider does not report the address as verified.
    #[error("the provider does not report the address as verified")]
    UnverifiedAddress,
    /// An administrator has removed the person, and nobody has invited them since.
    #[error("the person was removed")]
    Barred,
    /// No provisioning has failed that could be retried.
    #[error("no provisioning has failed that could be retried")]
    NothingToRetry,
}

/// Changes the status by [`TRANSITIONS`]. The caller adds further changes.
///
/// # Errors
/// When the table has no such transition.
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
    // Billing starts with the first activation: a reactivation does not change it.
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

/// The event that publishes a tenant's status and plan.
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
