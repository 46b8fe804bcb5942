//! The closure of a tenant: grace period, last usage, retention, erasure.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::idempotency::KeyDigest;
use crate::provisioning::{Provisioning, request_deprovisioning};
use crate::settings::{ABANDONED, DRAIN, DRAIN_MAX, LOOK_AGAIN, after};
use crate::settings::{ProvisioningMode, Settings};
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::{Change, decide_change};
use crate::tenant::{Context, Refusal};
use catalogue::Catalogue;
use contract::{Envelope, Stream, TenantErased};
use kernel::{StatusReason, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The progress of a tenant's closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When the closure was requested.
    pub requested_at: Timestamp,
    /// The end of the grace period, until which the closure can be undone.
    pub ends_at: Timestamp,
    /// Whether the tenant was suspended when the closure was requested.
    pub was_suspended: bool,
    /// The digest of the code that undoes the closure without a sign-in; absent if no code was
    /// given out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<KeyDigest>,
    /// The time from which usage is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced_at: Option<Timestamp>,
    /// When the tenant was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// When all personal data was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// The progress of the application with removing the resources; absent if it was not asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprovisioning: Option<Provisioning>,
}

/// Starts the closure of a tenant, which can be undone within the grace period. A tenant that is
/// already closing gets a new code, since the response with the first one may have been lost.
///
/// # Errors
/// When the tenant is neither active nor suspended, nor within the grace period.
pub fn decide_closure(
    state: &State,
    actor: Actor,
    undo: KeyDigest,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let open = state
        .tenant
        .closure
        .as_ref()
        .filter(|closure| closure.fenced_at.is_none());
    if let Some(closure) = open.filter(|_| state.tenant.status == TenantStatus::Closing) {
        let mut changes = ChangeSet::of(state);
        changes.tenant.closure = Some(Closure {
            undo: Some(undo),
            ..closure.clone()
        });
        changes.note(actor, AuditAction::Close, None, context);
        return Ok(changes);
    }
    let mut changes = decide_change(
        state,
        Change::Close,
        StatusReason::ClosureRequested,
        actor,
        settings,
        context,
    )?;
    let ends_at = after(context.now, settings.grace);
    changes.tenant.closure = Some(Closure {
        requested_at: context.now,
        ends_at,
        was_suspended: state.tenant.status == TenantStatus::Suspended,
        undo: Some(undo),
        fenced_at: None,
        closed_at: None,
        erased_at: None,
        deprovisioning: None,
    });
    changes.due.push(ScheduledTask {
        at: ends_at,
        kind: TaskKind::Grace,
        tenant: state.tenant.id,
    });
    changes.note(actor, AuditAction::Close, None, context);
    Ok(changes)
}

/// Returns a closing tenant to its earlier status. A code, if one is given, has to be the code of
/// the closure.
///
/// # Errors
/// When the tenant is not closing, its grace period is over, or the code is wrong.
pub fn decide_reopening(
    state: &State,
    actor: Actor,
    code: Option<&KeyDigest>,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let not_from_here = Refusal::NotFromHere {
        status: state.tenant.status,
    };
    let closing = state.tenant.status == TenantStatus::Closing;
    let closure = state
        .tenant
        .closure
        .as_ref()
        .filter(|_| closing)
        .ok_or(not_from_here)?;
    if code.is_some() && code != closure.undo.as_ref() {
        return Err(Refusal::WrongCode);
    }
    if closure.fenced_at.is_some() || context.now >= closure.ends_at {
        return Err(not_from_here);
    }
    let change = if closure.was_suspended {
        Change::Resuspend
    } else {
        Change::Reopen
    };
    let mut changes = decide_change(
        state,
        change,
        StatusReason::ClosureUndone,
        actor,
        settings,
        context,
    )?;
    changes.tenant.closure = None;
    changes.done.push(ScheduledTask {
        at: closure.ends_at,
        kind: TaskKind::Grace,
        tenant: state.tenant.id,
    });
    changes.note(actor, AuditAction::UndoClosure, None, context);
    Ok(changes)
}

