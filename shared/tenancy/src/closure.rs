//! The end of a tenant: grace, last usage, retention, erasure.

use crate::outcome::{Outcome, State, Statement};
use crate::provisioning::{Provisioning, request_deprovisioning};
use crate::settings::{ABANDONED, DRAIN, DRAIN_MAX, LOOK_AGAIN, after};
use crate::tenant::{Change, decide_change};
use crate::{
    Actor, AuditAction, Due, DueKind, KeyDigest, Occasion, ProvisioningMode, Refusal, Settings,
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
    occasion: &Occasion,
) -> Result<Outcome, Refusal> {
    let open = state
        .tenant
        .closure
        .as_ref()
        .filter(|closure| closure.fenced_at.is_none());
    if let Some(closure) = open.filter(|_| state.tenant.status == TenantStatus::Closing) {
        let mut outcome = Outcome::of(state);
        outcome.tenant.closure = Some(Closure {
            undo: Some(undo),
            ..closure.clone()
        });
        outcome.note(actor, AuditAction::Close, None, occasion);
        return Ok(outcome);
    }
    let mut outcome = decide_change(
        state,
        Change::Close,
        StatusReason::ClosureRequested,
        actor,
        settings,
        occasion,
    )?;
    let ends_at = after(occasion.now, settings.grace);
    outcome.tenant.closure = Some(Closure {
        requested_at: occasion.now,
        ends_at,
        was_suspended: state.tenant.status == TenantStatus::Suspended,
        undo: Some(undo),
        fenced_at: None,
        closed_at: None,
        erased_at: None,
        deprovisioning: None,
    });
    outcome.due.push(Due {
        at: ends_at,
        kind: DueKind::Grace,
        tenant: state.tenant.id,
    });
    outcome.note(actor, AuditAction::Close, None, occasion);
    Ok(outcome)
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
    occasion: &Occasion,
) -> Result<Outcome, Refusal> {
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
    if closure.fenced_at.is_some() || occasion.now >= closure.ends_at {
        return Err(not_from_here);
    }
    let change = if closure.was_suspended {
        Change::Resuspend
    } else {
        Change::Reopen
    };
    let mut outcome = decide_change(
        state,
        change,
        StatusReason::ClosureUndone,
        actor,
        settings,
        occasion,
    )?;
    outcome.tenant.closure = None;
    outcome.done.push(Due {
        at: closure.ends_at,
        kind: DueKind::Grace,
        tenant: state.tenant.id,
    });
    outcome.note(actor, AuditAction::UndoClosure, None, occasion);
    Ok(outcome)
}

/// The grace is over: no usage is taken from now on, and what was taken is settled before the
/// tenant is closed.
pub(crate) fn decide_fence(state: &State, due: &Due, occasion: &Occasion) -> Option<Outcome> {
    let closure = state
        .tenant
        .closure
        .as_ref()
        .filter(|_| state.tenant.status == TenantStatus::Closing)?;
    if closure.fenced_at.is_some() || closure.ends_at != due.at {
        return None;
    }
    let mut outcome = Outcome::of(state);
    if let Some(closure) = outcome.tenant.closure.as_mut() {
        closure.fenced_at = Some(occasion.now);
    }
    outcome.due.push(Due {
        at: after(occasion.now, DRAIN),
        kind: DueKind::Drain,
        tenant: state.tenant.id,
    });
    Some(outcome)
}

/// The tenant is closed once nothing of its usage waits to be settled, or has waited for too long.
pub(crate) fn decide_drained(
    state: &State,
    is_drained: bool,
    settings: &Settings,
    occasion: &Occasion,
) -> Result<Option<Outcome>, Refusal> {
    let fenced_at = state
        .tenant
        .closure
        .as_ref()
        .and_then(|closure| closure.fenced_at);
    let Some(fenced_at) = fenced_at.filter(|_| state.tenant.status == TenantStatus::Closing) else {
        return Ok(None);
    };
    if !is_drained && occasion.now < after(fenced_at, DRAIN_MAX) {
        let mut outcome = Outcome::of(state);
        let at = after(occasion.now, LOOK_AGAIN);
        outcome.due.push(Due {
            at,
            kind: DueKind::Drain,
            tenant: state.tenant.id,
        });
        return Ok(Some(outcome));
    }
    let reason = StatusReason::GraceEnded;
    let mut outcome = decide_change(state, Change::End, reason, Actor::Clock, settings, occasion)?;
    if let Some(closure) = outcome.tenant.closure.as_mut() {
        closure.closed_at = Some(occasion.now);
    }
    outcome.release_labels(occasion);
    let at = after(
        occasion.now,
        settings
            .retention
            .max(outcome.tenant.labels_needed_for(occasion.now)),
    );
    outcome.due.push(Due {
        at,
        kind: DueKind::Erasure,
        tenant: state.tenant.id,
    });
    // Nothing signs in any more, so the user pool need not know what could.
    outcome.due.push(Due {
        at: occasion.now,
        kind: DueKind::Clients,
        tenant: state.tenant.id,
    });
    Ok(Some(outcome))
}

/// A sign-up that nobody confirmed in time, or whose resources could not be made: the tenant is
/// closed, and erased at once.
pub(crate) fn decide_expiry(
    state: &State,
    settings: &Settings,
    occasion: &Occasion,
) -> Result<Option<Outcome>, Refusal> {
    let failed = state
        .tenant
        .provisioning
        .as_ref()
        .and_then(|open| open.failure.as_ref());
    let is_abandoned = match state.tenant.status {
        TenantStatus::Pending => true,
        TenantStatus::Provisioning => {
            failed.is_some_and(|failure| after(failure.at, ABANDONED) <= occasion.now)
        }
        _ => false,
    };
    if !is_abandoned {
        return Ok(None);
    }
    let reason = StatusReason::Expired;
    let mut outcome = decide_change(
        state,
        Change::Expire,
        reason,
        Actor::Clock,
        settings,
        occasion,
    )?;
    outcome.tenant.closure = Some(Closure {
        requested_at: occasion.now,
        ends_at: occasion.now,
        was_suspended: false,
        undo: None,
        fenced_at: Some(occasion.now),
        closed_at: Some(occasion.now),
        erased_at: None,
        deprovisioning: None,
    });
    outcome.due.push(Due {
        at: occasion.now,
        kind: DueKind::Erasure,
        tenant: state.tenant.id,
    });
    if let Some(signup) = &state.signup {
        outcome.progress(signup, occasion, |signup| {
            signup.expired_at = Some(occasion.now)
        });
    }
    Ok(Some(outcome))
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
    occasion: &Occasion,
) -> Option<Outcome> {
    if !is_erasable(state) {
        return None;
    }
    let mut outcome = Outcome::of(state);
    if let Some(closure) = outcome.tenant.closure.as_mut() {
        closure.erased_at = Some(occasion.now);
        closure.undo = None;
    }
    outcome.tenant.users = 0;
    outcome.tenant.admins = 0;
    outcome.tenant.invitations = 0;
    outcome.tenant.vanity = None;
    outcome.statements.push(Statement::Erased(Envelope {
        id: occasion.event_of("erased"),
        region: occasion.region.clone(),
        stream: Stream::Tenant(state.tenant.id),
        sequence: state.tenant.version,
        occurred_at: occasion.now,
        data: TenantErased {
            tenant: state.tenant.id,
        },
    }));
    let was_provisioned = state.tenant.provisioning.is_some();
    if was_provisioned
        && (settings.provisioning == ProvisioningMode::External || settings.builder_toolkit)
    {
        request_deprovisioning(&mut outcome, catalogue, settings, occasion);
    }
    Some(outcome)
}
