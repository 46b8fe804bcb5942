//! Who did what in a tenant: the audit trail. It stays in the region, and names people by username
//! only.

use crate::Username;
use kernel::{EventId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of a tenant's trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// The entry's identity.
    pub id: EventId,
    /// When, UTC.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: AuditAction,
    /// On which user, invitation, plan or status: an id or a code, never a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Why it was refused, as the problem's name; absent for what was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A user of the tenant, or of another one that tried.
    User(Username),
    /// Who holds the handle of a sign-up, or the code of a closure.
    Holder,
    /// Home, on behalf of an operator.
    Operator,
    /// The application plane.
    Application,
    /// The passing of time.
    Clock,
    /// The region's user pool, where people can delete their own accounts.
    IdentityProvider,
}

/// What was done, or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditAction {
    /// A sign-up was registered.
    SignUp,
    /// The tenant's status changed; the target is the new one.
    ChangeStatus,
    /// The application did not make, or not remove, the resources; the target is the reason.
    FailProvisioning,
    /// The resources were asked for once more.
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
    /// The user pool has the account of a user no more, so the user was removed.
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
    /// Another plan was asked for; the target is the plan.
    RequestPlan,
    /// A plan came into force; the target is the plan.
    ChangePlan,
    /// The levels of usage that the tenant has were read.
    ReadAlertThresholds,
    /// The tenant's own levels of usage were set.
    SetAlertThresholds,
    /// A subdomain was asked for.
    ReserveSubdomain,
    /// The subdomain, and what was asked for, was given up.
    ReleaseAddress,
    /// What was asked for came about or did not; the target is `active` or `refused`.
    ChangeAddress,
    /// The end was asked for.
    Close,
    /// That was taken back.
    UndoClosure,
    /// The trail was read.
    ReadAudit,
    /// The machine clients were listed.
    ListClients,
    /// A machine client was made; the target is its id.
    CreateClient,
    /// A machine client got a successor; the target is the old one's id.
    RotateClient,
    /// A machine client was revoked.
    RevokeClient,
    /// The tenant's own identity provider was read.
    ReadIdentityProvider,
    /// The tenant's own identity provider was set.
    SetIdentityProvider,
    /// The tenant's own identity provider was removed.
    RemoveIdentityProvider,
    /// A person joined for whom the tenant's own identity provider vouches.
    JoinByProvider,
}
