use crate::handler::{Adapters, handle};
use aws_lambda_events::event::cognito::CognitoEventUserPoolsPreSignup as PreSignUp;
use kernel::{Role, Suspension, TenantId, Timestamp};
use outbox::Outbox;
use serde_json::json;
use tenancy::{
    AuditAction, Federation, Origin, ProviderName, Username, Voucher, decide_federation,
    decide_federation_end, decide_removal,
};
use tenant_store::{LoadOptions, TenantStore};
use tenantkit::{Newcomer, Region, moment};
use testkit::Case;

/// The voucher of the events.
const VOUCHER: Voucher = Voucher::from_random([7; 16]);
/// The subject of the events at the tenant's own provider.
const SUBJECT: &str = "00u1a2b3c4";

/// A region where Ada of the events has registered, is active, has invited Charles, who accepted,
/// and has set the tenant's own identity provider.
async fn region() -> Region {
    let region = tenantkit::region().await;
    let made = region.activate(&Newcomer::ada()).await;
    region
        .add_user(
            &made,
            "charles@engines.example",
            Role::Member,
            Newcomer::ada().at,
        )
        .await;
    federate(&region, Newcomer::ada().tenant).await;
    region
}

async fn federate(region: &Region, tenant: TenantId) {
    let alias = region.tenant(tenant).await.alias;
    let federation = Federation {
        client_id: "1example23456789example02".to_owned(),
        identity_provider: ProviderName::of(&alias),
        trusts_unverified_email: false,
    };
    region
        .change(tenant, LoadOptions::TENANT, now(), |loaded, _| {
            Ok(decide_federation(&loaded.state, &federation))
        })
        .await;
}

fn now() -> Timestamp {
    moment("2026-11-20T09:30:00Z")
}

/// The event of an account for which a tenant's provider vouches.
fn vouched(alias: &str, subject: &str, email: &str) -> PreSignUp {
    let case = testkit::cases("auth-pre-sign-up")
        .into_iter()
        .find(|case| case.name == "valid-own-provider")
        .unwrap();
    let mut payload = case.payload;
    payload["userName"] = json!(format!("oidc-{alias}_{subject}"));
    payload["request"]["userAttributes"]["email"] = json!(email);
    serde_json::from_value(payload).unwrap()
}

async fn refusal(adapters: &Adapters, event: PreSignUp) -> String {
    match handle(adapters, event).await {
        Ok(_) => "passed".to_owned(),
        Err(failure) => failure.message().to_owned(),
    }
}

fn adapters(region: &Region) -> Adapters {
    Adapters {
        region: region.code.clone(),
        tenants: region.tenants.clone(),
    }
}

#[tokio::test]
async fn only_a_registered_account_passes_and_passes_unchanged() {
    let adapters = adapters(&region().await);
    for case in testkit::cases("auth-pre-sign-up") {
        let Case { name, payload } = &case;
        // Every username has a voucher, so that an event fails only for the reason in its name.
        if let Ok(username) = payload["userName"].as_str().unwrap().parse() {
            adapters
                .tenants
                .vouch(username, &VOUCHER, runtime::now())
                .await
                .unwrap();
        }
        let event = serde_json::from_value(payload.clone()).unwrap();
        match handle(&adapters, event).await {
            Ok(event) => {
                assert!(case.is_valid(), "{name} passed");
                let passed = serde_json::to_value(event).unwrap();
                assert_eq!(
                    passed["response"], payload["response"],
                    "{name}: the address is still to be confirmed"
                );
                assert_eq!(passed["userName"], payload["userName"], "{name}");
            }
            Err(refusal) => {
                assert!(!case.is_valid(), "{name} was refused");
                let code = match name.as_str() {
                    "invalid-own-provider-unverified" | "invalid-own-provider-no-verification" => {
                        "provider-address-unverified"
                    }
                    "invalid-own-provider-no-address" => "provider-address-missing",
                    _ => "not-registered",
                };
                assert_eq!(
                    (refusal.kind(), refusal.message()),
                    ("SignUpRefused", code),
                    "{name}"
                );
            }
        }
    }
}

