use super::*;
use kernel::Role;

fn admin() -> Username {
    sign_up().user.username
}

fn code(secret: u8) -> InvitationCode {
    let email: EmailAddress = "bob@engines.example".parse().unwrap();
    InvitationCode::from_random(
        Username::of(&ids().alias, &email).invitation(),
        [secret; 16],
    )
}

fn invite(
    state: &State,
    role: Role,
    secret: u8,
    open: Option<&Invitation>,
    is_member: bool,
) -> Result<ChangeSet, Refusal> {
    let email: EmailAddress = "Bob@engines.example".parse().unwrap();
    let invite = Invite {
        email: &email,
        role,
        code: &code(secret),
        by: Actor::User(admin()),
        owed: None,
    };
    decide_invitation(state, &invite, open, is_member, &context())
}

fn invitation(changes: &ChangeSet) -> Invitation {
    match &changes.members[0] {
        MemberChange::Invite(invitation) => (**invitation).clone(),
        other => panic!("{other:?}"),
    }
}

fn accept(state: &State, open: &Invitation, secret: u8, now: &str) -> Result<ChangeSet, Refusal> {
    let consents = documents().agreed_at(at(now));
    let inviter = user(Role::Admin, true);
    decide_acceptance(
        state,
        open,
        Some(&inviter),
        &code(secret),
        "Bob".parse().unwrap(),
        consents,
        &context_at(now),
    )
}

fn user(role: Role, confirmed: bool) -> User {
    User {
        role,
        confirmed_at: confirmed.then(|| context().now),
        ..sign_up().user
    }
}

#[test]
fn an_invitation_is_accepted_once_with_its_latest_code() {
    let active = state(TenantStatus::Active);
    let first = invite(&active, Role::Member, 1, None, false).unwrap();
    assert_eq!(first.tenant.invitations, 1);
    let open = invitation(&first);
    let invited = after(&active, first);
    let again = invite(&invited, Role::Admin, 2, Some(&open), false).unwrap();
    assert_eq!(
        again.tenant.invitations, 1,
        "the same address is one invitation"
    );
    let open = invitation(&again);
    assert_eq!((open.sendings, open.role), (2, Role::Admin));
    let invited = after(&invited, again);

    assert_eq!(
        accept(&invited, &open, 1, "2026-11-21T10:00:00Z"),
        Err(Refusal::NoInvitation),
        "the old code"
    );
    assert_eq!(
        accept(&invited, &open, 2, "2026-11-27T10:00:00Z"),
        Err(Refusal::NoInvitation),
        "too late"
    );
    let joined = accept(&invited, &open, 2, "2026-11-27T09:59:59Z").unwrap();
    assert_eq!(
        (
            joined.tenant.invitations,
            joined.tenant.users,
            joined.tenant.admins
        ),
        (0, 2, 1)
    );
    assert!(
        joined
            .members
            .contains(&MemberChange::CloseInvitation(open.id)),
        "it is deleted, so it cannot be used twice"
    );
    let MemberChange::Join(bob) = joined.members[1].clone() else {
        panic!("nobody joins")
    };
    assert_eq!(
        (bob.role, bob.username),
        (Role::Admin, Username::of_invitation(open.id))
    );
    assert!(may_complete(&bob, &code(2), at("2026-11-28T00:00:00Z")));
    assert!(
        !may_complete(&bob, &code(1), at("2026-11-28T00:00:00Z")),
        "another code cannot complete it"
    );
    assert!(
        !may_complete(&bob, &code(2), at("2026-12-28T00:00:00Z")),
        "it has expired"
    );

    let state = after(&invited, joined);
    let confirmed = decide_joined(&state, &bob, &context()).unwrap();
    assert_eq!(confirmed.tenant.admins, 2);
    let bob = User {
        confirmed_at: Some(context().now),
        ..*bob
    };
    assert!(
        !may_complete(&bob, &code(2), at("2026-11-28T00:00:00Z")),
        "the account exists already"
    );
    assert_eq!(decide_joined(&state, &bob, &context()), None);
}

#[test]
fn an_invitation_is_valid_only_while_its_author_is_an_administrator() {
    let active = state(TenantStatus::Active);
    let open = invitation(&invite(&active, Role::Admin, 1, None, false).unwrap());
    let accepts = |inviter: Option<&User>| {
        let name = "Bob".parse().unwrap();
        decide_acceptance(
            &active,
            &open,
            inviter,
            &code(1),
            name,
            Vec::new(),
            &context(),
        )
        .is_ok()
    };
    assert!(accepts(Some(&user(Role::Admin, true))));
    assert!(!accepts(Some(&user(Role::Member, true))), "demoted");
    assert!(!accepts(None), "removed");
    let other = User {
        username: Username::of_invitation(open.id),
        ..user(Role::Admin, true)
    };
    assert!(!accepts(Some(&other)), "somebody else");
}

