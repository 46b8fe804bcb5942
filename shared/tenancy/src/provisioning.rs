//! Resources that the application plane makes and removes: requests, answers and deadlines.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::settings::Settings;
use crate::settings::{ABANDONED, DEPROVISIONINGS_MAX, after};
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::{Change, decide_change};
use crate::tenant::{Context, Refusal, Tenant};
use crate::toolkit;
use catalogue::Catalogue;
use contract::application::{Answer, TenantDeprovisioningRequested, TenantProvisioningRequested};
use contract::{Envelope, Stream};
use kernel::{KnownReason, ReasonCode, StatusReason, TenantStatus, Tier, Timestamp};
use serde::{Deserialize, Serialize};

/// A request to the application and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioning {
    /// The number of the request among those of its kind, starting at 1.
    pub attempt: u64,
    /// When it was made.
    pub requested_at: Timestamp,
    /// The deadline of the answer. No answer by then counts as a failure.
    pub answer_by: Timestamp,
    /// When the application completed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ProvisioningFailure>,
}

/// Why the application did not complete a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningFailure {
    /// The reason that the application gave, or `no-answer`.
    pub reason: ReasonCode,
    /// Whether the request can be repeated.
    pub retryable: bool,
    /// When the failure became known.
    pub at: Timestamp,
}

/// The kind of an answer from the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The resources exist.
    Provisioned,
    /// The resources could not be made.
    ProvisioningFailed,
    /// The resources are removed.
    Deprovisioned,
    /// The resources could not be removed.
    DeprovisioningFailed,
}

impl Said {
    /// The kind of an answer by the `detail-type` of its event, either ours or that of AWS SaaS
    /// Builder Toolkit.
    #[must_use]
    pub fn by_type(detail_type: &str) -> Option<Self> {
        match detail_type {
            Answer::PROVISIONED | "sbt_aws_provisionSuccess" => Some(Self::Provisioned),
            Answer::PROVISIONING_FAILED | "sbt_aws_provisionFailure" => {
                Some(Self::ProvisioningFailed)
            }
            Answer::DEPROVISIONED | "sbt_aws_deprovisionSuccess" => Some(Self::Deprovisioned),
            Answer::DEPROVISIONING_FAILED | "sbt_aws_deprovisionFailure" => {
                Some(Self::DeprovisioningFailed)
            }
            _ => None,
        }
    }
}

/// Requests a tenant's resources from the application.
pub(crate) fn request_provisioning(
    changes: &mut ChangeSet,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) {
    let provisioning = next(changes.tenant.provisioning.as_ref(), settings, context);
    let tier = tier_of(&changes.tenant, catalogue);
    let Tenant {
        id: tenant,
        alias,
        plan,
        ..
    } = changes.tenant.clone();
    let Provisioning {
        attempt, answer_by, ..
    } = provisioning;
    changes.events.push(TenantEvent::Provision(Envelope {
        id: context.event_of("provision"),
        region: context.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: attempt,
        occurred_at: context.now,
        data: TenantProvisioningRequested {
            tenant,
            alias,
            plan,
            tier,
            attempt,
            answer_by,
        },
    }));
    if settings.builder_toolkit {
        changes
            .events
            .push(TenantEvent::Toolkit(toolkit::onboarding(
                &changes.tenant,
                tier,
                context,
            )));
    }
    changes.due.push(ScheduledTask {
        at: answer_by,
        kind: TaskKind::Provisioning,
        tenant,
    });
    changes.tenant.provisioning = Some(provisioning);
}

