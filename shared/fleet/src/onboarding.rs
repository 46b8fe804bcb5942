//! Central onboardings and their progress as home knows it.

use crate::directory::DirectoryEntry;
use contract::{Step, StepName, StepState};
use jiff::SignedDuration;
use kernel::{Alias, OnboardingId, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long an onboarding is stored.
pub const ONBOARDING_KEPT_DAYS: i64 = 90;

/// How long the key of an onboarding is valid. A region recognises the key of a sign-up for seven
/// days; home's key expires earlier, so that a repetition never reaches a region that no longer
/// recognises the first request.
pub const ONBOARDING_KEY_KEPT_DAYS: i64 = 6;

/// An onboarding that home handed over to a region. It holds no personal data, and not the handle
/// by which the region shows the sign-up.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarding {
    /// The unguessable handle.
    #[serde(rename = "onboarding")]
    pub id: OnboardingId,
    /// The chosen region, which never changes.
    pub region: RegionCode,
    /// The fingerprint of the requested placement.
    #[serde(default)]
    pub placement: String,
    /// When it was requested.
    pub created_at: Timestamp,
    /// The tenant that it creates, once the region has reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The tenant's alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// The steps, as the region published them last.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The revision of these steps: the highest one is current. 0 before the first.
    #[serde(default)]
    pub revision: u64,
}

impl std::fmt::Debug for Onboarding {
    /// Omits the handle, with which anybody could read the onboarding.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            id: _,
            region,
            placement: _,
            created_at,
            tenant,
            alias: _,
            steps,
            revision,
        } = self;
        f.debug_struct("Onboarding")
            .field("region", region)
            .field("created_at", created_at)
            .field("tenant", tenant)
            .field("steps", steps)
            .field("revision", revision)
            .finish_non_exhaustive()
    }
}

/// The state of an onboarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnboardingState {
    /// Home does not know yet whether the region accepted it.
    Forwarding,
    /// The region accepted it, and it is not finished.
    Waiting,
    /// A step failed.
    Failed,
    /// The tenant is ready for use.
    Done,
    /// The tenant is closed, or its sign-up was never confirmed.
    Ended,
}

/// The next step that the caller of an onboarding can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnboardingAction {
    /// Send the same request again, with the same Idempotency-Key.
    RepeatOnboarding,
    /// Have the administrator send the mailed code to the sign-up in its region.
    Confirm,
    /// Read the sign-up in its region, which shows the next step.
    FollowSignUp,
    /// Wait, then read the onboarding again.
    Wait,
    /// Have the administrator sign in.
    SignIn,
    /// Nothing.
    None,
}

/// The state of an onboarding and the next step of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The state.
    pub state: OnboardingState,
    /// The next step of the caller.
    pub next: OnboardingAction,
}

impl Onboarding {
    /// An onboarding that is about to be handed over.
    #[must_use]
    pub const fn new(id: OnboardingId, region: RegionCode, created_at: Timestamp) -> Self {
        Self {
            id,
            region,
            placement: String::new(),
            created_at,
            tenant: None,
            alias: None,
            steps: Vec::new(),
            revision: 0,
        }
    }

    /// When it is deleted.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.days_after(ONBOARDING_KEPT_DAYS)
    }

    /// When its key expires. The key then stands for a new onboarding.
    #[must_use]
    pub fn key_expires_at(&self) -> Timestamp {
        self.days_after(ONBOARDING_KEY_KEPT_DAYS)
    }

    fn days_after(&self, days: i64) -> Timestamp {
        self.created_at
            .saturating_add(SignedDuration::from_hours(24 * days))
            .unwrap_or(Timestamp::MAX)
    }

    /// The state and the next step. They follow from the steps, so that a response agrees with the
    /// steps in it: a tenant's events arrive in any order, and the directory may have an active
    /// tenant before its last step arrives. Only a closed tenant is taken from the directory, since
    /// no step shows it.
    #[must_use]
    pub fn outlook(&self, entry: Option<&DirectoryEntry>) -> Outlook {
        if entry.is_some_and(|entry| entry.status == TenantStatus::Closed) {
            outlook(OnboardingState::Ended, OnboardingAction::None)
        } else {
            self.outlook_of_steps()
        }
    }

    fn outlook_of_steps(&self) -> Outlook {
        use OnboardingAction::{Confirm, FollowSignUp, RepeatOnboarding, SignIn, Wait};
        use OnboardingState::{Done, Failed, Forwarding, Waiting};
        let open = self.steps.iter().find(|step| step.state != StepState::Done);
        match (open.map(|step| (step.name, step.state)), self.tenant) {
            (None, None) => outlook(Forwarding, RepeatOnboarding),
            (None, Some(_)) if self.steps.is_empty() => outlook(Waiting, FollowSignUp),
            (None, Some(_)) => outlook(Done, SignIn),
            (Some((StepName::Registration | StepName::Identity, StepState::Failed)), _) => {
                outlook(Failed, RepeatOnboarding)
            }
            (Some((_, StepState::Failed)), _) => outlook(Failed, FollowSignUp),
            (Some((StepName::Registration | StepName::Identity, _)), _) => {
                outlook(Waiting, RepeatOnboarding)
            }
            (Some((StepName::Confirmation, _)), _) => outlook(Waiting, Confirm),
            (Some(_), _) => outlook(Waiting, Wait),
        }
    }
}

const fn outlook(state: OnboardingState, next: OnboardingAction) -> Outlook {
    Outlook { state, next }
}