#[test]
fn a_tenant_that_accepts_nobody_sends_no_invitation() {
    let refused = |state: &State, open: Option<&Invitation>, member| {
        invite(state, Role::Member, 1, open, member).err()
    };
    for status in TenantStatus::ALL {
        let refusal = (status != TenantStatus::Active).then_some(Refusal::NotFromHere { status });
        assert_eq!(refused(&state(status), None, false), refusal, "{status}");
    }
    let mut active = state(TenantStatus::Active);
    assert_eq!(refused(&active, None, true), Some(Refusal::AlreadyMember));
    let mut open = invitation(&invite(&active, Role::Member, 1, None, false).unwrap());
    active.tenant.invitations = INVITATIONS_MAX;
    assert_eq!(refused(&active, None, false), Some(Refusal::Full));
    assert_eq!(
        refused(&active, Some(&open), false),
        None,
        "a repeated invitation needs no more room"
    );
    open.sendings = SENDINGS_MAX;
    assert_eq!(refused(&active, Some(&open), false), Some(Refusal::Full));
    active.tenant.users = USERS_MAX;
    assert_eq!(refused(&active, None, false), Some(Refusal::Full));
    for open in [None, Some(&open)] {
        let email: EmailAddress = "bob@engines.example".parse().unwrap();
        let invite = Invite {
            email: &email,
            role: Role::Admin,
            code: &code(1),
            by: Actor::Operator,
            owed: None,
        };
        let invited =
            invitation(&decide_invitation(&active, &invite, open, false, &context()).unwrap());
        assert_eq!(
            invited.sendings,
            open.map_or(0, |open| open.sendings),
            "an operator's requests do not count for the tenant"
        );
    }
    let closing = state(TenantStatus::Closing);
    open.code = code(1).digest();
    assert!(
        accept(&closing, &open, 1, "2026-11-20T10:00:00Z").is_err(),
        "a closing tenant accepts nobody"
    );
}

#[test]
fn a_mailed_code_can_be_parsed() {
    let code = code(9);
    assert_eq!(code.reveal().parse::<InvitationCode>().unwrap(), code);
    assert!(!format!("{code:?}").contains("0909"));
    for text in [
        "",
        "x.y",
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-000000000001.12",
    ] {
        assert!(text.parse::<InvitationCode>().is_err(), "{text}");
    }
}

/// The number of confirmed administrators, the user who leaves, and the number after or the
/// refusal.
#[test]
fn the_last_administrator_cannot_leave() {
    fn check(admins: u64, user: &User, left: Result<u64, Refusal>) {
        let mut state = state(TenantStatus::Active);
        state.tenant.admins = admins;
        let demoted = decide_role(&state, user, Role::Member, Actor::User(admin()), &context());
        let removed = decide_removal(&state, user, admin(), &context());
        assert_eq!(removed.map(|changes| changes.tenant.admins), left);
        if user.role == Role::Admin {
            assert_eq!(demoted.map(|changes| changes.unwrap().tenant.admins), left);
        } else {
            assert_eq!(demoted, Ok(None));
        }
    }
    check(2, &user(Role::Admin, true), Ok(1));
    check(1, &user(Role::Admin, true), Err(Refusal::LastAdmin));
    check(1, &user(Role::Admin, false), Ok(1));
    check(1, &user(Role::Member, true), Ok(1));
    let promoted = decide_role(
        &state(TenantStatus::Active),
        &user(Role::Member, true),
        Role::Admin,
        Actor::User(admin()),
        &context(),
    );
    assert_eq!(promoted.unwrap().unwrap().tenant.admins, 2);
}

#[test]
fn a_recount_only_lowers_the_number() {
    let check = |counted: u64, found: u64, expected: Option<u64>| {
        let mut state = state(TenantStatus::Active);
        state.tenant.invitations = counted;
        let changes = decide_recount(&state, found);
        assert_eq!(
            changes.map(|changes| changes.tenant.invitations),
            expected,
            "{counted} {found}"
        );
    };
    check(200, 3, Some(3));
    check(200, 0, Some(0));
    check(3, 3, None);
    check(3, 4, None);
}

