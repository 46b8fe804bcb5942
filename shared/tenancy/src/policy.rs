//! What home wants of a tenant, applied in the tenant's region.

use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::tenant::{Change, decide_change};
use crate::{Actor, AuditAction, Context, PlanRequest, ProvisioningMode, Refusal, Settings};
use catalogue::Catalogue;
use contract::{Envelope, PlanChangeRequested, Stream, TenantPolicy, TenantPolicyApplied};
use kernel::{EntitlementCode, PlanCode, StatusReason, Suspension, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};

/// The policy that holds for a tenant in its region. Version 0 is the sign-up's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// Which of home's versions it is.
    pub version: u64,
    /// Who wants the tenant suspended.
    pub suspension: Option<Suspension>,
    /// What the tenant is entitled to.
    pub entitlements: Vec<EntitlementCode>,
}

/// Decides what a published policy changes: only a higher version does. Either way home is told
/// which version holds. A suspension, its end and another plan are published as any other change of
/// the tenant.
///
/// # Errors
/// Never for a tenant as this crate makes it.
pub fn decide_policy(
    state: &State,
    published: &TenantPolicy,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let tenant = &state.tenant;
    if published.version <= tenant.policy.version {
        let mut changes = ChangeSet::of(state);
        changes
            .events
            .push(applied(tenant.id, tenant.policy.version, context));
        return Ok(changes);
    }
    if tenant.status == TenantStatus::Closed {
        // It holds, and there is nothing left that it could change.
        let mut changes = ChangeSet::of(state);
        changes.tenant.policy.version = published.version;
        changes
            .events
            .push(applied(tenant.id, published.version, context));
        return Ok(changes);
    }
    let change = match (tenant.status, published.suspension) {
        (TenantStatus::Active, Some(suspension)) => Some((Change::Suspend, reason_of(suspension))),
        (TenantStatus::Suspended, None) => Some((
            Change::Reactivate,
            tenant
                .policy
                .suspension
                .map_or(StatusReason::Operator, reason_of),
        )),
        _ => None,
    };
    let mut planned = state.clone();
    planned.tenant.plan = published.plan.clone();
    let mut changes = match change {
        Some((change, reason)) => {
            decide_change(&planned, change, reason, Actor::Operator, settings, context)?
        }
        None => ChangeSet::of(&planned),
    };
    changes.before = tenant.clone();
    if published.plan != tenant.plan {
        changes.note(
            Actor::Operator,
            AuditAction::ChangePlan,
            Some(published.plan.to_string()),
            context,
        );
        if change.is_none() {
            changes.publish_status(StatusReason::PlanChanged, context);
        }
    }
    changes.tenant.policy = AppliedPolicy {
        version: published.version,
        suspension: published.suspension,
        entitlements: published.entitlements.clone(),
    };
    if let Some(closure) = changes
        .tenant
        .closure
        .as_mut()
        .filter(|_| tenant.status == TenantStatus::Closing)
    {
        // Undone, the closure leads to where the policy wants the tenant.
        closure.was_suspended = published.suspension.is_some();
    }
    changes
        .events
        .push(applied(tenant.id, published.version, context));
    Ok(changes)
}

/// Decides that a tenant asks for another plan, which home decides on.
///
/// A tenant keeps its currency, since one invoice has one. Where an application makes the
/// resources, it keeps its tier too: they would have to move.
///
/// # Errors
/// When the catalogue does not have the plan or it is of another kind, or when the tenant is not in
/// use.
pub fn decide_plan_request(
    state: &State,
    plan: &PlanCode,
    actor: Actor,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let wanted = catalogue.plan(plan).ok_or(Refusal::UnknownPlan)?;
    let tenant = &state.tenant;
    let present = catalogue.plan(&tenant.plan);
    let is_made = settings.provisioning == ProvisioningMode::External;
    if present.is_some_and(|present| {
        present.currency != wanted.currency || (is_made && present.tier != wanted.tier)
    }) {
        return Err(Refusal::OtherPlanKind);
    }
    if tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    let revision = tenant
        .plan_request
        .as_ref()
        .map_or(1, |last| last.revision + 1);
    let mut changes = ChangeSet::of(state);
    changes.tenant.plan_request = Some(PlanRequest {
        plan: plan.clone(),
        revision,
        requested_at: context.now,
    });
    changes.events.push(TenantEvent::PlanChange(Envelope {
        id: context.event_of("plan"),
        region: context.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: revision,
        occurred_at: context.now,
        data: PlanChangeRequested {
            tenant: tenant.id,
            plan: plan.clone(),
            revision,
        },
    }));
    changes.note(
        actor,
        AuditAction::RequestPlan,
        Some(plan.to_string()),
        context,
    );
    Ok(changes)
}

const fn reason_of(suspension: Suspension) -> StatusReason {
    match suspension {
        Suspension::Operator => StatusReason::Operator,
        Suspension::Dunning => StatusReason::Dunning,
    }
}

fn applied(tenant: TenantId, version: u64, context: &Context) -> TenantEvent {
    TenantEvent::PolicyApplied(Envelope {
        id: context.event_of("applied"),
        region: context.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: version,
        occurred_at: context.now,
        data: TenantPolicyApplied { tenant, version },
    })
}
