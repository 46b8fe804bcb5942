use crate::*;
use contract::TenantPolicy;
use contract::catalogue::Catalogue;
use kernel::{Alias, EventId, RegionCode, Role, SignupId, StatusReason, TenantId, TenantStatus, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn occasion() -> Occasion {
    Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(Uuid::from_u128(3)),
        now: "2026-11-20T10:00:00Z".parse().unwrap(),
    }
}

fn ids() -> Identifiers {
    Identifiers {
        signup: SignupId::from_uuid(Uuid::from_u128(1)),
        tenant: TenantId::from_uuid(Uuid::from_u128(2)),
        alias: Alias::from_random([7; 16]),
    }
}

fn body() -> Value {
    json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": "Ada@Engines.Example",
        "password": "Difference-Engine-2",
        "plan": "starter",
    })
}

fn validate(body: Value) -> Result<Registration, Vec<FieldProblem>> {
    serde_json::from_value::<SignUpRequest>(body).unwrap().validate(&Catalogue::bundled().unwrap())
}

fn sign_up() -> SignUp {
    decide_sign_up(&validate(body()).unwrap(), &Catalogue::bundled().unwrap(), ids(), &occasion())
}

fn tenant(status: TenantStatus) -> Tenant {
    Tenant { status, ..sign_up().tenant }
}

/// Sets a member of a valid body, and compares the fields that are refused.
#[test]
fn every_bad_field_is_named() {
    fn check(member: &str, value: Value, refused: &[&str]) {
        let mut body = body();
        body[member] = value.clone();
        let fields: Vec<_> = validate(body).err().unwrap_or_default().iter().map(|problem| problem.field).collect();
        assert_eq!(fields, refused, "{member} = {value}");
    }
    check("organisation", json!("x".repeat(200)), &[]);
    check("organisation", json!("x".repeat(201)), &["organisation"]);
    check("organisation", json!("  "), &["organisation"]);
    check("organisation", Value::Null, &["organisation"]);
    check("name", json!("Nguyễn Thị Ánh"), &[]);
    check("name", json!("Ada\nBcc: everyone"), &["name"]);
    check("email", json!("a@b.example"), &[]);
    check("email", json!("a+tag@b.example"), &[]);
    check("email", json!("a@localhost"), &["email"]);
    check("email", json!("a@[127.0.0.1]"), &["email"]);
    check("email", json!("Ada <a@b.example>"), &["email"]);
    check("email", json!("a b@c.example"), &["email"]);
    check("email", json!("\"a b\"@c.example"), &["email"]);
    check("email", json!("ä@b.example"), &["email"]);
    check("email", json!(format!("{}@b.example", "x".repeat(65))), &["email"]);
    check("email", json!(format!("a@{}.example", "x.".repeat(200))), &["email"]);
    check("email", json!("nobody"), &["email"]);
    check("password", json!("Short1Aa"), &["password"]);
    check("password", json!("alllowercase1"), &["password"]);
    check("password", json!("ALLUPPERCASE1"), &["password"]);
    check("password", json!("NoDigitsInThis"), &["password"]);
    check("password", json!(" Difference-Engine-2"), &["password"]);
    check("password", json!(format!("Aa1{}", "x".repeat(254))), &["password"]);
    check("password", json!(format!("Aa1{}", "x".repeat(253))), &[]);
    check("plan", json!("platinum"), &["plan"]);
    check("plan", json!("Not A Code"), &["plan"]);
    check("region", json!("eu-central-1"), &[]);
    check("region", json!("moon"), &["region"]);
}

#[test]
fn all_bad_fields_are_named_at_once_and_unknown_ones_are_refused() {
    let fields: Vec<_> = validate(json!({})).unwrap_err().iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["organisation", "name", "email", "password", "plan"]);
    assert!(serde_json::from_value::<SignUpRequest>(json!({ "phone": "1" })).is_err());
}

#[test]
fn an_idempotency_key_is_bounded() {
    fn check(key: &str, valid: bool) {
        assert_eq!(key.parse::<IdempotencyKey>().is_ok(), valid, "{key}");
    }
    check("0123456789abcdef", true);
    check(&"k".repeat(128), true);
    check("", false);
    check("short", false);
    check(&"k".repeat(129), false);
    check("0123456789 abcdef", false);
    check("0123456789abcdéf", false);
}

