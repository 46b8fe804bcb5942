//! The progress of onboardings that home handed over to a region.

use super::bus_event;
use crate::envelope::Moment;
use kernel::{Alias, OnboardingId, ReasonCode, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The steps of a sign-up.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum StepName {
    /// The registration is stored in the region.
    Registration,
    /// The identity provider has the administrator's account and mailed the code.
    Identity,
    /// The administrator confirmed the address.
    Confirmation,
    /// The application made the tenant's resources.
    Provisioning,
    /// The tenant's address resolves to the region.
    Routing,
    /// The tenant is ready for use.
    Activation,
}

/// The state of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not done yet.
    Waiting,
    /// Done.
    Done,
    /// Failed. The operation shows whether it can be retried.
    Failed,
}

/// One step of a sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Step {
    /// The name of the step.
    pub name: StepName,
    /// Its state.
    pub state: StepState,
    /// When it was done or failed, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonCode>,
}

/// The progress of an onboarding that home handed over. Stream: the tenant's; the sequence is the
/// revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnboardingProgressed {
    /// Home's operation.
    pub onboarding: OnboardingId,
    /// The tenant that it creates.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Grows with every change of the sign-up: the highest one is current.
    pub revision: u64,
}
bus_event!(OnboardingProgressed, 1, "meridian.tenancy");
