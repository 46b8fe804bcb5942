//! Invitations and users: who may join a tenant, and in which role.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, MemberChange, State};
use crate::code::pasted;
use crate::idempotency::KeyDigest;
use crate::mails::OwedMail;
use crate::personal::{EmailAddress, PersonName};
use crate::settings::after;
use crate::tenant::{Context, Refusal};
use crate::user::{Consent, Origin, User, Username};
use jiff::SignedDuration;
use kernel::{Invalid, InvitationId, Role, TenantId, TenantStatus, Timestamp};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The validity of an invitation: a week.
pub const INVITATION_VALID: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most open invitations of a tenant.
pub const INVITATIONS_MAX: u64 = 200;
/// The most users of a tenant.
pub const USERS_MAX: u64 = 5_000;
/// The most mails with one invitation at the tenant's request.
pub const SENDINGS_MAX: u32 = 10;

/// The invitation of a person to a tenant. Personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The id, derived from tenant and address.
    pub id: InvitationId,
    /// The tenant.
    pub tenant: TenantId,
    /// The person's address.
    pub email: EmailAddress,
    /// The person's future role.
    pub role: Role,
    /// The digest of the code that was mailed last. Earlier codes are invalid.
    pub code: KeyDigest,
    /// The inviter: an administrator of the tenant, or an operator of the provider.
    pub invited_by: Actor,
    /// When it was created.
    pub created_at: Timestamp,
    /// The time from which it can no longer be accepted.
    pub valid_until: Timestamp,
    /// How many mails the tenant requested. Requests of operators are not counted.
    pub sendings: u32,
    /// The mail that is still to be sent, since the address had reached its limit.
    pub owed: Option<OwedMail>,
}

impl Invitation {
    /// The administrator who invited; `None` for an operator.
    #[must_use]
    pub const fn inviter(&self) -> Option<Username> {
        match self.invited_by {
            Actor::User(username) => Some(username),
            _ => None,
        }
    }
}

/// The secret that is mailed to an invited person.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationCode {
    invitation: InvitationId,
    secret: Uuid,
}

impl InvitationCode {
    /// A code of 16 random bytes.
    #[must_use]
    pub const fn from_random(invitation: InvitationId, secret: [u8; 16]) -> Self {
        Self {
            invitation,
            secret: Uuid::from_bytes(secret),
        }
    }

    /// The invitation that it is for.
    #[must_use]
    pub const fn invitation(&self) -> InvitationId {
        self.invitation
    }

    /// The code itself, for the mail and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.invitation, self.secret.simple())
    }

    /// The digest that is stored.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of("invitation", &self.reveal())
    }
}

impl FromStr for InvitationCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "invitation code",
            rule: "the code of the invitation's mail",
        };
        let code = pasted(text).ok_or(invalid)?;
        let (invitation, secret) = code.split_once('.').ok_or(invalid)?;
        // A UUID without hyphens has 32 digits. `try_parse` accepts longer spellings too.
        let uuid = |text: &str| {
            Uuid::try_parse(text)
                .ok()
                .filter(|_| text.len() == 32)
                .ok_or(invalid)
        };
        Ok(Self {
            invitation: InvitationId::from_uuid(uuid(invitation)?),
            secret: uuid(secret)?,
        })
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationCode(..)")
    }
}

/// A request for an invitation.
#[derive(Debug, Clone)]
pub struct Invite<'a> {
    /// The person's address.
    pub email: &'a EmailAddress,
    /// The person's future role.
    pub role: Role,
    /// The code that will be mailed.
    pub code: &'a InvitationCode,
    /// The mail to be sent later, if the address has reached its limit.
    pub owed: Option<OwedMail>,
    /// The inviter: an administrator of the tenant, or an operator of the provider.
    pub by: Actor,
}

