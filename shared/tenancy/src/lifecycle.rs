//! What the passing of time, a confirmed address, and the identity provider change.

use crate::change_set::{ChangeSet, MemberChange, State};
use crate::clients::decide_clients_ended;
use crate::closure::{decide_drained, decide_expiry, decide_fence};
use crate::operation::IdentityFailure;
use crate::provisioning::{decide_silence, decide_unremoved, request_provisioning};
use crate::subdomain::decide_asking;
use crate::tenant::{Change, decide_change};
use crate::{
    Actor, Context, OwedMail, ProvisioningMode, Refusal, ScheduledTask, Settings, Signup, TaskKind,
};
use catalogue::Catalogue;
use kernel::{StatusReason, TenantStatus};

/// Decides what the administrator's confirmed address changes: a pending tenant is provisioned or
/// becomes active, and one that has been confirmed before stays as it is.
///
/// # Errors
/// When the tenant is closed.
pub fn decide_confirmation(
    state: &State,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    match state.tenant.status {
        TenantStatus::Pending => {}
        TenantStatus::Closed => {
            return Err(Refusal::NotFromHere {
                status: state.tenant.status,
            });
        }
        TenantStatus::Provisioning
        | TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => return Ok(None),
    }
    let is_external = settings.provisioning == ProvisioningMode::External;
    let change = if is_external {
        Change::Provision
    } else {
        Change::Activate
    };
    let mut changes = decide_change(
        state,
        change,
        StatusReason::Confirmed,
        Actor::Holder,
        settings,
        context,
    )?;
    if is_external {
        request_provisioning(&mut changes, catalogue, settings, context);
    }
    if let Some(signup) = &state.signup {
        changes.done.push(ScheduledTask {
            at: signup.confirm_by,
            kind: TaskKind::Expiry,
            tenant: state.tenant.id,
        });
        changes
            .members
            .push(MemberChange::Confirm(signup.username, context.now));
        changes.progress(signup, context, |signup| {
            signup.identity_at.get_or_insert(context.now);
            signup.identity_failure = None;
            signup.code_owed = None;
            signup.confirmed_at.get_or_insert(context.now);
            if !is_external {
                signup.activate(settings, context.now);
            }
        });
    }
    Ok(Some(changes))
}

/// Decides what is noted once the tenant's address leads to the region; nothing while the tenant is
/// not in use, or where it is noted already.
#[must_use]
pub fn decide_routed(state: &State, context: &Context) -> Option<ChangeSet> {
    let open = |signup: &&Signup| signup.activated_at.is_some() && signup.routed_at.is_none();
    let signup = state.signup.as_ref().filter(open)?;
    let mut changes = ChangeSet::of(state);
    changes.progress(signup, context, |signup| {
        signup.routed_at = Some(context.now)
    });
    Some(changes)
}

/// Decides what is noted of the administrator's account. What was noted as done stays.
#[must_use]
pub fn decide_identity(
    state: &State,
    made: Result<Option<OwedMail>, IdentityFailure>,
    context: &Context,
) -> Option<ChangeSet> {
    let signup = state
        .signup
        .as_ref()
        .filter(|signup| signup.identity_at.is_none())?;
    let mut changes = ChangeSet::of(state);
    if let Ok(Some(owed)) = &made {
        changes.due.push(owed.due(state.tenant.id));
    }
    changes.progress(signup, context, |signup| match made {
        Ok(owed) => {
            signup.identity_at = Some(context.now);
            signup.identity_failure = None;
            signup.code_owed = owed;
        }
        Err(failure) => signup.identity_failure = Some(failure),
    });
    Some(changes)
}

/// Decides what is noted of a code that was mailed once more, or has to wait. Nothing where there
/// is nothing to note, or the address is confirmed.
#[must_use]
pub fn decide_code_mail(state: &State, owed: Option<OwedMail>) -> Option<ChangeSet> {
    let signup = state
        .signup
        .as_ref()
        .filter(|signup| signup.confirmed_at.is_none() && signup.code_owed != owed)?;
    let mut changes = ChangeSet::of(state);
    changes
        .due
        .extend(owed.iter().map(|owed| owed.due(state.tenant.id)));
    // Nobody else has to know of it, so that it is no progress.
    changes.signup = Some(Signup {
        code_owed: owed,
        ..signup.clone()
    });
    Some(changes)
}

/// Decides what is to be done at a time that has come. Whatever it is, the time itself is done
/// with.
///
/// `is_drained` says whether nothing of the tenant's usage waits to be settled; only a drain asks
/// for it.
///
/// # Errors
/// Never for a tenant as this crate makes it.
pub fn decide_task(
    state: &State,
    due: &ScheduledTask,
    is_drained: bool,
    catalogue: &Catalogue,
    settings: &Settings,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let changes = match due.kind {
        TaskKind::Expiry => decide_expiry(state, settings, context)?,
        TaskKind::Provisioning => decide_silence(state, due, context),
        TaskKind::Grace => decide_fence(state, due, context),
        TaskKind::Drain => decide_drained(state, is_drained, settings, context)?,
        TaskKind::Erasure => crate::decide_erased(state, catalogue, settings, context),
        TaskKind::Deprovisioning => decide_unremoved(state, due, catalogue, settings, context),
        TaskKind::Clients => decide_clients_ended(state),
        TaskKind::Subdomains => decide_asking(state, due, context),
        // Whoever looks after what is due has mailed what may be mailed, and noted what has to wait
        // still.
        TaskKind::Mail => None,
    };
    let mut changes = changes.unwrap_or_else(|| ChangeSet::of(state));
    if !changes.done.contains(due) {
        changes.done.push(*due);
    }
    Ok(changes)
}
