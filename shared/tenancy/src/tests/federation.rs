//! Sign-in by a tenant's own provider.

use super::*;

fn federated(status: TenantStatus) -> State {
    let mut state = state(status);
    let identity_provider = ProviderName::of(&state.tenant.alias);
    state.tenant.federation = Some(Federation {
        client_id: "client".to_owned(),
        identity_provider,
        trusts_unverified_email: false,
    });
    state
}

fn newcomer(alias: &str) -> Newcomer {
    let account = format!("oidc-{alias}_subject").parse().unwrap();
    Newcomer {
        account,
        email: "grace@engines.example".parse().unwrap(),
        is_verified: true,
    }
}

#[test]
fn joining_depends_on_the_tenant_and_the_conditions() {
    let alias = ids().alias.to_string();
    let conditions = |is_member, is_blocked, is_invited| JoinConditions {
        is_member,
        is_blocked,
        is_invited,
    };
    let check = |state: &State, alias: &str, conditions, expected: Result<bool, Refusal>| {
        let decided = decide_newcomer(state, &newcomer(alias), conditions, &context());
        assert_eq!(
            decided.map(|changes| changes.is_some()),
            expected,
            "{alias} {conditions:?}"
        );
    };
    let active = federated(TenantStatus::Active);
    check(&active, &alias, conditions(false, false, false), Ok(true));
    check(&active, &alias, conditions(true, false, false), Ok(false));
    check(
        &active,
        &alias,
        conditions(false, true, false),
        Err(Refusal::Barred),
    );
    check(&active, &alias, conditions(false, true, true), Ok(true));
    check(
        &active,
        "zzzzzzzzzzzz",
        conditions(false, false, false),
        Err(Refusal::NotFederated),
    );
    check(
        &state(TenantStatus::Active),
        &alias,
        conditions(true, false, false),
        Err(Refusal::NotFederated),
    );
    for status in TenantStatus::ALL
        .into_iter()
        .filter(|status| *status != TenantStatus::Active)
    {
        check(
            &federated(status),
            &alias,
            conditions(false, false, false),
            Err(Refusal::NotFromHere { status }),
        );
    }
    let mut suspended = active.clone();
    suspended.tenant.policy.suspension = Some(kernel::Suspension::Dunning);
    let status = TenantStatus::Active;
    check(
        &suspended,
        &alias,
        conditions(false, false, false),
        Err(Refusal::NotFromHere { status }),
    );
    let mut full = active;
    full.tenant.users = USERS_MAX;
    check(
        &full,
        &alias,
        conditions(false, false, false),
        Err(Refusal::Full),
    );
}

#[test]
fn a_newcomer_is_a_confirmed_member_and_shows_nothing_personal() {
    let active = federated(TenantStatus::Active);
    let newcomer = newcomer(active.tenant.alias.as_str());
    let changes = decide_newcomer(&active, &newcomer, JoinConditions::default(), &context())
        .unwrap()
        .unwrap();
    let MemberChange::Join(user) = &changes.members[0] else {
        panic!("nobody joins")
    };
    assert_eq!(
        (user.role, user.confirmed_at),
        (kernel::Role::Member, Some(context().now))
    );
    assert_eq!(
        (changes.tenant.users, changes.tenant.admins),
        (active.tenant.users + 1, active.tenant.admins)
    );
    assert_eq!(
        user.username,
        Username::of_account(newcomer.account.expose())
    );
    let shown = format!("{changes:?} {newcomer:?}");
    assert!(
        !shown.contains("subject") && !shown.contains("grace"),
        "{shown}"
    );
}

#[test]
fn only_a_removal_by_an_administrator_blocks() {
    let active = federated(TenantStatus::Active);
    let newcomer = newcomer(active.tenant.alias.as_str());
    let joined = decide_newcomer(&active, &newcomer, JoinConditions::default(), &context())
        .unwrap()
        .unwrap();
    let MemberChange::Join(user) = &joined.members[0] else {
        panic!("nobody joins")
    };
    let bars = |user: &User, by| {
        let removed = decide_removal(&active, user, by, &context()).unwrap();
        removed
            .members
            .contains(&MemberChange::Block(user.username))
    };
    let admin = sign_up().user.username;
    assert!(bars(user, admin) && !bars(user, user.username));
    let other = User {
        origin: Origin::Invitation(KeyDigest::of("invitation", "code")),
        ..(**user).clone()
    };
    assert!(
        !bars(&other, admin),
        "who has a password has no account any more"
    );
}

#[test]
fn an_account_name_contains_the_alias_of_its_tenant() {
    for (name, alias) in [
        ("oidc-23456789abcd_1", Some("23456789abcd")),
        ("oidc-23456789abcd_a_b", Some("23456789abcd")),
        ("oidc-2345_1", None),
    ] {
        let account: AccountName = name.parse().unwrap();
        assert_eq!(
            account.alias().map(|alias| alias.to_string()).as_deref(),
            alias,
            "{name}"
        );
    }
    let long = format!("oidc-23456789abcd_{}", "x".repeat(128));
    for name in [
        "",
        "google_1",
        "oidc-23456789abcd",
        "oidc-23456789abcd_",
        &long,
    ] {
        assert!(name.parse::<AccountName>().is_err(), "{name}");
    }
}

#[test]
fn a_provider_is_used_once_the_pool_has_it() {
    let active = state(TenantStatus::Active);
    let federation = federated(TenantStatus::Active).tenant.federation.unwrap();
    let set = decide_federation(&active, &federation).unwrap();
    assert_eq!(set.tenant.federation.as_ref(), Some(&federation));
    let again = after(&active, set);
    assert_eq!(decide_federation(&again, &federation), None);
    let by = sign_up().user.username;
    let ended = decide_federation_end(&again, by, &context()).unwrap();
    assert_eq!(ended.tenant.federation, None);
    assert_eq!(decide_federation_end(&active, by, &context()), None);
    assert_eq!(
        decide_provider_forgotten(&active).members,
        [MemberChange::NoProvider]
    );
}

/// The setting takes effect when the tenant changes it.
#[test]
fn an_unverified_address_is_accepted_if_the_tenant_trusts_its_provider() {
    let mut active = federated(TenantStatus::Active);
    let alias = active.tenant.alias.to_string();
    let unverified = Newcomer {
        is_verified: false,
        ..newcomer(&alias)
    };
    let decide =
        |state: &State| decide_newcomer(state, &unverified, JoinConditions::default(), &context());
    let member = JoinConditions {
        is_member: true,
        ..JoinConditions::default()
    };
    assert_eq!(decide(&active), Err(Refusal::UnverifiedAddress));
    assert_eq!(
        decide_newcomer(&active, &unverified, member, &context()),
        Err(Refusal::UnverifiedAddress)
    );
    assert!(
        decide_newcomer(
            &active,
            &newcomer(&alias),
            JoinConditions::default(),
            &context()
        )
        .is_ok()
    );
    let by = sign_up().user.username;
    for trusts_unverified_email in [true, false] {
        let provider = IdentityProvider {
            tenant: active.tenant.id,
            name: ProviderName::of(&active.tenant.alias),
            issuer: Issuer::parse("https://login.example.com", false).unwrap(),
            client_id: "meridian".parse().unwrap(),
            trusts_unverified_email,
            changed_at: context().now,
        };
        active = after(
            &active,
            decide_provider(&active, &provider, by, &context()).unwrap(),
        );
        assert_eq!(decide(&active).is_ok(), trusts_unverified_email);
    }
}