/// Creates an invitation, or sends the open one to the same address again with a new code. The code
/// that was mailed before stays valid while the new mail has to wait.
///
/// # Errors
/// When the tenant is not active or the person is its user. Also, unless an operator invites, when
/// the tenant is full or has had the invitation mailed too often.
pub fn decide_invitation(
    state: &State,
    invite: &Invite<'_>,
    open: Option<&Invitation>,
    is_member: bool,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let tenant = &state.tenant;
    if !takes_members(tenant.status, invite.by) {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    if is_member {
        return Err(Refusal::AlreadyMember);
    }
    let sendings = open.map_or(0, |open| open.sendings);
    let full =
        open.is_none() && (tenant.invitations >= INVITATIONS_MAX || tenant.users >= USERS_MAX);
    // Operators invite one person at a time, so the tenant's own use of the limits must not block
    // them.
    let by_tenant = !matches!(invite.by, Actor::Operator);
    if by_tenant && (full || sendings >= SENDINGS_MAX) {
        return Err(Refusal::Full);
    }
    let mut changes = ChangeSet::of(state);
    let mailed_before = open.filter(|_| invite.owed.is_some());
    changes.tenant.invitations += u64::from(open.is_none());
    let id = invite.code.invitation();
    let action = if open.is_some() {
        AuditAction::ResendInvitation
    } else {
        AuditAction::Invite
    };
    changes.note(invite.by, action, Some(id.to_string()), context);
    changes
        .members
        .push(MemberChange::Invite(Box::new(Invitation {
            id,
            tenant: tenant.id,
            email: invite.email.clone(),
            role: invite.role,
            code: mailed_before.map_or_else(|| invite.code.digest(), |open| open.code.clone()),
            invited_by: invite.by,
            created_at: open.map_or(context.now, |open| open.created_at),
            valid_until: after(context.now, INVITATION_VALID),
            sendings: sendings + u32::from(by_tenant),
            owed: invite.owed.clone(),
        })));
    changes
        .due
        .extend(invite.owed.iter().map(|owed| owed.due(tenant.id)));
    Ok(changes)
}

/// Records what happened to the waiting mail of an open invitation. With `code`, a mail with this
/// code is about to be sent. With `owed`, the mail has to wait until then; without it, the mail was
/// sent.
#[must_use]
pub fn decide_invitation_mail(
    state: &State,
    open: &Invitation,
    code: Option<&InvitationCode>,
    owed: Option<OwedMail>,
) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    if owed != open.owed {
        changes
            .due
            .extend(owed.iter().map(|owed| owed.due(state.tenant.id)));
    }
    let code = code.map_or_else(|| open.code.clone(), InvitationCode::digest);
    changes
        .members
        .push(MemberChange::Invite(Box::new(Invitation {
            code,
            owed,
            ..open.clone()
        })));
    changes
}

/// Whether a tenant with this status accepts new members. An operator can give a suspended tenant
/// an administrator, since that person may have to pay what it is suspended for.
const fn takes_members(status: TenantStatus, invited_by: Actor) -> bool {
    match status {
        TenantStatus::Active => true,
        TenantStatus::Suspended => matches!(invited_by, Actor::Operator),
        _ => false,
    }
}

/// Withdraws an invitation.
#[must_use]
pub fn decide_withdrawal(
    state: &State,
    open: &Invitation,
    by: Username,
    context: &Context,
) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    changes.tenant.invitations = changes.tenant.invitations.saturating_sub(1);
    changes.members.push(MemberChange::CloseInvitation(open.id));
    changes.note(
        Actor::User(by),
        AuditAction::WithdrawInvitation,
        Some(open.id.to_string()),
        context,
    );
    changes
}

/// Corrects the number of open invitations if fewer exist than are counted. Expired ones are
/// removed by the table without a notice.
#[must_use]
pub fn decide_recount(state: &State, open: u64) -> Option<ChangeSet> {
    let mut changes = ChangeSet::of(state);
    changes.tenant.invitations = open;
    (open < state.tenant.invitations).then_some(changes)
}

