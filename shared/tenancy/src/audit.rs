//! The audit trail of a tenant. It stays in the region and names people by username only.

use crate::user::Username;
use kernel::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of a tenant's audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// The id of the entry.
    pub id: EventId,
    /// The time, in UTC.
    pub at: Timestamp,
    /// Who acted.
    pub actor: Actor,
    /// The action.
    pub action: AuditAction,
    /// The user, invitation, plan or status acted on: an id or a code, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The name of the problem if the action was refused; absent if it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A user of the tenant, or a user of another tenant who tried.
    User(Username),
    /// The holder of a sign-up's handle or of a closure's code.
    Holder,
    /// Home, on behalf of an operator.
    Operator,
    /// The application plane.
    Application,
    /// A deadline that passed.
    Clock,
    /// The region's user pool, where people can delete their own accounts.
    IdentityProvider,
}

/// An action that was done or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditAction {
    /// A sign-up was registered.
    SignUp,
    /// The tenant's status changed; the target is the new one.
    ChangeStatus,
    /// The application failed to make or to remove the resources; the target is the reason.
    FailProvisioning,
    /// The resources were requested again.
    RetryProvisioning,
    /// The tenant was read.
    ReadTenant,
    /// The organisation's name was changed.
    ChangeProfile,
    /// The users were listed.
    ListUsers,
    /// A user's role was changed.
    ChangeRole,
    /// A user was removed.
    RemoveUser,
    /// A user was removed because the user pool no longer has the account.
    LoseAccount,
    /// The invitations were listed.
    ListInvitations,
    /// A person was invited.
    Invite,
    /// An invitation was sent again.
    ResendInvitation,
    /// An invitation was withdrawn.
    WithdrawInvitation,
    /// An invitation was accepted.
    AcceptInvitation,
    /// Another plan was requested; the target is the plan.
    RequestPlan,
    /// A plan came into force; the target is the plan.
    ChangePlan,
    /// The tenant's usage thresholds were read.
    ReadAlertThresholds,
    /// The tenant's own usage thresholds were set.
    SetAlertThresholds,
    /// A subdomain was requested.
    ReserveSubdomain,
    /// The subdomain and the pending request for one were released.
    ReleaseAddress,
    /// A request for a subdomain was completed; the target is `active` or `refused`.
    ChangeAddress,
    /// The closure was requested.
    Close,
    /// The closure was undone.
    UndoClosure,
    /// The audit trail was read.
    ReadAudit,
    /// The machine clients were listed.
    ListClients,
    /// A machine client was made; the target is its id.
    CreateClient,
    /// A machine client was replaced; the target is the old client's id.
    RotateClient,
    /// A machine client was revoked.
    RevokeClient,
    /// The tenant's own identity provider was read.
    ReadIdentityProvider,
    /// The tenant's own identity provider was set.
    SetIdentityProvider,
    /// The tenant's own identity provider was removed.
    RemoveIdentityProvider,
    /// A person joined through the tenant's own identity provider.
    JoinByProvider,
}