/// Ends the grace period: usage is refused from now on. The tenant is closed only after its
/// accepted usage has been rolled up.
pub(crate) fn decide_fence(
    state: &State,
    due: &ScheduledTask,
    context: &Context,
) -> Option<ChangeSet> {
    let closure = state
        .tenant
        .closure
        .as_ref()
        .filter(|_| state.tenant.status == TenantStatus::Closing)?;
    // The closure may have been undone and requested again: an earlier task has another time.
    if closure.fenced_at.is_some() || closure.ends_at != due.at {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    if let Some(closure) = changes.tenant.closure.as_mut() {
        closure.fenced_at = Some(context.now);
    }
    changes.due.push(ScheduledTask {
        at: after(context.now, DRAIN),
        kind: TaskKind::Drain,
        tenant: state.tenant.id,
    });
    Some(changes)
}

/// Closes the tenant once its usage is rolled up, or after [`DRAIN_MAX`].
pub(crate) fn decide_drained(
    state: &State,
    is_drained: bool,
    settings: &Settings,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let fenced_at = state
        .tenant
        .closure
        .as_ref()
        .and_then(|closure| closure.fenced_at);
    let Some(fenced_at) = fenced_at.filter(|_| state.tenant.status == TenantStatus::Closing) else {
        return Ok(None);
    };
    if !is_drained && context.now < after(fenced_at, DRAIN_MAX) {
        let mut changes = ChangeSet::of(state);
        let at = after(context.now, LOOK_AGAIN);
        changes.due.push(ScheduledTask {
            at,
            kind: TaskKind::Drain,
            tenant: state.tenant.id,
        });
        return Ok(Some(changes));
    }
    let reason = StatusReason::GraceEnded;
    let mut changes = decide_change(state, Change::End, reason, Actor::Clock, settings, context)?;
    if let Some(closure) = changes.tenant.closure.as_mut() {
        closure.closed_at = Some(context.now);
    }
    changes.release_subdomains(context);
    // Removing the DNS records needs the names of the subdomains, so they are retained that long.
    let at = after(
        context.now,
        settings
            .retention
            .max(changes.tenant.subdomains_needed_for(context.now)),
    );
    changes.due.push(ScheduledTask {
        at,
        kind: TaskKind::Erasure,
        tenant: state.tenant.id,
    });
    // Nobody can sign in any more, so the clients are removed from the user pool.
    changes.due.push(ScheduledTask {
        at: context.now,
        kind: TaskKind::Clients,
        tenant: state.tenant.id,
    });
    Ok(Some(changes))
}

/// Closes a sign-up that nobody confirmed in time, or whose resources could not be made, and has it
/// erased at once.
pub(crate) fn decide_expiry(
    state: &State,
    settings: &Settings,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let failed = state
        .tenant
        .provisioning
        .as_ref()
        .and_then(|open| open.failure.as_ref());
    let is_abandoned = match state.tenant.status {
        TenantStatus::Pending => true,
        TenantStatus::Provisioning => {
            failed.is_some_and(|failure| after(failure.at, ABANDONED) <= context.now)
        }
        _ => false,
    };
    if !is_abandoned {
        return Ok(None);
    }
    let reason = StatusReason::Expired;
    let mut changes = decide_change(
        state,
        Change::Expire,
        reason,
        Actor::Clock,
        settings,
        context,
    )?;
    changes.tenant.closure = Some(Closure {
        requested_at: context.now,
        ends_at: context.now,
        was_suspended: false,
        undo: None,
        fenced_at: Some(context.now),
        closed_at: Some(context.now),
        erased_at: None,
        deprovisioning: None,
    });
    changes.due.push(ScheduledTask {
        at: context.now,
        kind: TaskKind::Erasure,
        tenant: state.tenant.id,
    });
    if let Some(signup) = &state.signup {
        changes.progress(signup, context, |signup| {
            signup.expired_at = Some(context.now)
        });
    }
    Ok(Some(changes))
}

/// Whether a tenant's data is to be erased now.
#[must_use]
pub fn is_erasable(state: &State) -> bool {
    let closure = state.tenant.closure.as_ref();
    let erased = closure.is_some_and(|closure| closure.erased_at.is_some());
    state.tenant.status == TenantStatus::Closed && closure.is_some() && !erased
}

/// Records that all personal data of a closed tenant is erased. Home is notified, and the
/// application is asked to remove the tenant's resources.
#[must_use]
pub fn decide_erased(
    state: &State,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Option<ChangeSet> {
    if !is_erasable(state) {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    if let Some(closure) = changes.tenant.closure.as_mut() {
        closure.erased_at = Some(context.now);
        closure.undo = None;
    }
    changes.tenant.users = 0;
    changes.tenant.admins = 0;
    changes.tenant.invitations = 0;
    changes.tenant.subdomains = None;
    changes.events.push(TenantEvent::Erased(Envelope {
        id: context.event_of("erased"),
        region: context.region.clone(),
        stream: Stream::Tenant(state.tenant.id),
        sequence: state.tenant.version,
        occurred_at: context.now,
        data: TenantErased {
            tenant: state.tenant.id,
        },
    }));
    let was_provisioned = state.tenant.provisioning.is_some();
    if was_provisioned
        && (settings.provisioning == ProvisioningMode::External || settings.builder_toolkit)
    {
        request_deprovisioning(&mut changes, catalogue, settings, context);
    }
    Some(changes)
}
