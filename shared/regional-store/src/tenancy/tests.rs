use crate::{Registered, TenantStore, TenantStoreError};
use aws_sdk_dynamodb::types::AttributeValue;
use contract::catalogue::Catalogue;
use contract::{TenantCounts, TenantPolicy};
use futures::future::join_all;
use kernel::{Alias, TenantId, TenantStatus};
use outbox::{Outbox, Row};
use serde_json::{Value, json};
use tenancy::{
    Fingerprint, IdempotencyKey, Identifiers, IdentityFailure, KeyDigest, Occasion, PolicyOutcome, SignUp,
    SignUpRequest, decide_sign_up,
};

struct World {
    store: TenantStore,
    client: aws_sdk_dynamodb::Client,
    table: String,
    outbox: Outbox,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    World {
        store: TenantStore::new(&aws.config, table.clone(), outbox.clone()),
        client: aws_sdk_dynamodb::Client::new(&aws.config),
        table,
        outbox,
    }
}

fn occasion(n: u32) -> Occasion {
    Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: format!("01935f70-0000-7000-8000-{n:012}").parse().unwrap(),
        now: "2026-11-20T10:00:00Z".parse().unwrap(),
    }
}

fn tenant_id(n: u32) -> TenantId {
    // The last byte chooses the counter item.
    format!("01935f6e-7b10-7c3a-8f21-{n:012x}").parse().unwrap()
}

/// The sign-up with a number: what it creates, its key's digest and its fingerprint.
fn sign_up(n: u32) -> (SignUp, KeyDigest, Fingerprint) {
    let catalogue = Catalogue::bundled().unwrap();
    let request: SignUpRequest = serde_json::from_value(json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": format!("ada{n}@engines.example"),
        "password": "Difference-Engine-2",
        "plan": "starter",
    }))
    .unwrap();
    let registration = request.validate(&catalogue).unwrap();
    let key: IdempotencyKey = format!("idempotency-key-{n}").parse().unwrap();
    let mut random = [0; 16];
    random[12..].copy_from_slice(&n.to_be_bytes());
    let ids = Identifiers {
        signup: format!("7d4f2f0e-6d53-4a7e-9a55-{n:012x}").parse().unwrap(),
        tenant: tenant_id(n),
        alias: Alias::from_random(random),
    };
    let fingerprint = key.fingerprint(&registration);
    (decide_sign_up(&registration, &catalogue, ids, &occasion(n)), key.digest(), fingerprint)
}

impl World {
    async fn register(&self, n: u32) -> SignUp {
        let (made, key, fingerprint) = sign_up(n);
        assert_eq!(self.store.register(&made, &key, &fingerprint).await.unwrap(), Registered::Stored);
        made
    }

    async fn items(&self) -> usize {
        let items = self.client.scan().table_name(&self.table).send().await.unwrap();
        items.items().iter().filter(|item| !item["pk"].as_s().unwrap().starts_with("STATS#")).count()
    }

    /// The facts stated so far, in order of their sequence.
    async fn facts(&self) -> Vec<(String, Value)> {
        let rows = self.outbox.sweep("2100-01-01T00:00:00Z".parse().unwrap(), 1000).await.unwrap();
        let mut facts: Vec<_> = rows
            .into_iter()
            .map(|Row { detail_type, detail, .. }| (detail_type, serde_json::from_str::<Value>(&detail).unwrap()))
            .collect();
        facts.sort_by_key(|(_, detail)| detail["sequence"].as_u64());
        facts
    }
}

#[tokio::test]
async fn a_registration_is_stored_with_its_fact_and_read_back() {
    let world = world().await;
    let made = world.register(1).await;
    let reader = world.store.reader();
    assert_eq!(reader.load_tenant(made.tenant.id).await.unwrap(), Some(made.tenant.clone()));
    assert_eq!(reader.load_signup(made.signup.id).await.unwrap(), Some(made.signup.clone()));
    let membership = reader.load_membership(made.user.username).await.unwrap().unwrap();
    assert_eq!((membership.tenant, membership.signup), (made.tenant.id, made.signup.id));
    assert_eq!(reader.load_email(made.user.username).await.unwrap(), Some(made.user.email.clone()));
    let facts = world.facts().await;
    assert_eq!(facts, [("TenantStatusChanged.v1".to_owned(), json!(made.fact))]);
    assert_eq!(world.items().await, 5);
}