/// Anybody can request an account at the pool's own address. The refusal is the same for users, for
/// strangers, and for every spelling of a user's name.
#[tokio::test]
async fn strangers_get_no_account_and_do_not_learn_who_has_one() {
    let region = region().await;
    let adapters = adapters(&region);
    let registered = testkit::cases("auth-pre-sign-up")
        .into_iter()
        .find(|case| case.name == "valid-registered");
    let registered = registered.unwrap().payload;
    let ada = Username::of(
        &Newcomer::ada().alias,
        &Newcomer::ada().email.parse().unwrap(),
    );
    let nobody = Username::of(
        &Newcomer::ada().alias,
        &"nobody@engines.example".parse().unwrap(),
    );
    let ask = async |name: String, voucher: serde_json::Value| {
        let mut payload = registered.clone();
        payload["userName"] = json!(name);
        payload["request"]["validationData"] = voucher;
        refusal(&adapters, serde_json::from_value(payload).unwrap()).await
    };
    let ours = json!({ "voucher": VOUCHER.reveal() });
    assert_eq!(
        ask(ada.to_string(), ours.clone()).await,
        "not-registered",
        "nobody has vouched yet"
    );
    adapters
        .tenants
        .vouch(ada, &VOUCHER, runtime::now())
        .await
        .unwrap();
    adapters
        .tenants
        .vouch(nobody, &VOUCHER, runtime::now())
        .await
        .unwrap();
    assert_eq!(ask(ada.to_string(), ours.clone()).await, "passed");
    assert_eq!(
        ask(nobody.to_string(), ours.clone()).await,
        "not-registered"
    );
    let uuid = ada.to_string();
    for name in [
        uuid.replace('-', ""),
        format!("{{{uuid}}}"),
        format!("urn:uuid:{uuid}"),
        uuid.to_uppercase(),
    ] {
        assert_eq!(
            ask(name.clone(), ours.clone()).await,
            "not-registered",
            "{name}"
        );
    }
    for voucher in [
        json!(null),
        json!({}),
        json!({ "voucher": "" }),
        json!({ "voucher": "08".repeat(16) }),
    ] {
        for name in [&uuid, &nobody.to_string()] {
            assert_eq!(
                ask(name.clone(), voucher.clone()).await,
                "not-registered",
                "{name} with {voucher}"
            );
        }
    }
}

#[tokio::test]
async fn a_voucher_is_valid_for_a_minute_and_for_its_user_only() {
    let region = region().await;
    let adapters = adapters(&region);
    let reader = region.tenants.reader();
    let ada = Username::of(
        &Newcomer::ada().alias,
        &Newcomer::ada().email.parse().unwrap(),
    );
    let charles = Username::of(
        &Newcomer::ada().alias,
        &"charles@engines.example".parse().unwrap(),
    );
    adapters.tenants.vouch(ada, &VOUCHER, now()).await.unwrap();
    let other = Voucher::from_random([8; 16]);
    adapters
        .tenants
        .vouch(ada, &other, moment("2026-11-20T09:30:30Z"))
        .await
        .unwrap();
    for (username, voucher, at, vouched) in [
        (ada, &VOUCHER, "2026-11-20T09:30:00Z", true),
        (ada, &VOUCHER, "2026-11-20T09:30:59Z", true),
        (ada, &VOUCHER, "2026-11-20T09:31:00Z", false),
        (ada, &other, "2026-11-20T09:31:00Z", true),
        (charles, &VOUCHER, "2026-11-20T09:30:00Z", false),
    ] {
        assert_eq!(
            reader
                .is_vouched(username, voucher, moment(at))
                .await
                .unwrap(),
            vouched,
            "{username} at {at}"
        );
    }
}

/// Subjects of OpenID Connect are case-sensitive: two persons of one provider may differ in case
/// only.
#[tokio::test]
async fn subjects_that_differ_in_case_are_two_persons() {
    let region = region().await;
    let (adapters, ada) = (adapters(&region), Newcomer::ada());
    let before = region.tenant(ada.tenant).await.users;
    for (subject, email) in [
        ("CaSe", "grace@engines.example"),
        ("cAsE", "mary@engines.example"),
    ] {
        assert_eq!(
            refusal(&adapters, vouched(ada.alias.as_str(), subject, email)).await,
            "passed"
        );
        let account = format!("oidc-{}_{subject}", ada.alias);
        let user = region
            .tenants
            .reader()
            .load_user(Username::of_account(&account))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((user.email.expose(), user.account_name()), (email, account));
    }
    assert_eq!(region.tenant(ada.tenant).await.users, before + 2);
}

