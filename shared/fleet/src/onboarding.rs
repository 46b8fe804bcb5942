//! A central onboarding: how far home knows it to be.

use crate::DirectoryEntry;
use contract::{Step, StepName, StepState};
use jiff::SignedDuration;
use kernel::{Alias, OnboardingId, RegionCode, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long an onboarding is kept.
pub const ONBOARDING_KEPT_DAYS: i64 = 90;

/// How long the key of an onboarding is known: less than a region knows the key of a sign-up, which
/// is seven days, so that a repetition never meets a region that has forgotten the first.
pub const ONBOARDING_KEY_KEPT_DAYS: i64 = 6;

/// An onboarding that home handed over to a region. Holds nothing of the person's, and not the
/// handle by which the region shows the sign-up.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarding {
    /// The unguessable handle.
    #[serde(rename = "onboarding")]
    pub id: OnboardingId,
    /// The region that was chosen for it, once and for all.
    pub region: RegionCode,
    /// What the key tells of where the tenant was wanted.
    #[serde(default)]
    pub placement: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The tenant that it makes, once the region has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The tenant's public subdomain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// The steps, as the region last published them.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The revision of that statement: the highest wins. 0 before the first.
    #[serde(default)]
    pub revision: u64,
}

impl std::fmt::Debug for Onboarding {
    /// Leaves out the handle, by which anybody could read the onboarding.
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

/// How far an onboarding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnboardingState {
    /// Home does not know that the region took it.
    Forwarding,
    /// The region took it, and it is not finished.
    Waiting,
    /// A step failed.
    Failed,
    /// The tenant can be used.
    Done,
    /// The tenant is closed, or its sign-up was never confirmed.
    Ended,
}

/// What the caller of an onboarding can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnboardingAction {
    /// Send the same request once more, with the same Idempotency-Key.
    RepeatOnboarding,
    /// Have the administrator send the code that came by mail to the sign-up in its region.
    Confirm,
    /// Look at the sign-up in its region, which says what can be done.
    FollowSignUp,
    /// Wait and look again.
    Wait,
    /// Have the administrator sign in.
    SignIn,
    /// Nothing.
    None,
}

/// How far an onboarding is, and what its caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// How far it is.
    pub state: OnboardingState,
    /// What its caller can do.
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

    /// When it is forgotten.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.days_after(ONBOARDING_KEPT_DAYS)
    }

    /// When its key is forgotten, and stands for a new onboarding if it is used again.
    #[must_use]
    pub fn key_expires_at(&self) -> Timestamp {
        self.days_after(ONBOARDING_KEY_KEPT_DAYS)
    }

    fn days_after(&self, days: i64) -> Timestamp {
        self.created_at
            .saturating_add(SignedDuration::from_hours(24 * days))
            .unwrap_or(Timestamp::MAX)
    }

    /// How far it is. Its steps tell, so that an answer which shows them agrees with them: the
    /// statements of a tenant come in no order, and the directory may know a tenant that is in use
    /// before its last step is published. That a tenant is closed, no step tells.
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
