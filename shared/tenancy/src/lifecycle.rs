//! Decisions on deadlines, confirmed addresses and reports of the identity provider.

use crate::audit::Actor;
use crate::change_set::{ChangeSet, MemberChange, State};
use crate::clients::decide_clients_ended;
use crate::closure::{decide_drained, decide_expiry, decide_fence};
use crate::mails::OwedMail;
use crate::operation::IdentityFailure;
use crate::operation::Signup;
use crate::provisioning::{decide_missing_answer, decide_missing_removal, request_provisioning};
use crate::settings::{ProvisioningMode, Settings};
use crate::subdomain::decide_repeated_request;
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::{Change, decide_change};
use crate::tenant::{Context, Refusal};
use catalogue::Catalogue;
use kernel::{StatusReason, TenantStatus};

/// Handles the confirmation of the administrator's address. A pending tenant is provisioned or
/// becomes active. `None` for a tenant that was confirmed before.
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
            // A confirmed address needs no further code.
            signup.code_owed = None;
            signup.confirmed_at.get_or_insert(context.now);
            if !is_external {
                signup.activate(settings, context.now);
            }
        });
    }
    Ok(Some(changes))
}

/// Records that the tenant's address resolves to the region. `None` if the tenant is not active yet
/// or that is recorded already.
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

/// Records the state of the administrator's account. `None` if the account was recorded before.
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

/// Records that another code was mailed, or has to wait. `None` if nothing changes or the address
/// is confirmed.
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
    // Home does not need to know, so this publishes no progress event.
    changes.signup = Some(Signup {
        code_owed: owed,
        ..signup.clone()
    });
    Some(changes)
}

/// Decides a scheduled task. The task itself is always completed.
///
/// `is_drained`: the tenant has no usage left to roll up. Only [`TaskKind::Drain`] uses it.
///
/// # Errors
/// Never for a tenant that this crate made.
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
        TaskKind::Provisioning => decide_missing_answer(state, due, context),
        TaskKind::Grace => decide_fence(state, due, context),
        TaskKind::Drain => decide_drained(state, is_drained, settings, context)?,
        TaskKind::Erasure => crate::decide_erased(state, catalogue, settings, context),
        TaskKind::Deprovisioning => {
            decide_missing_removal(state, due, catalogue, settings, context)
        }
        TaskKind::Clients => decide_clients_ended(state),
        TaskKind::Subdomains => decide_repeated_request(state, due, context),
        // The caller sends the mails, or records that they have to wait.
        TaskKind::Mail => None,
    };
    let mut changes = changes.unwrap_or_else(|| ChangeSet::of(state));
    if !changes.done.contains(due) {
        changes.done.push(*due);
    }
    Ok(changes)
}
