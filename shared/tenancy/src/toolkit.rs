//! Lifecycle events for application planes of AWS SaaS Builder Toolkit, so that an existing one can
//! be attached. Names and format are those of its event definitions (awslabs/sbt-aws). The
//! toolkit's own control plane also sends the administrator's address, which is personal and left
//! out here.

use crate::tenant::Change;
use crate::tenant::{Context, Tenant};
use kernel::{EventId, PlanCode, Tier, Timestamp};
use serde::Serialize;

/// The `source` of the control plane's events.
pub const TOOLKIT_SOURCE: &str = "sbt.control.plane";
/// The `source` of the application plane's answers.
pub const TOOLKIT_ANSWER_SOURCE: &str = "sbt.application.plane";

/// An event that is ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolkitEvent {
    /// The id of the event.
    pub id: EventId,
    /// When it occurred.
    pub at: Timestamp,
    /// The `detail-type`.
    pub detail_type: &'static str,
    /// The `detail`.
    pub detail: ToolkitDetail,
}

/// The `detail` of an event. The registration has the tenant's id too.
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

/// The request for a tenant's resources.
pub(crate) fn onboarding(tenant: &Tenant, tier: Tier, context: &Context) -> ToolkitEvent {
    event("sbt_aws_onboardingRequest", tenant, Some(tier), context)
}

/// The request to remove a tenant's resources.
pub(crate) fn offboarding(tenant: &Tenant, tier: Tier, context: &Context) -> ToolkitEvent {
    event("sbt_aws_offboardingRequest", tenant, Some(tier), context)
}

/// The event for a change of status, if the toolkit has one.
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
