use super::*;
use kernel::Role;

/// Sets a member of a valid body and compares the refused fields.
#[test]
fn every_invalid_field_is_named() {
    fn check(member: &str, value: Value, refused: &[&str]) {
        let mut body = body();
        body[member] = value.clone();
        let fields: Vec<_> = validate(body)
            .err()
            .unwrap_or_default()
            .iter()
            .map(|problem| problem.field)
            .collect();
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
    check(
        "email",
        json!(format!("{}@b.example", "x".repeat(65))),
        &["email"],
    );
    check(
        "email",
        json!(format!("a@{}.example", "x.".repeat(200))),
        &["email"],
    );
    check("email", json!("nobody"), &["email"]);
    check("password", json!("Short1Aa"), &["password"]);
    check("password", json!("alllowercase1"), &["password"]);
    check("password", json!("ALLUPPERCASE1"), &["password"]);
    check("password", json!("NoDigitsInThis"), &["password"]);
    check("password", json!(" Difference-Engine-2"), &["password"]);
    check(
        "password",
        json!(format!("Aa1{}", "x".repeat(254))),
        &["password"],
    );
    check("password", json!(format!("Aa1{}", "x".repeat(253))), &[]);
    check("plan", json!("platinum"), &["plan"]);
    check("email", json!("a@mailinator.com"), &["email"]);
    check("email", json!("a@sub.Trash.example"), &["email"]);
    check("email", json!("a@nottrash.example"), &[]);
    check("terms", json!("2026-09"), &["terms"]);
    check("data_processing", Value::Null, &["data_processing"]);
    check("website", json!(""), &[]);
    check("plan", json!("Not A Code"), &["plan"]);
    check("region", json!("eu-central-1"), &[]);
    check("region", json!("moon"), &["region"]);
    check("billing_anchor", json!("23:00"), &[]);
    check("billing_anchor", json!("24:00"), &["billing_anchor"]);
    check("billing_anchor", json!("11 p.m."), &["billing_anchor"]);
}

#[test]
fn all_invalid_fields_are_named_at_once_and_unknown_ones_are_refused() {
    let fields: Vec<_> = validate(json!({}))
        .unwrap_err()
        .iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(
        fields,
        [
            "organisation",
            "name",
            "email",
            "password",
            "plan",
            "terms",
            "data_processing"
        ]
    );
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

/// No name can reverse, hide or break the text beside it in a mail, or be a link in it.
#[test]
fn a_name_cannot_disguise_the_mail_around_it() {
    fn check(text: &str, valid: bool) {
        assert_eq!(
            text.parse::<PersonName>().is_ok(),
            valid,
            "{text:?} as a person's name"
        );
        assert_eq!(
            text.parse::<OrganisationName>().is_ok(),
            valid,
            "{text:?} as an organisation's name"
        );
    }
    for unseen in [
        '\0', '\t', '\u{85}', '\u{ad}', '\u{200b}', '\u{200e}', '\u{2028}', '\u{2029}', '\u{202e}',
        '\u{2066}',
    ] {
        check(&format!("Ada{unseen}Ltd"), false);
    }
    check("Ada\u{e0041}Ltd", false);
    check("\u{200d} \u{200c}", false);
    check("علی\u{200c}رضا", true);
    check("क्\u{200d}ष", true);
    check("Analytical “Engines” & Sons (1843) – Zürich", true);
    for link in [
        "https://evil.example",
        "Ada HTTP://1.2.3.4",
        "www.evil.example",
        "Pay at (WWW.evil.example)",
        "a-www.b",
    ] {
        check(link, false);
    }
    for word in [
        "www",
        "Awww. Cute",
        "World Wide Web: www",
        "C:/ // Sons",
        "evil.example",
    ] {
        check(word, true);
    }
}

/// Every name made from an address can be parsed again.
#[test]
fn every_address_gives_a_name() {
    for (email, name) in [
        ("ada.lovelace@engines.example", "ada.lovelace"),
        ("www.ada.lovelace@engines.example", "www ada lovelace"),
        ("ada+WWW.x@engines.example", "ada WWW x"),
        ("a/b.com/c@engines.example", "a b com c"),
        ("!!!@engines.example", "engines"),
    ] {
        let given = PersonName::of_address(&email.parse().unwrap());
        assert_eq!(given.expose(), name);
        assert!(given.expose().parse::<PersonName>().is_ok(), "{email}");
    }
}

/// Another value for every field of the form. A field that is missing here fails the test below.
fn other_values() -> Vec<(&'static str, Value)> {
    vec![
        ("organisation", json!("Analytical Engines Limited")),
        ("name", json!("Ada King")),
        ("email", json!("ada.l@engines.example")),
        ("password", json!("Another-Password-3")),
        ("plan", json!("pro")),
        ("region", json!("eu-central-1")),
        ("language", json!("de")),
        ("billing_anchor", json!("23:00")),
        ("terms", json!("2026-11")),
        ("data_processing", json!("8")),
        // The honeypot: such requests store nothing.
        ("website", json!("https://spam.example")),
    ]
}

/// Every field of the form is part of the fingerprint, except the password.
#[test]
fn a_fingerprint_depends_on_every_field_but_the_password() {
    let form = <SignUpRequest as utoipa::PartialSchema>::schema();
    let form = serde_json::to_value(form).unwrap();
    let mut fields: Vec<_> = form["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let mut values = other_values();
    values.sort_by_key(|(field, _)| *field);
    fields.sort();
    assert_eq!(
        fields,
        values
            .iter()
            .map(|(field, _)| (*field).to_owned())
            .collect::<Vec<_>>()
    );

    let key: IdempotencyKey = "0123456789abcdef".parse().unwrap();
    let one = validate(body()).unwrap();
    for (field, value) in values {
        let (mut other, mut requirements) = (body(), requirements());
        other[field] = value.clone();
        // Only the current version can be agreed to. A repetition may come after the version
        // changed.
        match field {
            "terms" => requirements.documents.terms = value.as_str().unwrap().parse().unwrap(),
            "data_processing" => {
                requirements.documents.data_processing = value.as_str().unwrap().parse().unwrap()
            }
            _ => {}
        }
        let other = serde_json::from_value::<SignUpRequest>(other)
            .unwrap()
            .validate(&catalogue(), &requirements);
        let same = key.fingerprint(&one, None) == key.fingerprint(&other.unwrap(), None);
        assert_eq!(same, ["password", "website"].contains(&field), "{field}");
    }
    let onboarding = ids().onboarding;
    assert_ne!(
        key.fingerprint(&one, None),
        key.fingerprint(&one, onboarding),
        "home hands over one of them"
    );
    let mut other = body();
    other["email"] = json!("ada@engines.example");
    let other = validate(other).unwrap();
    assert_eq!(
        key.fingerprint(&one, None),
        key.fingerprint(&other, None),
        "the same address in other case"
    );
}

#[test]
fn a_fingerprint_cannot_be_compared_without_its_key() {
    let registration = validate(body()).unwrap();
    let of = |key: &str| {
        key.parse::<IdempotencyKey>()
            .unwrap()
            .fingerprint(&registration, None)
    };
    assert_ne!(of("0123456789abcdef"), of("0123456789abcdeg"));
}

#[test]
fn filling_in_the_hidden_field_hits_the_honeypot() {
    fn check(website: Value, trapped: bool) {
        let mut body = body();
        body["website"] = website;
        assert_eq!(
            serde_json::from_value::<SignUpRequest>(body)
                .unwrap()
                .hit_honeypot(),
            trapped
        );
    }
    check(Value::Null, false);
    check(json!(""), false);
    check(json!("https://spam.example"), true);
}

#[test]
fn a_sign_up_makes_a_pending_tenant_with_its_plans_entitlements() {
    let made = sign_up();
    let SignUp {
        signup,
        tenant,
        user,
        ..
    } = &made;
    assert_eq!(
        (tenant.status, tenant.version, tenant.policy.version),
        (TenantStatus::Pending, 1, 0)
    );
    assert_eq!(
        (tenant.users, tenant.admins, tenant.signup),
        (1, 1, signup.id)
    );
    assert_eq!(json!(tenant.policy.entitlements), json!(["api", "storage"]));
    assert_eq!(
        (user.role, user.tenant, &user.origin),
        (Role::Admin, tenant.id, &Origin::Signup(signup.id))
    );
    let consents: Vec<_> = user
        .consents
        .iter()
        .map(|c| (json!(c.document), c.version.as_str(), c.at))
        .collect();
    let now = context().now;
    assert_eq!(
        consents,
        [
            (json!("terms"), "2026-10", now),
            (json!("data_processing"), "7", now)
        ]
    );
    let TenantEvent::Status(event) = &made.events[0] else {
        panic!("the status comes first")
    };
    assert_eq!(
        (
            event.sequence,
            event.data.revision,
            json!(event.data.reason)
        ),
        (1, 1, json!("signed_up"))
    );
    assert!(matches!(&made.events[1], TenantEvent::Onboarding(event) if event.data.revision == 1));
    assert_eq!(
        (made.due.kind, made.due.at),
        (TaskKind::Expiry, at("2026-11-21T10:00:00Z"))
    );
    assert_eq!(signup.username, user.username);
}

#[test]
fn without_home_no_progress_is_published() {
    let ids = Identifiers {
        onboarding: None,
        ..ids()
    };
    let registration = validate(body()).unwrap();
    let made = decide_sign_up(
        &registration,
        &catalogue(),
        &documents(),
        ids,
        &settings("auto"),
        &context(),
    );
    assert_eq!(made.events.len(), 1);
}

#[test]
fn a_username_is_derived_from_alias_and_address() {
    let (one, other) = (Alias::from_random([1; 16]), Alias::from_random([2; 16]));
    let address = |text: &str| text.parse::<EmailAddress>().unwrap();
    let name = Username::of(&one, &address("ada@engines.example"));
    assert_eq!(name, Username::of(&one, &address("ADA@Engines.Example")));
    assert_ne!(name, Username::of(&other, &address("ada@engines.example")));
    assert_ne!(name, Username::of(&one, &address("bob@engines.example")));
    assert_eq!(name.to_string().parse::<Username>().unwrap(), name);
    // Sign-in pages compute it themselves, so it must never change.
    let alias: Alias = "23456789abcd".parse().unwrap();
    let pinned = Username::of(&alias, &address("ada@engines.example")).to_string();
    assert_eq!(pinned, "5b62e069-cb2b-5d42-a9bb-cad80b704827");
}

#[test]
fn an_acceptance_by_a_new_person_needs_name_and_consents() {
    fn check(body: Value, is_known: bool, refused: &[&str]) {
        let request: AcceptanceRequest = serde_json::from_value(body).unwrap();
        let fields = request
            .validate(&requirements(), is_known)
            .err()
            .unwrap_or_default();
        let fields: Vec<_> = fields.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, refused, "{is_known}");
    }
    let whole = json!({ "name": "Bob", "password": "Difference-Engine-2", "terms": "2026-10", "data_processing": "7" });
    check(whole.clone(), false, &[]);
    check(whole, true, &[]);
    check(json!({ "password": "Difference-Engine-2" }), true, &[]);
    check(
        json!({ "password": "Difference-Engine-2" }),
        false,
        &["terms", "data_processing", "name"],
    );
    check(json!({ "password": "weak" }), true, &["password"]);
    check(
        json!({ "name": "\n", "password": "Difference-Engine-2" }),
        true,
        &["name"],
    );
}

#[test]
fn settings_are_complete_or_refused() {
    let whole = "provisioning=external builder_toolkit=false answer_minutes=5 confirm_hours=1 grace_days=2 retention_days=3 hosted_zone=";
    let settings: Settings = whole.parse().unwrap();
    assert_eq!(
        (settings.provisioning, settings.builder_toolkit),
        (ProvisioningMode::External, false)
    );
    assert_eq!(settings.grace, jiff::SignedDuration::from_hours(48));
    for (find, replace) in [
        ("external", "maybe"),
        ("false", "no"),
        ("=5", "=-5"),
        ("=5", "=x"),
        (" grace_days=2", ""),
    ] {
        assert!(
            whole
                .replacen(find, replace, 1)
                .parse::<Settings>()
                .is_err(),
            "{find} -> {replace}"
        );
    }
    assert!(format!("{whole} more=1").parse::<Settings>().is_err());
}

/// The refusal does not contain the names of the rejected text.
#[test]
fn a_refusal_does_not_contain_the_refused_text() {
    let mut request = body();
    request["email"] = json!("canary-without-an-at");
    request["password"] = json!("canarypass");
    request["name"] = json!("canary\u{7}name");
    let problems = validate(request).unwrap_err();
    assert_eq!(problems.len(), 3);
    assert!(!format!("{problems:?} {}", json!(problems)).contains("canary"));
}