/// Requests the removal of a closed tenant's resources from the application.
pub(crate) fn request_deprovisioning(
    changes: &mut ChangeSet,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) {
    let tier = tier_of(&changes.tenant, catalogue);
    let Tenant {
        id: tenant,
        alias,
        plan,
        ..
    } = changes.tenant.clone();
    let Some(closure) = changes.tenant.closure.as_mut() else {
        return;
    };
    let deprovisioning = next(closure.deprovisioning.as_ref(), settings, context);
    let Provisioning {
        attempt, answer_by, ..
    } = deprovisioning;
    closure.deprovisioning = Some(deprovisioning);
    changes.events.push(TenantEvent::Deprovision(Envelope {
        id: context.event_of("deprovision"),
        region: context.region.clone(),
        stream: Stream::Tenant(tenant),
        sequence: attempt,
        occurred_at: context.now,
        data: TenantDeprovisioningRequested {
            tenant,
            alias,
            plan,
            tier,
            attempt,
            answer_by,
        },
    }));
    if settings.builder_toolkit {
        changes
            .events
            .push(TenantEvent::Toolkit(toolkit::offboarding(
                &changes.tenant,
                tier,
                context,
            )));
    }
    changes.due.push(ScheduledTask {
        at: answer_by,
        kind: TaskKind::Deprovisioning,
        tenant,
    });
}

/// Decides the changes that an answer of the application makes. An answer that is repeated, belongs
/// to an earlier attempt, or comes after the tenant was closed changes nothing.
///
/// # Errors
/// Never for a tenant that this crate made.
pub fn decide_answer(
    state: &State,
    kind: Said,
    answer: &Answer,
    settings: &Settings,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let tenant = &state.tenant;
    match kind {
        Said::Provisioned => {
            let Some(provisioning) = tenant
                .provisioning
                .as_ref()
                .filter(|_| is_provisioning(tenant))
            else {
                return Ok(None);
            };
            // A success counts for any attempt, and even after a failure: the resources exist.
            decide_provisioned(state, provisioning, settings, context).map(Some)
        }
        Said::ProvisioningFailed => {
            let open = tenant
                .provisioning
                .as_ref()
                .filter(|open| is_provisioning(tenant) && answers_request(open, answer));
            Ok(open.map(|_| {
                fail_provisioning(
                    state,
                    failure_of(answer, context),
                    Actor::Application,
                    context,
                )
            }))
        }
        Said::Deprovisioned => {
            let Some(open) = deprovisioning_of(tenant).filter(|open| open.done_at.is_none()) else {
                return Ok(None);
            };
            let mut changes = ChangeSet::of(state);
            changes.done.push(ScheduledTask {
                at: open.answer_by,
                kind: TaskKind::Deprovisioning,
                tenant: tenant.id,
            });
            set_deprovisioning(&mut changes, |open| {
                open.done_at = Some(context.now);
                open.failure = None;
            });
            Ok(Some(changes))
        }
        Said::DeprovisioningFailed => {
            let Some(_) = deprovisioning_of(tenant).filter(|open| answers_request(open, answer))
            else {
                return Ok(None);
            };
            let mut changes = ChangeSet::of(state);
            let failure = failure_of(answer, context);
            // The deadline stays: when it passes, the removal is requested again.
            set_deprovisioning(&mut changes, |open| open.failure = Some(failure));
            Ok(Some(changes))
        }
    }
}

/// Requests the resources again after a failure.
///
/// # Errors
/// When no provisioning has failed, or the application reported the failure as final.
pub fn decide_retry(
    state: &State,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let failed = state
        .tenant
        .provisioning
        .as_ref()
        .and_then(|open| open.failure.as_ref());
    failed
        .filter(|failure| is_provisioning(&state.tenant) && failure.retryable)
        .ok_or(Refusal::NothingToRetry)?;
    let mut changes = ChangeSet::of(state);
    request_provisioning(&mut changes, catalogue, settings, context);
    changes.note(Actor::Holder, AuditAction::RetryProvisioning, None, context);
    if let Some(signup) = &state.signup {
        changes.progress(signup, context, |_| {});
    }
    Ok(changes)
}

/// Counts a missing answer as a failure that can be retried.
pub(crate) fn decide_missing_answer(
    state: &State,
    due: &ScheduledTask,
    context: &Context,
) -> Option<ChangeSet> {
    let open = state
        .tenant
        .provisioning
        .as_ref()
        .filter(|_| is_provisioning(&state.tenant))?;
    let silent = open.answer_by == due.at && open.failure.is_none();
    silent.then(|| fail_provisioning(state, no_answer(context), Actor::Clock, context))
}

