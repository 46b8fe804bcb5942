//! Policies that home publishes for a tenant, applied in the tenant's region.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::settings::{ProvisioningMode, Settings};
use crate::tenant::{Change, decide_change};
use crate::tenant::{Context, PlanRequest, Refusal};
use catalogue::Catalogue;
use contract::{Envelope, PlanChangeRequested, Stream, TenantPolicy, TenantPolicyApplied};
use kernel::{EntitlementCode, PlanCode, StatusReason, Suspension, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};

/// The policy in force for a tenant in its region. Version 0 comes from the plan at sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// The version, as home numbers it.
    pub version: u64,
    /// The reason for which home wants the tenant suspended.
    pub suspension: Option<Suspension>,
    /// The tenant's entitlements.
    pub entitlements: Vec<EntitlementCode>,
}

/// Applies a published policy if its version is higher than the present one. Home is notified of
/// the version in force either way. A suspension, its end and a change of plan publish the tenant's
/// status too.
///
/// # Errors
/// Never for a tenant that this crate made.
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
        // The version counts as applied, although nothing is left that it could change.
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
    // The status event contains the plan, so the plan changes before the status does.
    let mut planned = state.clone();
    planned.tenant.plan = published.plan.clone();
    let mut changes = match change {
        Some((change, reason)) => {
            decide_change(&planned, change, reason, Actor::Operator, settings, context)?
        }
        None => ChangeSet::of(&planned),
    };
    // The store compares with the tenant as it is stored, not with the planned one.
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
        // If the closure is undone, the tenant returns to the status that the policy wants.
        closure.was_suspended = published.suspension.is_some();
    }
    changes
        .events
        .push(applied(tenant.id, published.version, context));
    Ok(changes)
}

/// Requests another plan for a tenant. Home decides on it.
///
/// The new plan has to have the same currency, since an invoice has one. If the application makes
/// the resources, it has to have the same tier too, since they would have to move.
///
/// # Errors
/// When the catalogue does not have the plan, the plan has another currency or tier, or the tenant
/// is not active.
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
