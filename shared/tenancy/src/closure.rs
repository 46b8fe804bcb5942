//! The end of a tenant: grace, last usage, retention, erasure.

use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::provisioning::{Provisioning, request_deprovisioning};
use crate::settings::{ABANDONED, DRAIN, DRAIN_MAX, LOOK_AGAIN, after};
use crate::tenant::{Change, decide_change};
use crate::{
    Actor, AuditAction, Context, KeyDigest, ProvisioningMode, Refusal, ScheduledTask, Settings,
    TaskKind,
};
use catalogue::Catalogue;
use contract::{Envelope, Stream, TenantErased};
use kernel::{StatusReason, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// How far a tenant's end is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Until when it can be undone.
    pub ends_at: Timestamp,
    /// Whether the tenant was suspended when it was asked for.
    pub was_suspended: bool,
    /// The code that undoes it without a sign-in, as a digest; absent where nobody was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<KeyDigest>,
    /// From when on no usage is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced_at: Option<Timestamp>,
    /// When the tenant was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// When everything personal was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// How far the application is with the tenant's resources; absent where nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprovisioning: Option<Provisioning>,
}

/// Decides that a tenant closes, unless that is undone within the grace period. One that is closing
/// already gets another code, since the answer with the first one may have been lost.
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

/// Decides that a closing tenant is what it was before. A code, where one is given, has to be the
/// one that came with the closure.
///
/// # Errors
/// When the tenant is not closing, when its grace is over, or when the code is wrong.
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

/// The grace is over: no usage is taken from now on, and what was taken is settled before the
/// tenant is closed.
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

/// The tenant is closed once nothing of its usage waits to be settled, or has waited for too long.
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
    // Nothing signs in any more, so the user pool need not know what could.
    changes.due.push(ScheduledTask {
        at: context.now,
        kind: TaskKind::Clients,
        tenant: state.tenant.id,
    });
    Ok(Some(changes))
}

/// A sign-up that nobody confirmed in time, or whose resources could not be made: the tenant is
/// closed, and erased at once.
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

/// Whether a tenant's data has to be erased now.
#[must_use]
pub fn is_erasable(state: &State) -> bool {
    let closure = state.tenant.closure.as_ref();
    let erased = closure.is_some_and(|closure| closure.erased_at.is_some());
    state.tenant.status == TenantStatus::Closed && closure.is_some() && !erased
}

/// Decides what follows once everything personal of a closed tenant is erased: home is told, and
/// the application is asked to remove what it made.
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