/// Requests an unfinished removal again, up to a limit. Beyond it the failure is recorded.
pub(crate) fn decide_missing_removal(
    state: &State,
    due: &ScheduledTask,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Option<ChangeSet> {
    let open = deprovisioning_of(&state.tenant)?;
    if open.done_at.is_some() || open.answer_by != due.at {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    let failure = open.failure.clone().unwrap_or_else(|| no_answer(context));
    let again = failure.retryable && open.attempt < DEPROVISIONINGS_MAX;
    if again {
        request_deprovisioning(&mut changes, catalogue, settings, context);
    } else {
        set_deprovisioning(&mut changes, |open| open.failure = Some(failure));
    }
    Some(changes)
}

fn decide_provisioned(
    state: &State,
    provisioning: &Provisioning,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let due = ScheduledTask {
        at: provisioning.answer_by,
        kind: TaskKind::Provisioning,
        tenant: state.tenant.id,
    };
    let reason = StatusReason::Provisioned;
    let mut changes = decide_change(
        state,
        Change::Activate,
        reason,
        Actor::Application,
        settings,
        context,
    )?;
    changes.done.push(due);
    if let Some(open) = changes.tenant.provisioning.as_mut() {
        open.done_at = Some(context.now);
        open.failure = None;
    }
    if let Some(signup) = &state.signup {
        changes.progress(signup, context, |signup| {
            signup.activate(settings, context.now)
        });
    }
    Ok(changes)
}

fn fail_provisioning(
    state: &State,
    failure: ProvisioningFailure,
    actor: Actor,
    context: &Context,
) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    changes.note(
        actor,
        AuditAction::FailProvisioning,
        Some(failure.reason.to_string()),
        context,
    );
    if let Some(open) = changes.tenant.provisioning.as_mut() {
        changes.done.push(ScheduledTask {
            at: open.answer_by,
            kind: TaskKind::Provisioning,
            tenant: state.tenant.id,
        });
        let at = after(failure.at, ABANDONED);
        changes.due.push(ScheduledTask {
            at,
            kind: TaskKind::Expiry,
            tenant: state.tenant.id,
        });
        open.failure = Some(failure);
    }
    if let Some(signup) = &state.signup {
        changes.progress(signup, context, |_| {});
    }
    changes
}

fn next(last: Option<&Provisioning>, settings: &Settings, context: &Context) -> Provisioning {
    Provisioning {
        attempt: last.map_or(1, |last| last.attempt + 1),
        requested_at: context.now,
        answer_by: after(context.now, settings.answer_within),
        done_at: None,
        failure: None,
    }
}

fn tier_of(tenant: &Tenant, catalogue: &Catalogue) -> Tier {
    catalogue
        .plan(&tenant.plan)
        .map_or(Tier::Pool, |plan| plan.tier)
}

fn is_provisioning(tenant: &Tenant) -> bool {
    tenant.status == TenantStatus::Provisioning
}

/// Whether an answer belongs to the open request. An answer without an attempt belongs to any.
fn answers_request(open: &Provisioning, answer: &Answer) -> bool {
    open.done_at.is_none()
        && open.failure.is_none()
        && answer.attempt.is_none_or(|attempt| attempt == open.attempt)
}

fn deprovisioning_of(tenant: &Tenant) -> Option<&Provisioning> {
    tenant.closure.as_ref()?.deprovisioning.as_ref()
}

fn set_deprovisioning(changes: &mut ChangeSet, set: impl FnOnce(&mut Provisioning)) {
    if let Some(open) = changes
        .tenant
        .closure
        .as_mut()
        .and_then(|closure| closure.deprovisioning.as_mut())
    {
        set(open);
    }
}

fn failure_of(answer: &Answer, context: &Context) -> ProvisioningFailure {
    let reason = answer
        .reason
        .clone()
        .unwrap_or_else(|| KnownReason::Unspecified.into());
    ProvisioningFailure {
        reason,
        retryable: answer.retryable.unwrap_or(true),
        at: context.now,
    }
}

fn no_answer(context: &Context) -> ProvisioningFailure {
    ProvisioningFailure {
        reason: KnownReason::NoAnswer.into(),
        retryable: true,
        at: context.now,
    }
}
