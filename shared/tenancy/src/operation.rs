//! The sign-up as an operation that its caller can follow.

use crate::{Tenant, Username};
use kernel::{Alias, SignupId, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The course of a sign-up, as it is stored. Holds nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signup {
    /// The unguessable handle.
    #[serde(rename = "signup")]
    pub id: SignupId,
    /// The tenant that it makes.
    pub tenant: TenantId,
    /// The tenant's public label.
    pub alias: Alias,
    /// The administrator's name at the identity provider.
    pub username: Username,
    /// When the registration was stored.
    pub registered_at: Timestamp,
    /// When the identity provider took the administrator's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_at: Option<Timestamp>,
    /// Why it last did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_failure: Option<IdentityFailure>,
    /// When the address was confirmed and the tenant became active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
}

/// Why the identity provider did not take an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFailure {
    /// The password breaks the pool's rules.
    PasswordRefused,
    /// The provider, or its trigger, refused the account.
    Refused,
    /// The provider was not reached, or had too much to do.
    Unavailable,
}

impl Signup {
    /// A sign-up of which only the registration is done.
    #[must_use]
    pub const fn registered(id: SignupId, tenant: TenantId, alias: Alias, username: Username, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            alias,
            username,
            registered_at: now,
            identity_at: None,
            identity_failure: None,
            confirmed_at: None,
        }
    }
}

/// What the caller of a sign-up sees of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// The unguessable handle: whoever holds it may read and confirm the operation.
    pub id: SignupId,
    /// The sum of the steps.
    pub state: OperationState,
    /// What the caller can do now.
    pub next: Action,
    /// The tenant's public label.
    pub alias: Alias,
    /// The name to sign in with at the identity provider.
    pub username: Username,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// It waits for the caller.
    Waiting,
    /// A step failed; the caller can repeat it.
    Failed,
    /// The tenant can be used.
    Done,
    /// The tenant is no longer what this operation made.
    Ended,
}

/// What the caller of an operation can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Send the sign-up once more, with the same Idempotency-Key.
    RepeatSignUp,
    /// Send the sign-up once more, with the same Idempotency-Key and another password.
    RepeatSignUpWithOtherPassword,
    /// Send the code that came by mail.
    Confirm,
    /// Wait and look again.
    Wait,
    /// Sign in.
    SignIn,
    /// Nothing: ask the provider.
    None,
}

/// One step of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// How far it is.
    pub state: StepState,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<IdentityFailure>,
}

/// The steps of a sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepName {
    /// The registration is stored in the region.
    Registration,
    /// The identity provider has the administrator's account, and mailed the code.
    Identity,
    /// The administrator confirmed the address.
    Confirmation,
    /// The tenant can be used.
    Activation,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not yet.
    Waiting,
    /// Done.
    Done,
    /// Failed, and can be repeated.
    Failed,
}

impl Operation {
    /// What the caller sees of a sign-up and the tenant that it makes.
    #[must_use]
    pub fn of(signup: &Signup, tenant: &Tenant) -> Self {
        let confirmed = tenant.status != TenantStatus::Pending;
        let active = !matches!(tenant.status, TenantStatus::Pending | TenantStatus::Provisioning);
        // A confirmed address proves an account, even when the note of its making was lost.
        let identity = confirmed || signup.identity_at.is_some();
        let failure = signup.identity_failure.filter(|_| !identity);
        let (state, next) = match (tenant.status, failure) {
            (TenantStatus::Pending, Some(IdentityFailure::PasswordRefused)) => {
                (OperationState::Failed, Action::RepeatSignUpWithOtherPassword)
            }
            (TenantStatus::Pending, Some(_)) => (OperationState::Failed, Action::RepeatSignUp),
            (TenantStatus::Pending, None) if identity => (OperationState::Waiting, Action::Confirm),
            (TenantStatus::Pending, None) => (OperationState::Waiting, Action::RepeatSignUp),
            (TenantStatus::Provisioning, _) => (OperationState::Waiting, Action::Wait),
            (TenantStatus::Active | TenantStatus::Relocating, _) => (OperationState::Done, Action::SignIn),
            (TenantStatus::Suspended | TenantStatus::Closing | TenantStatus::Closed, _) => {
                (OperationState::Ended, Action::None)
            }
        };
        let identity_step = match failure {
            Some(reason) => Step { name: StepName::Identity, state: StepState::Failed, at: None, reason: Some(reason) },
            None => step(StepName::Identity, identity, signup.identity_at),
        };
        Self {
            id: signup.id,
            state,
            next,
            alias: signup.alias.clone(),
            username: signup.username,
            steps: vec![
                step(StepName::Registration, true, Some(signup.registered_at)),
                identity_step,
                step(StepName::Confirmation, confirmed, signup.confirmed_at),
                step(StepName::Activation, active, signup.confirmed_at),
            ],
        }
    }
}

const fn step(name: StepName, done: bool, at: Option<Timestamp>) -> Step {
    let state = if done { StepState::Done } else { StepState::Waiting };
    Step { name, state, at, reason: None }
}