/// The events name the user of the invitation.
#[test]
fn the_invited_person_of_the_events_is_charles() {
    let charles = Username::of(
        &Newcomer::ada().alias,
        &"charles@engines.example".parse().unwrap(),
    )
    .to_string();
    let of_charles = testkit::cases("auth-pre-sign-up")
        .into_iter()
        .filter(|case| case.name.contains("invited"));
    let names: Vec<_> = of_charles
        .map(|case| case.payload["userName"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        names.len() == 2 && names.iter().all(|name| *name == charles),
        "{names:?} are not {charles}"
    );
}

#[tokio::test]
async fn an_unreachable_table_accepts_nobody() {
    let aws = testkit::aws().await;
    let outbox = Outbox::new(&aws.config, "no-such-table".to_owned());
    let tenants = TenantStore::new(&aws.config, "no-such-table".to_owned(), outbox);
    let adapters = Adapters {
        region: "eu-west-1".parse().unwrap(),
        tenants,
    };
    let case = testkit::cases("auth-pre-sign-up")
        .into_iter()
        .find(Case::is_valid)
        .unwrap();
    let Err(failure) = handle(&adapters, serde_json::from_value(case.payload).unwrap()).await
    else {
        panic!("passed without a look");
    };
    assert_eq!(failure.kind(), "RegistrationUnavailable");
    assert!(!failure.message().contains("no-such-table"), "no internals");
}

#[tokio::test]
async fn a_person_of_the_tenants_own_provider_becomes_a_member_once() {
    let region = region().await;
    let (adapters, ada) = (adapters(&region), Newcomer::ada());
    let before = region.tenant(ada.tenant).await;
    let event = || vouched(ada.alias.as_str(), SUBJECT, "grace@engines.example");
    for _ in 0..2 {
        handle(&adapters, event()).await.unwrap();
        let tenant = region.tenant(ada.tenant).await;
        assert_eq!(
            (tenant.users, tenant.admins, tenant.generation),
            (before.users + 1, before.admins, before.generation.next())
        );
    }
    let account = format!("oidc-{}_{SUBJECT}", ada.alias);
    let user = region
        .tenants
        .reader()
        .load_user(Username::of_account(&account))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (user.role, user.origin.clone(), user.account_name()),
        (Role::Member, Origin::Federation, account)
    );
    assert_eq!(
        (user.email.expose(), user.name.expose()),
        ("grace@engines.example", "grace")
    );
    assert!(user.confirmed_at.is_some());
    let trail = region
        .tenants
        .reader()
        .list_audit(ada.tenant, None, 100)
        .await
        .unwrap()
        .entries;
    assert_eq!(
        trail
            .iter()
            .filter(|entry| entry.action == AuditAction::JoinByProvider)
            .count(),
        1
    );
    assert!(
        !format!("{user:?}").contains(SUBJECT) && !format!("{user:?}").contains("grace"),
        "nothing personal shows"
    );
}

#[tokio::test]
async fn a_provider_vouches_for_its_own_tenant_only() {
    let region = region().await;
    let adapters = adapters(&region);
    let other = region.activate(&Newcomer::somebody()).await;
    let alias = other.tenant.alias.as_str();
    let code = refusal(&adapters, vouched(alias, SUBJECT, "grace@engines.example")).await;
    assert_eq!(code, "not-registered", "the other tenant has no provider");
    federate(&region, other.tenant.id).await;
    assert_eq!(
        refusal(&adapters, vouched(alias, SUBJECT, "grace@engines.example")).await,
        "passed"
    );
    assert_eq!(
        region.tenant(Newcomer::ada().tenant).await.users,
        2,
        "and that is no member of Ada's"
    );
}

