//! What home wants of a tenant, applied in the tenant's region.

use crate::outcome::{Outcome, State, Statement};
use crate::tenant::{Change, decide_change};
use crate::{Actor, AuditAction, Occasion, PlanRequest, ProvisioningMode, Refusal, Settings};
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
/// which version holds. A suspension, its end and another plan are stated as any other change of
/// the tenant.
///
/// # Errors
/// Never for a tenant as this crate makes it.
pub fn decide_policy(
    state: &State,
    published: &TenantPolicy,
    settings: &Settings,
    occasion: &Occasion,
) -> Result<Outcome, Refusal> {
    let tenant = &state.tenant;
    if published.version <= tenant.policy.version {
        let mut outcome = Outcome::of(state);
        outcome
            .statements
            .push(applied(tenant.id, tenant.policy.version, occasion));
        return Ok(outcome);
    }
    if tenant.status == TenantStatus::Closed {
        // It holds, and there is nothing left that it could change.
        let mut outcome = Outcome::of(state);
        outcome.tenant.policy.version = published.version;
        outcome
            .statements
            .push(applied(tenant.id, published.version, occasion));
        return Ok(outcome);
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
    let mut outcome = match change {
        Some((change, reason)) => decide_change(
            &planned,
            change,
            reason,
            Actor::Operator,
            settings,
            occasion,
        )?,
        None => Outcome::of(&planned),
    };
    outcome.before = tenant.clone();
    if published.plan != tenant.plan {
        outcome.note(
            Actor::Operator,
            AuditAction::ChangePlan,
            Some(published.plan.to_string()),
            occasion,
        );
        if change.is_none() {
            outcome.state_status(StatusReason::PlanChanged, occasion);
        }
    }
    outcome.tenant.policy = AppliedPolicy {
        version: published.version,
        suspension: published.suspension,
        entitlements: published.entitlements.clone(),
    };
    if let Some(closure) = outcome
        .tenant
        .closure
        .as_mut()
        .filter(|_| tenant.status == TenantStatus::Closing)
    {
        // Undone, the closure leads to where the policy wants the tenant.
        closure.was_suspended = published.suspension.is_some();
    }
    outcome
        .statements
        .push(applied(tenant.id, published.version, occasion));
    Ok(outcome)
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
    occasion: &Occasion,
) -> Result<Outcome, Refusal> {
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
    let mut outcome = Outcome::of(state);
    outcome.tenant.plan_request = Some(PlanRequest {
        plan: plan.clone(),
        revision,
        requested_at: occasion.now,
    });
    outcome.statements.push(Statement::PlanChange(Envelope {
        id: occasion.event_of("plan"),
        region: occasion.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: revision,
        occurred_at: occasion.now,
        data: PlanChangeRequested {
            tenant: tenant.id,
            plan: plan.clone(),
            revision,
        },
    }));
    outcome.note(
        actor,
        AuditAction::RequestPlan,
        Some(plan.to_string()),
        occasion,
    );
    Ok(outcome)
}

const fn reason_of(suspension: Suspension) -> StatusReason {
    match suspension {
        Suspension::Operator => StatusReason::Operator,
        Suspension::Dunning => StatusReason::Dunning,
    }
}

fn applied(tenant: TenantId, version: u64, occasion: &Occasion) -> Statement {
    Statement::PolicyApplied(Envelope {
        id: occasion.event_of("applied"),
        region: occasion.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: version,
        occurred_at: occasion.now,
        data: TenantPolicyApplied { tenant, version },
    })
}