#[tokio::test]
async fn the_organisation_and_the_person_are_stored_once_each() {
    let world = world().await;
    world.register(1).await;
    let items = world.client.scan().table_name(&world.table).send().await.unwrap();
    for (canary, kind) in [("Analytical Engines", "TENANT#"), ("Lovelace", "USER#"), ("ada1@engines", "USER#")] {
        let holders: Vec<_> = items
            .items()
            .iter()
            .filter(|item| item.values().any(|value| matches!(value, AttributeValue::S(text) if text.contains(canary))))
            .map(|item| item["pk"].as_s().unwrap().split_inclusive('#').next().unwrap())
            .collect();
        assert_eq!(holders, [kind], "{canary}");
    }
    assert!(!json!(world.facts().await).to_string().contains("ngines"));
}

#[tokio::test]
async fn a_repeated_key_writes_nothing_and_names_the_first() {
    let world = world().await;
    let first = world.register(1).await;
    let (_, key, fingerprint) = sign_up(1);
    let (second, ..) = sign_up(2);
    let Registered::Repeated(remembered) = world.store.register(&second, &key, &fingerprint).await.unwrap() else {
        panic!("a second registration was stored");
    };
    assert_eq!((remembered.signup, remembered.fingerprint), (first.signup.id, fingerprint));
    assert_eq!((world.items().await, world.facts().await.len()), (5, 1));
}

#[tokio::test]
async fn a_taken_alias_writes_nothing() {
    let world = world().await;
    let first = world.register(1).await;
    let (mut second, key, fingerprint) = sign_up(2);
    second.tenant.alias = first.tenant.alias;
    let refused = world.store.register(&second, &key, &fingerprint).await;
    assert!(matches!(refused, Err(TenantStoreError::AliasTaken)), "{refused:?}");
    assert_eq!((world.items().await, world.facts().await.len()), (5, 1));
}

#[tokio::test]
async fn one_of_many_with_one_key_wins() {
    let world = world().await;
    let (_, key, fingerprint) = sign_up(0);
    let outcomes = join_all((1..=20).map(|n| {
        let (made, ..) = sign_up(n);
        let (store, key, fingerprint) = (&world.store, &key, &fingerprint);
        async move { store.register(&made, key, fingerprint).await.unwrap() }
    }))
    .await;
    let stored = outcomes.iter().filter(|outcome| **outcome == Registered::Stored).count();
    assert_eq!((stored, world.items().await, world.facts().await.len()), (1, 5, 1));
}

#[tokio::test]
async fn two_hundred_at_once_are_all_stored_and_counted() {
    let world = world().await;
    join_all((1..=200).map(|n| world.register(n))).await;
    join_all((1..=50).map(|n| async move { sign_up(n).0 }).map(|made| async {
        let made = made.await;
        world.store.confirm(made.tenant.id, made.signup.id, &occasion(1000)).await.unwrap()
    }))
    .await;
    let counts = world.store.reader().counts().await.unwrap();
    assert_eq!(counts, TenantCounts { pending: 150, active: 50, other: 0 });
}

#[tokio::test]
async fn a_confirmation_is_one_fact_however_often_and_by_whomever() {
    let world = world().await;
    let made = world.register(1).await;
    let confirmed = join_all((1..=10).map(|n| {
        let (store, made) = (&world.store, &made);
        async move { store.confirm(made.tenant.id, made.signup.id, &occasion(100 + n)).await.unwrap() }
    }))
    .await;
    assert!(confirmed.iter().all(|tenant| (tenant.status, tenant.version) == (TenantStatus::Active, 2)));
    let facts = world.facts().await;
    let told: Vec<_> = facts.iter().map(|(_, fact)| (&fact["sequence"], &fact["data"]["status"])).collect();
    assert_eq!(told, [(&json!(1), &json!("pending")), (&json!(2), &json!("active"))]);
    let counts = world.store.reader().counts().await.unwrap();
    assert_eq!(counts, TenantCounts { pending: 0, active: 1, other: 0 });
    let signup = world.store.reader().load_signup(made.signup.id).await.unwrap().unwrap();
    assert!(signup.confirmed_at.is_some() && signup.identity_at.is_some());
}