/// Lets an invited person join. The account is created afterwards, by a caller who knows the code.
///
/// `inviter` is the current user record of the inviter: an invitation is valid only as long as its
/// author is an administrator. An operator's invitation needs no inviter.
///
/// # Errors
/// When the code is not the latest one of this invitation, the invitation has expired, the inviter
/// is no longer an administrator, or the tenant accepts nobody.
pub fn decide_acceptance(
    state: &State,
    open: &Invitation,
    inviter: Option<&User>,
    code: &InvitationCode,
    name: PersonName,
    consents: Vec<Consent>,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let tenant = &state.tenant;
    let vouched = match open.invited_by {
        Actor::Operator => true,
        by => {
            inviter.is_some_and(|user| Actor::User(user.username) == by && user.role == Role::Admin)
        }
    };
    let holds = vouched
        && open.code == code.digest()
        && open.tenant == tenant.id
        && context.now < open.valid_until;
    if !holds {
        return Err(Refusal::NoInvitation);
    }
    if !takes_members(tenant.status, open.invited_by) {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    let username = Username::of(&tenant.alias, &open.email);
    let mut changes = ChangeSet::of(state);
    changes.tenant.invitations = tenant.invitations.saturating_sub(1);
    changes.tenant.users += 1;
    changes.members.push(MemberChange::CloseInvitation(open.id));
    changes.members.push(MemberChange::Join(Box::new(User {
        username,
        tenant: tenant.id,
        role: open.role,
        name,
        email: open.email.clone(),
        origin: Origin::Invitation(open.code.clone()),
        account: None,
        consents,
        created_at: context.now,
        confirmed_at: None,
    })));
    changes.note(
        Actor::User(username),
        AuditAction::AcceptInvitation,
        Some(open.id.to_string()),
        context,
    );
    Ok(changes)
}

/// Whether this code can complete an acceptance that was cut off before the account was created.
#[must_use]
pub fn may_complete(user: &User, code: &InvitationCode, now: Timestamp) -> bool {
    let proves = user.origin == Origin::Invitation(code.digest());
    proves && user.confirmed_at.is_none() && now < after(user.created_at, INVITATION_VALID)
}

/// Records that an invited user's account exists. `None` if that is recorded already.
#[must_use]
pub fn decide_joined(state: &State, user: &User, context: &Context) -> Option<ChangeSet> {
    if user.confirmed_at.is_some() {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    changes.tenant.admins += u64::from(user.role == Role::Admin);
    changes
        .members
        .push(MemberChange::Confirm(user.username, context.now));
    Some(changes)
}

/// Changes a user's role. `None` if the user has it already.
///
/// # Errors
/// When the tenant would have no administrator left.
pub fn decide_role(
    state: &State,
    user: &User,
    role: Role,
    by: Actor,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    if user.role == role {
        return Ok(None);
    }
    let mut changes = ChangeSet::of(state);
    // An invited user counts as an administrator only once the account exists.
    if user.confirmed_at.is_some() {
        changes.tenant.admins = match role {
            Role::Admin => changes.tenant.admins + 1,
            Role::Member if changes.tenant.admins <= 1 => return Err(Refusal::LastAdmin),
            Role::Member => changes.tenant.admins - 1,
        };
    }
    changes
        .members
        .push(MemberChange::Role(user.username, role));
    changes.note(
        by,
        AuditAction::ChangeRole,
        Some(user.username.to_string()),
        context,
    );
    Ok(Some(changes))
}

/// Removes a user.
///
/// # Errors
/// When the tenant would have no administrator left.
pub fn decide_removal(
    state: &State,
    user: &User,
    by: Username,
    context: &Context,
) -> Result<ChangeSet, Refusal> {
    let mut changes = ChangeSet::of(state);
    if user.role == Role::Admin && user.confirmed_at.is_some() {
        if changes.tenant.admins <= 1 {
            return Err(Refusal::LastAdmin);
        }
        changes.tenant.admins -= 1;
    }
    changes.tenant.users = changes.tenant.users.saturating_sub(1);
    changes
        .members
        .push(MemberChange::Leave(Box::new(user.clone())));
    // Otherwise the tenant's own provider would let the person in again at the next sign-in.
    if user.origin == Origin::Federation && by != user.username {
        changes.members.push(MemberChange::Block(user.username));
    }
    changes.note(
        Actor::User(by),
        AuditAction::RemoveUser,
        Some(user.username.to_string()),
        context,
    );
    Ok(changes)
}

/// Removes a user whose account is gone from the identity provider. The tenant may end up without
/// an administrator; an operator can give it a new one.
#[must_use]
pub fn decide_lost(state: &State, user: &User, context: &Context) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    let was_admin = user.role == Role::Admin && user.confirmed_at.is_some();
    changes.tenant.admins = changes.tenant.admins.saturating_sub(u64::from(was_admin));
    changes.tenant.users = changes.tenant.users.saturating_sub(1);
    changes
        .members
        .push(MemberChange::Leave(Box::new(user.clone())));
    let target = Some(user.username.to_string());
    changes.note(
        Actor::IdentityProvider,
        AuditAction::LoseAccount,
        target,
        context,
    );
    changes
}

/// Changes the organisation's name, the language, or both. An absent value stays as it is.
#[must_use]
pub fn decide_profile(
    state: &State,
    organisation: Option<crate::OrganisationName>,
    language: Option<kernel::Language>,
    by: Username,
    context: &Context,
) -> ChangeSet {
    let mut changes = ChangeSet::of(state);
    changes.organisation = organisation;
    changes.tenant.language = language.unwrap_or(changes.tenant.language);
    changes.note(Actor::User(by), AuditAction::ChangeProfile, None, context);
    changes
}