#[tokio::test]
async fn nobody_joins_a_tenant_without_its_provider_or_that_is_suspended() {
    let region = region().await;
    let (adapters, ada) = (adapters(&region), Newcomer::ada());
    let event = || vouched(ada.alias.as_str(), SUBJECT, "grace@engines.example");
    region
        .publish(ada.tenant, "starter", Some(Suspension::Operator), now())
        .await;
    assert_eq!(refusal(&adapters, event()).await, "not-registered");
    let region = self::region().await;
    let adapters = self::adapters(&region);
    let by = Username::of_account("ada");
    region
        .change(ada.tenant, LoadOptions::TENANT, now(), |loaded, context| {
            Ok(decide_federation_end(&loaded.state, by, context))
        })
        .await;
    assert_eq!(refusal(&adapters, event()).await, "not-registered");
    assert_eq!(region.tenant(ada.tenant).await.users, 2);
}

/// A person whom an administrator removed can come back with an invitation only; a person who left
/// can come back freely.
#[tokio::test]
async fn a_removed_person_comes_back_with_an_invitation_only() {
    let region = region().await;
    let (adapters, ada) = (adapters(&region), Newcomer::ada());
    let event = || vouched(ada.alias.as_str(), SUBJECT, "grace@engines.example");
    let username = Username::of_account(&format!("oidc-{}_{SUBJECT}", ada.alias));
    let admin = Username::of(&ada.alias, &ada.email.parse().unwrap());
    let remove = async |by| {
        let options = LoadOptions {
            user: Some(username),
            ..LoadOptions::TENANT
        };
        region
            .change(ada.tenant, options, now(), |loaded, context| {
                decide_removal(&loaded.state, loaded.user.as_ref().unwrap(), by, context).map(Some)
            })
            .await;
    };
    assert_eq!(refusal(&adapters, event()).await, "passed");
    remove(username).await;
    assert_eq!(
        refusal(&adapters, event()).await,
        "passed",
        "who left may come back"
    );
    remove(admin).await;
    for _ in 0..2 {
        assert_eq!(refusal(&adapters, event()).await, "removed");
    }
    let other = vouched(ada.alias.as_str(), "another", "mary@engines.example");
    assert_eq!(
        refusal(&adapters, other).await,
        "passed",
        "nobody else is blocked"
    );
    region
        .invite(
            ada.tenant,
            admin,
            "grace@engines.example",
            Role::Member,
            runtime::now(),
        )
        .await;
    assert_eq!(refusal(&adapters, event()).await, "passed");
    remove(username).await;
    assert_eq!(
        refusal(&adapters, event()).await,
        "passed",
        "the invitation has lifted it"
    );
}

/// Some providers verify addresses without reporting it. The tenant decides whether it accepts
/// that.
#[tokio::test]
async fn an_unverified_address_is_accepted_where_the_tenant_trusts_its_provider() {
    let region = region().await;
    let (adapters, ada) = (adapters(&region), Newcomer::ada());
    let event = |verified: Option<&str>| {
        let mut event = vouched(ada.alias.as_str(), SUBJECT, "grace@engines.example");
        let attributes = &mut event.request.user_attributes;
        attributes.remove("email_verified");
        attributes.extend(verified.map(|text| ("email_verified".to_owned(), text.to_owned())));
        event
    };
    for verified in [None, Some("false"), Some(""), Some("1"), Some("yes")] {
        assert_eq!(
            refusal(&adapters, event(verified)).await,
            "provider-address-unverified",
            "{verified:?}"
        );
    }
    region
        .change(ada.tenant, LoadOptions::TENANT, now(), |loaded, _| {
            let mut changes = tenancy::ChangeSet::of(&loaded.state);
            if let Some(federation) = changes.tenant.federation.as_mut() {
                federation.trusts_unverified_email = true;
            }
            Ok(Some(changes))
        })
        .await;
    for verified in [None, Some("false"), Some("true"), Some("True")] {
        assert_eq!(
            refusal(&adapters, event(verified)).await,
            "passed",
            "{verified:?}"
        );
    }
    let other = region.activate(&Newcomer::somebody()).await;
    federate(&region, other.tenant.id).await;
    let mut elsewhere = vouched(
        other.tenant.alias.as_str(),
        SUBJECT,
        "grace@engines.example",
    );
    elsewhere.request.user_attributes.remove("email_verified");
    assert_eq!(
        refusal(&adapters, elsewhere).await,
        "provider-address-unverified",
        "the setting is the tenant's own"
    );
}