#[tokio::test]
async fn an_unknown_tenant_is_not_confirmed() {
    let world = world().await;
    let (made, ..) = sign_up(1);
    let refused = world.store.confirm(made.tenant.id, made.signup.id, &occasion(1)).await;
    assert!(matches!(refused, Err(TenantStoreError::UnknownTenant)));
    assert_eq!(world.items().await, 0);
}

#[tokio::test]
async fn an_account_once_noted_is_not_unmade_by_a_late_failure() {
    let world = world().await;
    let made = world.register(1).await;
    let now = occasion(1).now;
    let note = async |outcome| {
        world.store.record_identity(made.signup.id, outcome, now).await.unwrap();
        let signup = world.store.reader().load_signup(made.signup.id).await.unwrap().unwrap();
        (signup.identity_at.is_some(), signup.identity_failure)
    };
    let failure = IdentityFailure::Unavailable;
    assert_eq!(note(Err(failure)).await, (false, Some(failure)));
    assert_eq!(note(Ok(())).await, (true, None));
    assert_eq!(note(Err(failure)).await, (true, None));
}

fn policy(version: u64) -> TenantPolicy {
    TenantPolicy {
        version,
        plan: "pro".parse().unwrap(),
        suspended: version.is_multiple_of(2),
        entitlements: vec!["sso".parse().unwrap()],
    }
}

#[tokio::test]
async fn the_highest_policy_holds_and_every_delivery_is_acknowledged() {
    let world = world().await;
    let made = world.register(1).await;
    let versions = [3, 1, 5, 5, 2, 4];
    join_all(versions.iter().enumerate().map(|(place, version)| {
        let (store, tenant) = (&world.store, made.tenant.id);
        let occasion = occasion(u32::try_from(place).unwrap() + 10);
        async move { store.apply_policy(tenant, &policy(*version), &occasion).await.unwrap() }
    }))
    .await;
    let tenant = world.store.reader().load_tenant(made.tenant.id).await.unwrap().unwrap();
    assert_eq!((tenant.policy.version, tenant.policy.suspended, tenant.plan.as_str()), (5, false, "pro"));
    assert_eq!((tenant.status, tenant.version), (TenantStatus::Pending, 1), "a policy is no change of status");
    let facts = world.facts().await;
    let acknowledged: Vec<_> = facts.iter().filter(|(kind, _)| kind == "TenantPolicyApplied.v1").collect();
    assert_eq!(acknowledged.len(), versions.len());
    assert_eq!(acknowledged.last().unwrap().1["data"]["version"], json!(5));
    let again = world.store.apply_policy(made.tenant.id, &policy(1), &occasion(99)).await.unwrap();
    let PolicyOutcome::Acknowledge { fact } = again else { panic!("an old policy was applied") };
    assert_eq!(fact.data.version, 5);
}

#[tokio::test]
async fn a_policy_of_an_unknown_tenant_writes_nothing() {
    let world = world().await;
    let refused = world.store.apply_policy(tenant_id(9), &policy(1), &occasion(1)).await;
    assert!(matches!(refused, Err(TenantStoreError::UnknownTenant)));
    assert_eq!((world.items().await, world.facts().await.len()), (0, 0));
}

#[tokio::test]
async fn statuses_are_of_the_tenants_that_exist() {
    let world = world().await;
    join_all((1..=120).map(|n| world.register(n))).await;
    let made = sign_up(7).0;
    world.store.confirm(made.tenant.id, made.signup.id, &occasion(500)).await.unwrap();
    let asked: Vec<_> = (1..=130).chain(1..=3).map(tenant_id).collect();
    let statuses = world.store.reader().statuses(&asked).await.unwrap();
    assert_eq!(statuses.len(), 120);
    assert_eq!((statuses[&tenant_id(7)], statuses[&tenant_id(8)]), (TenantStatus::Active, TenantStatus::Pending));
    assert!(world.store.reader().statuses(&[]).await.unwrap().is_empty());
}
