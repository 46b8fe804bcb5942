//! What the passing of time, a confirmed address, and the identity provider change.

use crate::clients::decide_clients_ended;
use crate::closure::{decide_drained, decide_expiry, decide_fence};
use crate::operation::IdentityFailure;
use crate::outcome::{MemberChange, Outcome, State};
use crate::provisioning::{decide_silence, decide_unremoved, request_provisioning};
use crate::tenant::{Change, decide_change};
use crate::vanity::decide_asking;
use crate::{Actor, Due, DueKind, Occasion, OwedMail, ProvisioningMode, Refusal, Settings, Signup};
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
    occasion: &Occasion,
) -> Result<Option<Outcome>, Refusal> {
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
    let mut outcome = decide_change(
        state,
        change,
        StatusReason::Confirmed,
        Actor::Holder,
        settings,
        occasion,
    )?;
    if is_external {
        request_provisioning(&mut outcome, catalogue, settings, occasion);
    }
    if let Some(signup) = &state.signup {
        outcome.done.push(Due {
            at: signup.confirm_by,
            kind: DueKind::Expiry,
            tenant: state.tenant.id,
        });
        outcome
            .members
            .push(MemberChange::Confirm(signup.username, occasion.now));
        outcome.progress(signup, occasion, |signup| {
            signup.identity_at.get_or_insert(occasion.now);
            signup.identity_failure = None;
            signup.code_owed = None;
            signup.confirmed_at.get_or_insert(occasion.now);
            if !is_external {
                signup.activate(settings, occasion.now);
            }
        });
    }
    Ok(Some(outcome))
}

/// Decides what is noted once the tenant's address leads to the region; nothing while the tenant is
/// not in use, or where it is noted already.
#[must_use]
pub fn decide_routed(state: &State, occasion: &Occasion) -> Option<Outcome> {
    let open = |signup: &&Signup| signup.activated_at.is_some() && signup.routed_at.is_none();
    let signup = state.signup.as_ref().filter(open)?;
    let mut outcome = Outcome::of(state);
    outcome.progress(signup, occasion, |signup| {
        signup.routed_at = Some(occasion.now)
    });
    Some(outcome)
}

/// Decides what is noted of the administrator's account. What was noted as done stays.
#[must_use]
pub fn decide_identity(
    state: &State,
    made: Result<Option<OwedMail>, IdentityFailure>,
    occasion: &Occasion,
) -> Option<Outcome> {
    let signup = state
        .signup
        .as_ref()
        .filter(|signup| signup.identity_at.is_none())?;
    let mut outcome = Outcome::of(state);
    if let Ok(Some(owed)) = &made {
        outcome.due.push(owed.due(state.tenant.id));
    }
    outcome.progress(signup, occasion, |signup| match made {
        Ok(owed) => {
            signup.identity_at = Some(occasion.now);
            signup.identity_failure = None;
            signup.code_owed = owed;
        }
        Err(failure) => signup.identity_failure = Some(failure),
    });
    Some(outcome)
}

/// Decides what is noted of a code that was mailed once more, or has to wait. Nothing where there
/// is nothing to note, or the address is confirmed.
#[must_use]
pub fn decide_code_mail(state: &State, owed: Option<OwedMail>) -> Option<Outcome> {
    let signup = state
        .signup
        .as_ref()
        .filter(|signup| signup.confirmed_at.is_none() && signup.code_owed != owed)?;
    let mut outcome = Outcome::of(state);
    outcome
        .due
        .extend(owed.iter().map(|owed| owed.due(state.tenant.id)));
    // Nobody else has to know of it, so that it is no progress.
    outcome.signup = Some(Signup {
        code_owed: owed,
        ..signup.clone()
    });
    Some(outcome)
}

/// Decides what is to be done at a time that has come. Whatever it is, the time itself is done
/// with.
///
/// `is_drained` says whether nothing of the tenant's usage waits to be settled; only a drain asks
/// for it.
///
/// # Errors
/// Never for a tenant as this crate makes it.
pub fn decide_due(
    state: &State,
    due: &Due,
    is_drained: bool,
    catalogue: &Catalogue,
    settings: &Settings,
    occasion: &Occasion,
) -> Result<Outcome, Refusal> {
    let outcome = match due.kind {
        DueKind::Expiry => decide_expiry(state, settings, occasion)?,
        DueKind::Provisioning => decide_silence(state, due, occasion),
        DueKind::Grace => decide_fence(state, due, occasion),
        DueKind::Drain => decide_drained(state, is_drained, settings, occasion)?,
        DueKind::Erasure => crate::decide_erased(state, catalogue, settings, occasion),
        DueKind::Deprovisioning => decide_unremoved(state, due, catalogue, settings, occasion),
        DueKind::Clients => decide_clients_ended(state),
        DueKind::Vanity => decide_asking(state, due, occasion),
        // Whoever looks after what is due has mailed what may be mailed, and noted what has to wait
        // still.
        DueKind::Mail => None,
    };
    let mut outcome = outcome.unwrap_or_else(|| Outcome::of(state));
    if !outcome.done.contains(due) {
        outcome.done.push(*due);
    }
    Ok(outcome)
}