/// Sets a member of a valid body, and says whether it is still the same request.
#[test]
fn a_fingerprint_tells_requests_apart_by_all_but_the_password() {
    fn check(member: &str, value: &str, same: bool) {
        let key: IdempotencyKey = "0123456789abcdef".parse().unwrap();
        let mut other = body();
        other[member] = json!(value);
        let (one, other) = (validate(body()).unwrap(), validate(other).unwrap());
        assert_eq!(key.fingerprint(&one) == key.fingerprint(&other), same, "{member} = {value}");
    }
    check("organisation", "Analytical Engines Limited", false);
    check("name", "Ada King", false);
    check("email", "ada.l@engines.example", false);
    check("plan", "pro", false);
    check("email", "ada@engines.example", true);
    check("password", "Another-Password-3", true);
    check("region", "eu-central-1", true);
}

#[test]
fn a_fingerprint_cannot_be_compared_without_its_key() {
    let registration = validate(body()).unwrap();
    let of = |key: &str| key.parse::<IdempotencyKey>().unwrap().fingerprint(&registration);
    assert_ne!(of("0123456789abcdef"), of("0123456789abcdeg"));
}

#[test]
fn a_sign_up_makes_a_pending_tenant_with_its_plans_entitlements() {
    let SignUp { signup, tenant, user, fact, .. } = sign_up();
    assert_eq!((tenant.status, tenant.version, tenant.policy.version), (TenantStatus::Pending, 1, 0));
    assert_eq!(json!(tenant.policy.entitlements), json!(["api", "storage"]));
    assert_eq!((user.role, user.tenant, user.signup), (Role::Admin, tenant.id, signup.id));
    assert_eq!((fact.sequence, fact.data.revision, fact.data.reason), (1, 1, StatusReason::SignedUp));
    assert_eq!(signup.username, user.username);
}

#[test]
fn a_username_is_a_function_of_alias_and_address() {
    let (one, other) = (Alias::from_random([1; 16]), Alias::from_random([2; 16]));
    let address = |text: &str| text.parse::<EmailAddress>().unwrap();
    let name = Username::of(&one, &address("ada@engines.example"));
    assert_eq!(name, Username::of(&one, &address("ADA@Engines.Example")));
    assert_ne!(name, Username::of(&other, &address("ada@engines.example")));
    assert_ne!(name, Username::of(&one, &address("bob@engines.example")));
    assert_eq!(name.to_string().parse::<Username>().unwrap(), name);
    // Sign-in pages compute it by themselves, so that it may never change.
    let alias: Alias = "23456789abcd".parse().unwrap();
    let pinned = Username::of(&alias, &address("ada@engines.example")).to_string();
    assert_eq!(pinned, "5b62e069-cb2b-5d42-a9bb-cad80b704827");
}

/// Every status with every change: what the table does not list is refused, what it lists is one fact.
#[test]
fn the_table_decides_every_change() {
    let changes = [
        Change::Provision,
        Change::Activate,
        Change::Suspend,
        Change::Reactivate,
        Change::Close,
        Change::Reopen,
        Change::End,
        Change::Relocate,
        Change::Return,
    ];
    for from in TenantStatus::ALL {
        for change in changes {
            let rows: Vec<_> = TRANSITIONS.iter().filter(|row| row.0 == from && row.1 == change).collect();
            assert!(rows.len() <= 1, "{from} has one answer to {change:?}");
            let decided = decide_change(&tenant(from), change, StatusReason::Operator, &occasion());
            match rows.first() {
                None => assert_eq!(decided, Err(Refusal::NotFromHere { status: from })),
                Some((_, _, to)) => {
                    let transition = decided.unwrap();
                    assert_eq!((transition.from, transition.to, transition.from_version), (from, *to, 1));
                    assert_eq!((transition.fact.data.status, transition.fact.data.revision), (*to, 2));
                    assert_eq!(transition.fact.sequence, 2);
                }
            }
        }
    }
    assert!(TRANSITIONS.iter().all(|(from, _, _)| *from != TenantStatus::Closed), "closed is the end");
}

#[test]
fn a_confirmation_activates_once() {
    let pending = tenant(TenantStatus::Pending);
    let transition = decide_confirmation(&pending, &occasion()).unwrap().unwrap();
    assert_eq!((transition.to, transition.fact.data.reason), (TenantStatus::Active, StatusReason::Confirmed));
    for status in TenantStatus::ALL {
        let decided = decide_confirmation(&tenant(status), &occasion());
        match status {
            TenantStatus::Pending => assert!(decided.unwrap().is_some()),
            TenantStatus::Closed => assert!(decided.is_err()),
            _ => assert_eq!(decided, Ok(None), "{status}"),
        }
    }
}

