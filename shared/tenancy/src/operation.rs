//! The sign-up as an operation whose progress its caller can follow.

use crate::mails::OwedMail;
use crate::settings::Settings;
use crate::tenant::Tenant;
use crate::user::Username;
use contract::{Step, StepName, StepState};
use kernel::{
    Alias, KnownReason, OnboardingId, ReasonCode, SignupId, TenantId, TenantStatus, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The stored progress of a sign-up. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signup {
    /// The unguessable handle.
    #[serde(rename = "signup")]
    pub id: SignupId,
    /// The tenant that it creates.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// The administrator's name at the identity provider.
    pub username: Username,
    /// Home's operation, if home handed the sign-up over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onboarding: Option<OnboardingId>,
    /// Grows by one with every published change.
    pub revision: u64,
    /// When the registration was stored.
    pub registered_at: Timestamp,
    /// The deadline of the confirmation.
    pub confirm_by: Timestamp,
    /// When the identity provider accepted the administrator's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_at: Option<Timestamp>,
    /// Why the last attempt to create the account failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_failure: Option<IdentityFailure>,
    /// The code that is still to be mailed, since the address had reached its limit. No response
    /// reveals it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_owed: Option<OwedMail>,
    /// When the address was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// When the tenant became active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// When the tenant's address began to resolve to the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed_at: Option<Timestamp>,
    /// When the deadline of the confirmation passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
}

impl Signup {
    /// Records that the tenant is active. Without a hosted zone its address needs no record.
    pub(crate) fn activate(&mut self, settings: &Settings, now: Timestamp) {
        self.activated_at = Some(now);
        if !settings.is_routed {
            self.routed_at = Some(now);
        }
    }
}

/// Why the identity provider did not create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFailure {
    /// The password breaks the pool's rules.
    PasswordRefused,
    /// The provider, or its trigger, refused the account.
    Refused,
    /// The provider could not be reached or was overloaded.
    Unavailable,
}

impl From<IdentityFailure> for ReasonCode {
    fn from(failure: IdentityFailure) -> Self {
        match failure {
            IdentityFailure::PasswordRefused => KnownReason::PasswordRefused.into(),
            IdentityFailure::Refused => KnownReason::Refused.into(),
            IdentityFailure::Unavailable => KnownReason::Unavailable.into(),
        }
    }
}

/// A sign-up as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Operation {
    /// The unguessable handle. Its holder may read and confirm the operation.
    pub id: SignupId,
    /// The state that results from the steps.
    pub state: OperationState,
    /// What the caller can do now.
    pub next: Action,
    /// The tenant that it creates.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// The name to sign in with at the identity provider.
    pub username: Username,
    /// The deadline of the confirmation.
    pub confirm_by: Timestamp,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// The operation waits for the caller or for the application.
    Waiting,
    /// A step failed.
    Failed,
    /// The tenant is ready for use.
    Done,
    /// The tenant is no longer active: suspended, closing or closed.
    Ended,
}

/// The next step that the caller of an operation can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = OperationAction)]
pub enum Action {
    /// Send the sign-up again, with the same Idempotency-Key.
    RepeatSignUp,
    /// Send the sign-up again, with the same Idempotency-Key and another password.
    RepeatSignUpWithOtherPassword,
    /// Send the code that came by mail.
    Confirm,
    /// Wait, then read the operation again.
    Wait,
    /// Request the resources again.
    RetryProvisioning,
    /// Sign in.
    SignIn,
    /// Start a new sign-up: this one has expired.
    SignUpAnew,
    /// Nothing: contact the provider.
    None,
}

impl Operation {
    /// Describes a sign-up and its tenant for the caller.
    #[must_use]
    pub fn of(signup: &Signup, tenant: &Tenant) -> Self {
        let (state, next) = sum(signup, tenant);
        Self {
            id: signup.id,
            state,
            next,
            tenant: tenant.id,
            alias: signup.alias.clone(),
            username: signup.username,
            confirm_by: signup.confirm_by,
            steps: steps(signup, tenant),
        }
    }
}

fn sum(signup: &Signup, tenant: &Tenant) -> (OperationState, Action) {
    let provisioning_failure = tenant
        .provisioning
        .as_ref()
        .and_then(|open| open.failure.as_ref());
    match tenant.status {
        TenantStatus::Pending => match identity_failure(signup) {
            Some(IdentityFailure::PasswordRefused) => (
                OperationState::Failed,
                Action::RepeatSignUpWithOtherPassword,
            ),
            Some(_) => (OperationState::Failed, Action::RepeatSignUp),
            None if signup.identity_at.is_some() => (OperationState::Waiting, Action::Confirm),
            // The account was neither created nor refused: the request was cut off.
            None => (OperationState::Waiting, Action::RepeatSignUp),
        },
        TenantStatus::Provisioning => match provisioning_failure {
            Some(failure) if failure.retryable => {
                (OperationState::Failed, Action::RetryProvisioning)
            }
            Some(_) => (OperationState::Failed, Action::None),
            None => (OperationState::Waiting, Action::Wait),
        },
        TenantStatus::Active | TenantStatus::Relocating => (OperationState::Done, Action::SignIn),
        TenantStatus::Closed if signup.expired_at.is_some() => {
            (OperationState::Ended, Action::SignUpAnew)
        }
        TenantStatus::Suspended | TenantStatus::Closing | TenantStatus::Closed => {
            (OperationState::Ended, Action::None)
        }
    }
}

/// Every step of a sign-up, in order.
pub(crate) fn steps(signup: &Signup, tenant: &Tenant) -> Vec<Step> {
    let confirmed = signup.confirmed_at;
    // Only an existing account can confirm its address, even if the record of its creation was
    // lost.
    let identity = match identity_failure(signup) {
        Some(reason) => failed(StepName::Identity, None, reason.into()),
        None => step(StepName::Identity, signup.identity_at.or(confirmed)),
    };
    let confirmation = match signup.expired_at.filter(|_| confirmed.is_none()) {
        Some(at) => failed(
            StepName::Confirmation,
            Some(at),
            KnownReason::Expired.into(),
        ),
        None => step(StepName::Confirmation, confirmed),
    };
    let asked = tenant.provisioning.as_ref();
    let provisioning = match asked.and_then(|open| open.failure.as_ref()) {
        Some(failure) => failed(
            StepName::Provisioning,
            Some(failure.at),
            failure.reason.clone(),
        ),
        None => step(
            StepName::Provisioning,
            asked.map_or(signup.activated_at, |open| open.done_at),
        ),
    };
    vec![
        step(StepName::Registration, Some(signup.registered_at)),
        identity,
        confirmation,
        provisioning,
        step(StepName::Routing, signup.routed_at),
        step(StepName::Activation, signup.activated_at),
    ]
}

fn identity_failure(signup: &Signup) -> Option<IdentityFailure> {
    signup
        .identity_failure
        .filter(|_| signup.identity_at.is_none() && signup.confirmed_at.is_none())
}

fn step(name: StepName, at: Option<Timestamp>) -> Step {
    let state = if at.is_some() {
        StepState::Done
    } else {
        StepState::Waiting
    };
    Step {
        name,
        state,
        at,
        reason: None,
    }
}

fn failed(name: StepName, at: Option<Timestamp>, reason: ReasonCode) -> Step {
    Step {
        name,
        state: StepState::Failed,
        at,
        reason: Some(reason),
    }
}