/// A mail that has to wait does not invalidate the code that was mailed before.
#[test]
fn a_waiting_mail_keeps_the_earlier_code_valid() {
    let active = state(TenantStatus::Active);
    let email: EmailAddress = "bob@engines.example".parse().unwrap();
    let owed = OwedMail::until(Asker::network("192.0.2.1"), context().now, 60);
    let decide = |secret: u8, open: Option<&Invitation>, owed: Option<OwedMail>| {
        let invite = Invite {
            email: &email,
            role: Role::Member,
            code: &code(secret),
            by: Actor::User(admin()),
            owed,
        };
        decide_invitation(&active, &invite, open, false, &context()).unwrap()
    };
    let mailed = invitation(&decide(1, None, None));
    let changes = decide(2, Some(&mailed), Some(owed.clone()));
    let waiting = invitation(&changes);
    assert_eq!(
        (&waiting.code, &waiting.owed, waiting.sendings),
        (&mailed.code, &Some(owed.clone()), 2)
    );
    assert_eq!(changes.due, [owed.due(active.tenant.id)]);

    let stored = invitation(&decide_invitation_mail(
        &active,
        &waiting,
        Some(&code(3)),
        Some(owed.clone()),
    ));
    assert_eq!(
        (&stored.code, &stored.owed),
        (&code(3).digest(), &Some(owed)),
        "stored before it is mailed"
    );
    let sent = decide_invitation_mail(&active, &stored, None, None);
    assert_eq!(
        (
            invitation(&sent).owed,
            invitation(&sent).code,
            sent.due.len()
        ),
        (None, code(3).digest(), 0)
    );
    let later = OwedMail::until(Asker::network("192.0.2.1"), at("2026-11-20T11:00:00Z"), 60);
    let postponed = decide_invitation_mail(&active, &stored, None, Some(later.clone()));
    assert_eq!(
        (invitation(&postponed).owed, postponed.due),
        (Some(later.clone()), vec![later.due(active.tenant.id)])
    );
}

/// An operator's invitation needs no administrator and works for a suspended tenant, but not for a
/// closing one.
#[test]
fn an_operator_can_invite_an_administrator_to_a_tenant_without_one() {
    let invite_by = |status: TenantStatus, by: Actor| {
        let mut state = state(status);
        state.tenant.admins = 0;
        let email: EmailAddress = "Bob@engines.example".parse().unwrap();
        let invite = Invite {
            email: &email,
            role: Role::Admin,
            code: &code(1),
            by,
            owed: None,
        };
        let changes = decide_invitation(&state, &invite, None, false, &context());
        changes.map(|changes| (after(&state, changes.clone()), changes))
    };
    for (status, takes) in [
        (TenantStatus::Pending, false),
        (TenantStatus::Provisioning, false),
        (TenantStatus::Active, true),
        (TenantStatus::Suspended, true),
        (TenantStatus::Closing, false),
        (TenantStatus::Closed, false),
        (TenantStatus::Relocating, false),
    ] {
        let invited = invite_by(status, Actor::Operator);
        assert_eq!(invited.is_ok(), takes, "{status}");
        assert_eq!(
            invite_by(status, Actor::User(admin())).is_ok(),
            status == TenantStatus::Active,
            "{status}"
        );
        let Ok((state, changes)) = invited else {
            continue;
        };
        assert_eq!(
            (changes.audit[0].actor, changes.audit[0].action),
            (Actor::Operator, AuditAction::Invite)
        );
        let open = invitation(&changes);
        assert_eq!((open.invited_by, open.inviter()), (Actor::Operator, None));
        let consents = documents().agreed_at(context().now);
        let joined = decide_acceptance(
            &state,
            &open,
            None,
            &code(1),
            "Bob".parse().unwrap(),
            consents,
            &context(),
        )
        .unwrap();
        let MemberChange::Join(bob) = joined.members[1].clone() else {
            panic!("nobody joins")
        };
        let state = after(&state, joined);
        let confirmed = decide_joined(&state, &bob, &context()).unwrap();
        assert_eq!(
            (bob.role, confirmed.tenant.admins),
            (Role::Admin, 1),
            "{status}"
        );
    }
}

/// The number of confirmed administrators before, the user whose account is gone, and the number
/// after.
#[test]
fn a_user_without_an_account_is_removed_even_as_the_last_one() {
    fn check(admins: u64, user: &User, left: u64) {
        let mut state = state(TenantStatus::Active);
        state.tenant.admins = admins;
        let lost = decide_lost(&state, user, &context());
        assert_eq!(
            (lost.tenant.admins, lost.tenant.users),
            (left, state.tenant.users - 1)
        );
        assert!(
            lost.members
                .contains(&MemberChange::Leave(Box::new(user.clone())))
        );
        let entry = &lost.audit[0];
        assert_eq!(
            (entry.actor, entry.action),
            (Actor::IdentityProvider, AuditAction::LoseAccount)
        );
        assert_eq!(entry.target, Some(user.username.to_string()));
    }
    check(2, &user(Role::Admin, true), 1);
    check(1, &user(Role::Admin, true), 0);
    check(1, &user(Role::Admin, false), 1);
    check(1, &user(Role::Member, true), 1);
}