#[test]
fn claims_are_refused_unless_the_tenant_can_be_used() {
    fn check(status: TenantStatus, suspended_by_home: bool, code: Option<&str>) {
        let mut tenant = tenant(status);
        tenant.policy.suspended = suspended_by_home;
        let refused = claims(&tenant, Role::Admin, &occasion().region).err().map(|refusal| refusal.to_string());
        assert_eq!(refused.as_deref(), code, "{status}, {suspended_by_home}");
    }
    check(TenantStatus::Pending, false, Some("tenant-not-ready"));
    check(TenantStatus::Provisioning, false, Some("tenant-not-ready"));
    check(TenantStatus::Active, false, None);
    check(TenantStatus::Active, true, Some("tenant-suspended"));
    check(TenantStatus::Suspended, false, Some("tenant-suspended"));
    check(TenantStatus::Closing, false, Some("tenant-closed"));
    check(TenantStatus::Closed, false, Some("tenant-closed"));
    check(TenantStatus::Relocating, false, None);
    check(TenantStatus::Relocating, true, Some("tenant-suspended"));
}

#[test]
fn claims_say_the_tenant_the_role_and_the_policy() {
    let region: RegionCode = "ap-south-1".parse().unwrap();
    let claims = claims(&tenant(TenantStatus::Active), Role::Member, &region).unwrap();
    assert_eq!(
        json!(claims),
        json!({
            "tenant_id": "00000000-0000-0000-0000-000000000002",
            "alias": Alias::from_random([7; 16]),
            "region": "ap-south-1",
            "role": "member",
            "plan": "starter",
            "entitlements": ["api", "storage"],
            "policy_version": 0,
        })
    );
}

/// The status of the tenant and the marks of the sign-up, and what the caller is told.
#[test]
fn an_operation_says_what_to_do_next() {
    fn check(status: TenantStatus, identity: Result<bool, IdentityFailure>, state: &str, next: &str, done: usize) {
        let mut signup = sign_up().signup;
        signup.identity_at = identity.is_ok_and(|done| done).then(|| occasion().now);
        signup.identity_failure = identity.err();
        let operation = Operation::of(&signup, &tenant(status));
        let steps = operation.steps.iter().filter(|step| step.state == StepState::Done).count();
        let told = (json!(operation.state), json!(operation.next), steps);
        assert_eq!(told, (json!(state), json!(next), done), "{status}, {identity:?}");
    }
    check(TenantStatus::Pending, Ok(false), "waiting", "repeat-sign-up", 1);
    check(TenantStatus::Pending, Err(IdentityFailure::Unavailable), "failed", "repeat-sign-up", 1);
    check(TenantStatus::Pending, Err(IdentityFailure::Refused), "failed", "repeat-sign-up", 1);
    check(
        TenantStatus::Pending,
        Err(IdentityFailure::PasswordRefused),
        "failed",
        "repeat-sign-up-with-other-password",
        1,
    );
    check(TenantStatus::Pending, Ok(true), "waiting", "confirm", 2);
    check(TenantStatus::Provisioning, Ok(true), "waiting", "wait", 3);
    check(TenantStatus::Active, Ok(true), "done", "sign-in", 4);
    check(TenantStatus::Active, Ok(false), "done", "sign-in", 4);
    check(TenantStatus::Active, Err(IdentityFailure::Unavailable), "done", "sign-in", 4);
    check(TenantStatus::Relocating, Ok(true), "done", "sign-in", 4);
    check(TenantStatus::Suspended, Ok(true), "ended", "none", 4);
    check(TenantStatus::Closed, Ok(true), "ended", "none", 4);
}

fn published(version: u64, suspended: bool) -> TenantPolicy {
    TenantPolicy { version, plan: "pro".parse().unwrap(), suspended, entitlements: vec!["sso".parse().unwrap()] }
}

/// Applies a policy to a tenant as the store does.
fn apply(tenant: &Tenant, published: &TenantPolicy) -> Tenant {
    match decide_policy(tenant, published, &occasion()) {
        PolicyOutcome::Apply { plan, policy, fact } => {
            assert_eq!(fact.data.version, published.version);
            Tenant { plan, policy, ..tenant.clone() }
        }
        PolicyOutcome::Acknowledge { fact } => {
            assert_eq!(fact.data.version, tenant.policy.version);
            tenant.clone()
        }
    }
}

