//! The lifecycle events that application planes of AWS SaaS Builder Toolkit subscribe to, so that
//! an existing one can be attached. Names and shape are those of its event definitions
//! (awslabs/sbt-aws). The address of the administrator, which the toolkit's own control plane sends
//! along, is personal and left out.

use crate::tenant::Change;
use crate::{Context, Tenant};
use kernel::{EventId, PlanCode, Tier, Timestamp};
use serde::Serialize;

/// The `source` of what the control plane states.
pub const TOOLKIT_SOURCE: &str = "sbt.control.plane";
/// The `source` of what the application plane answers.
pub const TOOLKIT_ANSWER_SOURCE: &str = "sbt.application.plane";

/// One event, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolkitEvent {
    /// Its identity.
    pub id: EventId,
    /// When it became true.
    pub at: Timestamp,
    /// The `detail-type`.
    pub detail_type: &'static str,
    /// What it says.
    pub detail: ToolkitDetail,
}

/// The `detail` of an event: the registration is known by the tenant's id as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolkitDetail {
    tenant_registration_id: String,
    tenant_id: String,
    tenant_name: String,
    plan: PlanCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,
}

/// The application is asked for resources.
pub(crate) fn onboarding(tenant: &Tenant, tier: Tier, context: &Context) -> ToolkitEvent {
    event("sbt_aws_onboardingRequest", tenant, Some(tier), context)
}

/// The application is asked to remove them.
pub(crate) fn offboarding(tenant: &Tenant, tier: Tier, context: &Context) -> ToolkitEvent {
    event("sbt_aws_offboardingRequest", tenant, Some(tier), context)
}

/// What a change of status means to the application.
pub(crate) fn of_change(
    tenant: &Tenant,
    change: Change,
    context: &Context,
) -> Option<ToolkitEvent> {
    match change {
        Change::Suspend | Change::Close => {
            Some(event("sbt_aws_deactivateRequest", tenant, None, context))
        }
        Change::Reactivate | Change::Reopen => {
            Some(event("sbt_aws_activateRequest", tenant, None, context))
        }
        Change::Provision
        | Change::Activate
        | Change::Expire
        | Change::Resuspend
        | Change::End
        | Change::Relocate
        | Change::Return => None,
    }
}

fn event(
    detail_type: &'static str,
    tenant: &Tenant,
    tier: Option<Tier>,
    context: &Context,
) -> ToolkitEvent {
    ToolkitEvent {
        id: context.event_of(detail_type),
        at: context.now,
        detail_type,
        detail: ToolkitDetail {
            tenant_registration_id: tenant.id.to_string(),
            tenant_id: tenant.id.to_string(),
            tenant_name: tenant.alias.to_string(),
            plan: tenant.plan.clone(),
            tier,
        },
    }
}
