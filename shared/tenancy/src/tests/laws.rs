use super::policies::{apply, desired_policy};
use super::*;
use kernel::{Role, Suspension};
use proptest::prelude::*;

proptest! {
    /// In any order and with repetitions, the highest version is in force at the end.
    #[test]
    fn the_highest_policy_wins_in_any_order(versions in proptest::collection::vec(1_u64..20, 1..30)) {
        let suspension = |version: u64| version.is_multiple_of(2).then_some(Suspension::Operator);
        let end = versions.iter().fold(state(TenantStatus::Active), |state, version| {
            apply(&state, &desired_policy(*version, suspension(*version))).0
        });
        let highest = versions.iter().copied().max().unwrap();
        prop_assert_eq!(end.tenant.policy.version, highest);
        prop_assert_eq!(end.tenant.policy.suspension, suspension(highest));
        let status = if highest.is_multiple_of(2) { TenantStatus::Suspended } else { TenantStatus::Active };
        prop_assert_eq!(end.tenant.status, status);
    }

    /// A repeated confirmation changes nothing.
    #[test]
    fn a_replayed_confirmation_changes_nothing(times in 1_usize..6, external in any::<bool>()) {
        let settings = settings(if external { "external" } else { "auto" });
        let mut state = state(TenantStatus::Pending);
        let mut count = 0;
        for _ in 0..times {
            if let Some(changes) = decide_confirmation(&state, &catalogue(), &settings, &context()).unwrap() {
                state = after(&state, changes);
                count += 1;
            }
        }
        prop_assert_eq!((count, state.tenant.version), (1, 2));
    }

    /// The same command with the same ids gives the same result, byte for byte.
    #[test]
    fn a_replayed_sign_up_decides_the_same(random in any::<[u8; 16]>()) {
        let decide = || {
            let ids = Identifiers { alias: Alias::from_random(random), ..ids() };
            let registration = validate(body()).unwrap();
            decide_sign_up(&registration, &catalogue(), &documents(), ids, &settings("auto"), &context())
        };
        let (one, two) = (decide(), decide());
        prop_assert_eq!(one.events, two.events);
        prop_assert_eq!((one.signup, one.tenant, one.user), (two.signup, two.tenant, two.user));
    }

    /// No personal text is in an event, an operation, a claim, a stored operation, or any `Debug`
    /// output.
    #[test]
    fn personal_data_is_in_no_output(
        organisation in "zz[a-zA-Zäöüß ]{8,60}z",
        name in "zz[a-zA-Zéèß ]{8,40}z",
        local in "zz[a-z0-9]{6,20}",
        domain in "zz[a-z0-9]{6,20}",
        password in "zzA1[a-zA-Z0-9!?]{10,40}",
    ) {
        let email = format!("{local}@{domain}.example");
        let mut request = body();
        for (member, value) in
            [("organisation", &organisation), ("name", &name), ("email", &email), ("password", &password)]
        {
            request[member] = json!(value);
        }
        let registration = validate(request).unwrap();
        let key: IdempotencyKey = "0123456789abcdef".parse().unwrap();
        let external = settings("external");
        let made = decide_sign_up(&registration, &catalogue(), &documents(), ids(), &external, &context());
        let pending = State { tenant: made.tenant.clone(), signup: Some(made.signup.clone()) };
        let confirmed = decide_confirmation(&pending, &catalogue(), &external, &context()).unwrap().unwrap();
        let active = Tenant { status: TenantStatus::Active, ..made.tenant.clone() };
        let active = State { tenant: active, signup: pending.signup };
        let code = InvitationCode::from_random(made.user.username.invitation(), [1; 16]);
        let invite = Invite { email: &registration.email, role: Role::Member, code: &code, by: Actor::User(made.user.username), owed: None };
        let invited = decide_invitation(&active, &invite, None, false, &context()).unwrap();
        let renamed = decide_profile(&active, Some(registration.organisation.clone()), None, made.user.username, &context());
        let mut events: Vec<&TenantEvent> = made.events.iter().collect();
        events.extend(&confirmed.events);
        let shown = [
            format!("{registration:?} {made:?} {key:?} {confirmed:?} {invited:?} {renamed:?} {events:?}"),
            json!([invited.audit, renamed.audit, made.audit]).to_string(),
            json!(made.signup).to_string(),
            json!(made.tenant).to_string(),
            json!(Operation::of(&made.signup, &made.tenant)).to_string(),
            json!(claims(&active.tenant, made.user.role, &context().region).unwrap()).to_string(),
            json!(key.fingerprint(&registration, None)).to_string(),
        ]
        .concat();
        for personal in [&organisation, &name, &local, &domain, &email, &password] {
            prop_assert!(!shown.contains(personal.trim()), "{} is shown", personal);
        }
    }

    /// Any sequence of changes leaves an administrator, and versions without gaps.
    #[test]
    fn a_tenant_in_use_has_an_administrator(steps in proptest::collection::vec((0_usize..6, 0_usize..4), 1..60)) {
        let founder = sign_up().user;
        let mut state = state(TenantStatus::Active);
        let mut users = vec![User { confirmed_at: Some(context().now), ..founder.clone() }];
        for (what, whom) in steps {
            let whom = whom % users.len();
            match what {
                0 | 1 => {
                    let email: EmailAddress = format!("user{}@engines.example", users.len()).parse().unwrap();
                    let id = Username::of(&state.tenant.alias, &email).invitation();
                    let code = InvitationCode::from_random(id, [1; 16]);
                    let role = if what == 0 { Role::Admin } else { Role::Member };
                    let invite = Invite { email: &email, role, code: &code, by: Actor::User(founder.username), owed: None };
                    let invited = decide_invitation(&state, &invite, None, false, &context()).unwrap();
                    let MemberChange::Invite(open) = invited.members[0].clone() else { panic!("nobody is invited") };
                    state = after(&state, invited);
                    let name = "Bob".parse().unwrap();
                    let joined = decide_acceptance(&state, &open, Some(&founder), &code, name, Vec::new(), &context()).unwrap();
                    let MemberChange::Join(user) = joined.members[1].clone() else { panic!("nobody joins") };
                    state = after(&state, joined);
                    let confirmed = decide_joined(&state, &user, &context()).unwrap();
                    state = after(&state, confirmed);
                    users.push(User { confirmed_at: Some(context().now), ..*user });
                }
                2 | 3 => {
                    let role = if what == 2 { Role::Admin } else { Role::Member };
                    if let Ok(Some(changes)) = decide_role(&state, &users[whom], role, Actor::User(founder.username), &context()) {
                        state = after(&state, changes);
                        users[whom].role = role;
                    }
                }
                _ => {
                    if let Ok(changes) = decide_removal(&state, &users[whom], founder.username, &context()) {
                        state = after(&state, changes);
                        users.remove(whom);
                    }
                }
            }
            let admins = users.iter().filter(|user| user.role == Role::Admin).count() as u64;
            prop_assert!(admins >= 1);
            prop_assert_eq!((state.tenant.admins, state.tenant.users), (admins, users.len() as u64));
        }
    }
}