proptest! {
    /// Whatever the order and the repetitions, the highest version holds in the end.
    #[test]
    fn the_highest_policy_wins_in_any_order(versions in proptest::collection::vec(1_u64..20, 1..30)) {
        let end = versions.iter().fold(tenant(TenantStatus::Active), |tenant, version| {
            apply(&tenant, &published(*version, version % 2 == 0))
        });
        let highest = versions.iter().copied().max().unwrap();
        prop_assert_eq!(end.policy.version, highest);
        prop_assert_eq!(end.policy.suspended, highest % 2 == 0);
        prop_assert_eq!(end.status, TenantStatus::Active);
    }

    /// A confirmation that is decided again on what it made changes nothing.
    #[test]
    fn a_replayed_confirmation_changes_nothing(times in 1_usize..6) {
        let mut tenant = tenant(TenantStatus::Pending);
        let mut facts = 0;
        for _ in 0..times {
            if let Some(transition) = decide_confirmation(&tenant, &occasion()).unwrap() {
                tenant = Tenant { status: transition.to, version: transition.from_version + 1, ..tenant };
                facts += 1;
            }
        }
        prop_assert_eq!((facts, tenant.version), (1, 2));
    }

    /// The same command with the same ids decides the same, byte for byte.
    #[test]
    fn a_replayed_sign_up_decides_the_same(random in any::<[u8; 16]>()) {
        let decide = || {
            let ids = Identifiers { alias: Alias::from_random(random), ..ids() };
            decide_sign_up(&validate(body()).unwrap(), &Catalogue::bundled().unwrap(), ids, &occasion())
        };
        let (one, two) = (decide(), decide());
        prop_assert_eq!(one.fact, two.fact);
        prop_assert_eq!((one.signup, one.tenant, one.user), (two.signup, two.tenant, two.user));
    }

    /// No personal text is in a fact, an operation, a claim, a stored operation, or any debug output.
    #[test]
    fn nothing_personal_gets_out(
        organisation in "zz[a-zA-Zäöüß ]{8,60}z",
        name in "zz[a-zA-Zéèß ]{8,40}z",
        local in "zz[a-z0-9]{6,20}",
        domain in "zz[a-z0-9]{6,20}",
        password in "zzA1[a-zA-Z0-9!?]{10,40}",
    ) {
        let email = format!("{local}@{domain}.example");
        let request = json!({
            "organisation": organisation, "name": name, "email": email, "password": password, "plan": "pro",
        });
        let registration = validate(request).unwrap();
        let key: IdempotencyKey = "0123456789abcdef".parse().unwrap();
        let made = decide_sign_up(&registration, &Catalogue::bundled().unwrap(), ids(), &occasion());
        let active = Tenant { status: TenantStatus::Active, ..made.tenant.clone() };
        let shown = [
            format!("{registration:?} {made:?} {key:?} {:?}", key.fingerprint(&registration)),
            format!("{:?}", decide_confirmation(&made.tenant, &occasion())),
            json!(made.fact).to_string(),
            json!(made.signup).to_string(),
            json!(made.tenant).to_string(),
            json!(Operation::of(&made.signup, &made.tenant)).to_string(),
            json!(claims(&active, made.user.role, &occasion().region).unwrap()).to_string(),
            json!(key.fingerprint(&registration)).to_string(),
        ]
        .concat();
        for personal in [&organisation, &name, &local, &domain, &email, &password] {
            prop_assert!(!shown.contains(personal.trim()), "{} is shown", personal);
        }
    }
}

/// The names in the rejected text do not get into the refusal.
#[test]
fn a_refusal_does_not_repeat_what_it_refuses() {
    let mut request = body();
    request["email"] = json!("canary-without-an-at");
    request["password"] = json!("canarypass");
    request["name"] = json!("canary\u{7}name");
    let problems = validate(request).unwrap_err();
    assert_eq!(problems.len(), 3);
    assert!(!format!("{problems:?} {}", json!(problems)).contains("canary"));
}

#[test]
fn a_stored_sign_up_is_read_as_it_was_written() {
    let mut signup = sign_up().signup;
    for (at, failure) in [(None, Some(IdentityFailure::Unavailable)), (Some(Timestamp::UNIX_EPOCH), None)] {
        signup.identity_at = at;
        signup.identity_failure = failure;
        let read: Signup = serde_json::from_value(json!(signup)).unwrap();
        assert_eq!(read, signup);
    }
}
