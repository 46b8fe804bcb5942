mod clock;
mod mails;
mod terms;
mod vanity;

use crate::{Lead, Leaving, Place, Reach, Registered, TenantStore, TenantStoreError};
use aws_sdk_dynamodb::types::AttributeValue;
use catalogue::Catalogue;
use contract::{TenantCounts, TenantPolicy};
use futures::future::join_all;
use kernel::{Alias, Role, TenantId, TenantStatus, Timestamp};
use outbox::{Outbox, Row};
use serde_json::{Value, json};
use tenancy::{
    Actor, AuditAction, AuditEntry, Documents, Due, EmailAddress, Fingerprint, IdempotencyKey,
    Identifiers, InvitationCode, Invite, KeyDigest, Occasion, Refusal, Requirements, Settings,
    SignUp, SignUpRequest, Tenant, Username,
};
use usage_store::TermsReader;

/// What a sign-up stores: key, alias, sign-up, tenant, user, what leads to it, audit entry, expiry.
const ITEMS: usize = 8;

struct World {
    store: TenantStore,
    client: aws_sdk_dynamodb::Client,
    table: String,
    outbox: Outbox,
    terms: TermsReader,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    World {
        store: TenantStore::new(&aws.config, table.clone(), outbox.clone()),
        client: aws_sdk_dynamodb::Client::new(&aws.config),
        terms: TermsReader::new(&aws.config, table.clone()),
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

fn settings() -> Settings {
    let text = "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=30 retention_days=30 hosted_zone=";
    text.parse().unwrap()
}

fn documents() -> Documents {
    Documents {
        terms: "1".parse().unwrap(),
        data_processing: "1".parse().unwrap(),
    }
}

/// The sign-up with a number: what it creates, its key's digest and its fingerprint.
/// When the days of these tenants begin.
const ANCHOR: &str = "23:00";

fn sign_up(n: u32) -> (SignUp, KeyDigest, Fingerprint) {
    let catalogue = Catalogue::bundled().unwrap();
    let request: SignUpRequest = serde_json::from_value(json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": format!("ada{n}@engines.example"),
        "password": "Difference-Engine-2",
        "plan": "starter",
        "billing_anchor": ANCHOR,
        "terms": "1",
        "data_processing": "1",
    }))
    .unwrap();
    let requirements = Requirements {
        documents: documents(),
        disposable: "".parse().unwrap(),
    };
    let registration = request.validate(&catalogue, &requirements).unwrap();
    let key: IdempotencyKey = format!("idempotency-key-{n}").parse().unwrap();
    let mut random = [0; 16];
    random[12..].copy_from_slice(&n.to_be_bytes());
    let ids = Identifiers {
        signup: format!("7d4f2f0e-6d53-4a7e-9a55-{n:012x}").parse().unwrap(),
        tenant: tenant_id(n),
        alias: Alias::from_random(random),
        onboarding: None,
    };
    let fingerprint = key.fingerprint(&registration, None);
    let made = tenancy::decide_sign_up(
        &registration,
        &catalogue,
        &documents(),
        ids,
        &settings(),
        &occasion(n),
    );
    (made, key.digest(), fingerprint)
}

impl World {
    async fn register(&self, n: u32) -> SignUp {
        let (made, key, fingerprint) = sign_up(n);
        assert_eq!(
            self.store
                .register(&made, &key, &fingerprint)
                .await
                .unwrap(),
            Registered::Stored
        );
        made
    }

    /// Confirms as the trigger and the API do.
    async fn confirm(&self, tenant: TenantId, n: u32) -> Result<Tenant, TenantStoreError> {
        let (catalogue, settings, occasion) =
            (Catalogue::bundled().unwrap(), settings(), occasion(n));
        let confirmed = self.store.change(tenant, Reach::SIGNUP, |loaded| {
            tenancy::decide_confirmation(&loaded.state, &catalogue, &settings, &occasion)
        });
        confirmed.await.map(|state| state.tenant)
    }

    async fn apply(
        &self,
        tenant: TenantId,
        policy: &TenantPolicy,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let (settings, occasion) = (settings(), occasion(n));
        let applied = self.store.change(tenant, Reach::TENANT, |loaded| {
            tenancy::decide_policy(&loaded.state, policy, &settings, &occasion).map(Some)
        });
        applied.await.map(|state| state.tenant)
    }

    async fn active(&self, n: u32) -> SignUp {
        let made = self.register(n).await;
        self.confirm(made.tenant.id, 1_000 + n).await.unwrap();
        made
    }

    async fn invite(&self, made: &SignUp, email: &str, secret: u8, n: u32) -> InvitationCode {
        let email: EmailAddress = email.parse().unwrap();
        let id = Username::of(&made.tenant.alias, &email).invitation();
        let code = InvitationCode::from_random(id, [secret; 16]);
        let reach = Reach {
            invitation: Some(id),
            ..Reach::TENANT
        };
        let occasion = occasion(n);
        let invited = self.store.change(made.tenant.id, reach, |loaded| {
            let invite = Invite {
                email: &email,
                role: Role::Admin,
                code: &code,
                by: Actor::User(made.user.username),
                owed: None,
            };
            let open = loaded.invitation.as_ref();
            tenancy::decide_invitation(&loaded.state, &invite, open, false, &occasion).map(Some)
        });
        invited.await.unwrap();
        code
    }

    async fn accept(
        &self,
        made: &SignUp,
        code: &InvitationCode,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let reach = Reach {
            invitation: Some(code.invitation()),
            user: Some(made.user.username),
            ..Reach::TENANT
        };
        let occasion = occasion(n);
        let accepted = self.store.change(made.tenant.id, reach, |loaded| {
            let open = loaded.invitation.as_ref().ok_or(Refusal::NoInvitation)?;
            let (name, consents) = (
                "Charles Babbage".parse().unwrap(),
                documents().agreed_at(occasion.now),
            );
            let inviter = loaded.user.as_ref();
            tenancy::decide_acceptance(
                &loaded.state,
                open,
                inviter,
                code,
                name,
                consents,
                &occasion,
            )
            .map(Some)
        });
        accepted.await.map(|state| state.tenant)
    }

    async fn due(&self) -> Vec<Due> {
        self.store
            .reader()
            .load_due("2100-01-01T00:00:00Z".parse().unwrap(), 100)
            .await
            .unwrap()
    }

    async fn items(&self) -> usize {
        let items = self
            .client
            .scan()
            .table_name(&self.table)
            .send()
            .await
            .unwrap();
        items
            .items()
            .iter()
            .filter(|item| !item["pk"].as_s().unwrap().starts_with("STATS#"))
            .count()
    }

    /// The facts stated so far, in order of their sequence.
    async fn facts(&self) -> Vec<(String, Value)> {
        let rows = self
            .outbox
            .sweep("2100-01-01T00:00:00Z".parse().unwrap(), 1000)
            .await
            .unwrap();
        let mut facts: Vec<_> = rows
            .into_iter()
            .map(
                |Row {
                     detail_type,
                     detail,
                     ..
                 }| (detail_type, serde_json::from_str::<Value>(&detail).unwrap()),
            )
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
    assert_eq!(
        reader.load_tenant(made.tenant.id).await.unwrap(),
        Some(made.tenant.clone())
    );
    assert_eq!(
        reader.load_signup(made.signup.id).await.unwrap(),
        Some(made.signup.clone())
    );
    let membership = reader
        .load_membership(made.user.username)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (membership.tenant, membership.origin),
        (made.tenant.id, made.user.origin.clone())
    );
    assert_eq!(
        reader.load_user(made.user.username).await.unwrap(),
        Some(made.user.clone())
    );
    assert_eq!(
        reader.load_organisation(made.tenant.id).await.unwrap(),
        Some(made.organisation.clone())
    );
    let facts = world.facts().await;
    assert_eq!(facts[0].0, "TenantStatusChanged.v1");
    assert_eq!(
        (facts.len(), &facts[0].1["data"]["reason"]),
        (1, &json!("signed_up"))
    );
    assert_eq!(world.due().await, [made.due]);
    assert_eq!(world.items().await, ITEMS);
}

#[tokio::test]
async fn the_organisation_and_the_person_are_stored_once_each() {
    let world = world().await;
    let made = world.register(1).await;
    let items = world
        .client
        .scan()
        .table_name(&world.table)
        .send()
        .await
        .unwrap();
    for (canary, kind) in [
        ("Analytical Engines", "TENANT"),
        ("Lovelace", "USER#"),
        ("ada1@engines", "USER#"),
    ] {
        let holders: Vec<_> = items
            .items()
            .iter()
            .filter(|item| {
                item.values()
                    .any(|value| matches!(value, AttributeValue::S(text) if text.contains(canary)))
            })
            .map(|item| {
                (
                    item["pk"].as_s().unwrap().clone(),
                    item["sk"].as_s().unwrap().as_str(),
                )
            })
            .collect();
        let [(partition, sort)] = &holders[..] else {
            panic!("{canary} is in {holders:?}")
        };
        assert_eq!(*partition, format!("TENANT#{}", made.tenant.id), "{canary}");
        assert!(sort.starts_with(kind), "{canary} is in {sort}");
    }
    assert!(!json!(world.facts().await).to_string().contains("ngines"));
}

/// Points an alias at another region, as the end of a move does.
async fn move_away(world: &World, alias: &str, place: &Place) {
    let place = dynamo::to_value(place).unwrap();
    let key = |kind| AttributeValue::S(kind);
    let update = world.client.update_item().table_name(&world.table);
    let update = update
        .key("pk", key(format!("ALIAS#{alias}")))
        .key("sk", key("ALIAS".to_owned()));
    let update = update
        .update_expression("SET moved = :place")
        .expression_attribute_values(":place", place);
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_label_leads_to_its_tenant_while_it_is_in_use() {
    let world = world().await;
    let (made, reader) = (world.register(1).await, world.store.reader());
    let (id, alias) = (made.tenant.id, made.tenant.alias.as_str());
    assert_eq!(reader.resolve("nobodys").await.unwrap(), None);
    assert_eq!(reader.resolve(alias).await.unwrap(), None, "not in use yet");
    world.confirm(id, 2).await.unwrap();
    assert_eq!(reader.resolve(alias).await.unwrap(), Some(Lead::Here(id)));
    world.apply(id, &policy(2), 3).await.unwrap();
    assert_eq!(
        reader.resolve(alias).await.unwrap(),
        Some(Lead::Here(id)),
        "a suspended tenant can be told so"
    );
    let place = Place {
        region: "us-west-2".parse().unwrap(),
        api_url: "https://api.west.example".parse().unwrap(),
    };
    move_away(&world, alias, &place).await;
    assert_eq!(
        reader.resolve(alias).await.unwrap(),
        Some(Lead::Moved(place))
    );
}

#[tokio::test]
async fn a_person_has_the_workspaces_whose_mails_were_proved_to_arrive() {
    let world = world().await;
    let (one, two) = (world.active(1).await, world.active(2).await);
    let email: EmailAddress = "ada1@engines.example".parse().unwrap();
    let reader = world.store.reader();
    let labels = async |email: &str| {
        let found = reader
            .load_workspaces(&email.parse().unwrap())
            .await
            .unwrap();
        found
            .into_iter()
            .map(|workspace| workspace.alias)
            .collect::<Vec<_>>()
    };
    assert_eq!(labels("nobody@engines.example").await, []);
    // Others sign up in the person's name, as often as they like.
    let pending = world.register(3).await;
    assert_eq!(
        labels(pending.user.email.expose()).await,
        [],
        "nobody has proved to read the address"
    );
    assert_eq!(
        labels("ADA1@Engines.example").await,
        std::slice::from_ref(&one.tenant.alias),
        "whatever the case"
    );
    let code = world.invite(&two, email.expose(), 1, 10).await;
    world.accept(&two, &code, 11).await.unwrap();
    assert_eq!(
        labels(email.expose()).await,
        std::slice::from_ref(&one.tenant.alias),
        "no account yet"
    );
    let username = code.invitation().to_string().parse().unwrap();
    let reach = Reach {
        user: Some(username),
        ..Reach::TENANT
    };
    let joined = world.store.change(two.tenant.id, reach, |loaded| {
        Ok(tenancy::decide_joined(
            &loaded.state,
            loaded.user.as_ref().unwrap(),
            &occasion(12),
        ))
    });
    joined.await.unwrap();
    let found = reader.load_workspaces(&email).await.unwrap();
    assert_eq!(
        (found.len(), found[0].organisation.expose()),
        (2, "Analytical Engines Ltd")
    );
    let reach = Reach {
        user: Some(username),
        ..Reach::TENANT
    };
    let left = world.store.change(two.tenant.id, reach, |loaded| {
        let user = loaded.user.as_ref().unwrap();
        tenancy::decide_removal(&loaded.state, user, two.user.username, &occasion(13)).map(Some)
    });
    left.await.unwrap();
    assert_eq!(labels(email.expose()).await, [one.tenant.alias]);
}

#[tokio::test]
async fn a_repeated_key_writes_nothing_and_names_the_first() {
    let world = world().await;
    let first = world.register(1).await;
    let (_, key, fingerprint) = sign_up(1);
    let (second, ..) = sign_up(2);
    let Registered::Repeated(remembered) = world
        .store
        .register(&second, &key, &fingerprint)
        .await
        .unwrap()
    else {
        panic!("a second registration was stored");
    };
    assert_eq!(
        (remembered.signup, remembered.fingerprint),
        (first.signup.id, fingerprint)
    );
    assert_eq!((world.items().await, world.facts().await.len()), (ITEMS, 1));
}

#[tokio::test]
async fn a_taken_alias_writes_nothing() {
    let world = world().await;
    let first = world.register(1).await;
    let (mut second, key, fingerprint) = sign_up(2);
    second.tenant.alias = first.tenant.alias;
    let refused = world.store.register(&second, &key, &fingerprint).await;
    assert!(
        matches!(refused, Err(TenantStoreError::AliasTaken)),
        "{refused:?}"
    );
    assert_eq!((world.items().await, world.facts().await.len()), (ITEMS, 1));
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
    let stored = outcomes
        .iter()
        .filter(|outcome| **outcome == Registered::Stored)
        .count();
    assert_eq!(
        (stored, world.items().await, world.facts().await.len()),
        (1, ITEMS, 1)
    );
}

#[tokio::test]
async fn two_hundred_at_once_are_all_stored_and_counted() {
    let world = world().await;
    join_all((1..=200).map(|n| world.register(n))).await;
    join_all(
        (1..=50)
            .map(|n| async move { sign_up(n).0 })
            .map(|made| async {
                let made = made.await;
                world.confirm(made.tenant.id, 1000).await.unwrap()
            }),
    )
    .await;
    let counts = world.store.reader().counts().await.unwrap();
    assert_eq!(
        counts,
        TenantCounts {
            pending: 150,
            active: 50,
            other: 0
        }
    );
}

#[tokio::test]
async fn a_confirmation_is_one_fact_however_often_and_by_whomever() {
    let world = world().await;
    let made = world.register(1).await;
    let confirmed = join_all((1..=10).map(|n| {
        let (world, made) = (&world, &made);
        async move { world.confirm(made.tenant.id, 100 + n).await.unwrap() }
    }))
    .await;
    assert!(
        confirmed
            .iter()
            .all(|tenant| (tenant.status, tenant.version) == (TenantStatus::Active, 2))
    );
    let facts = world.facts().await;
    let told: Vec<_> = facts
        .iter()
        .map(|(_, fact)| (&fact["sequence"], &fact["data"]["status"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(1), &json!("pending")),
            (&json!(2), &json!("active"))
        ]
    );
    let counts = world.store.reader().counts().await.unwrap();
    assert_eq!(
        counts,
        TenantCounts {
            pending: 0,
            active: 1,
            other: 0
        }
    );
    let signup = world
        .store
        .reader()
        .load_signup(made.signup.id)
        .await
        .unwrap()
        .unwrap();
    assert!(signup.confirmed_at.is_some() && signup.identity_at.is_some());
    assert_eq!(world.due().await, [], "a confirmed sign-up does not expire");
    let user = world
        .store
        .reader()
        .load_user(made.user.username)
        .await
        .unwrap()
        .unwrap();
    assert!(user.confirmed_at.is_some());
}

#[tokio::test]
async fn an_unknown_tenant_is_not_confirmed() {
    let world = world().await;
    let (made, ..) = sign_up(1);
    let refused = world.confirm(made.tenant.id, 1).await;
    assert!(matches!(refused, Err(TenantStoreError::UnknownTenant)));
    assert_eq!(world.items().await, 0);
}

fn policy(version: u64) -> TenantPolicy {
    TenantPolicy {
        version,
        plan: "pro".parse().unwrap(),
        suspension: version
            .is_multiple_of(2)
            .then_some(kernel::Suspension::Operator),
        entitlements: vec!["sso".parse().unwrap()],
    }
}

#[tokio::test]
async fn the_highest_policy_holds_and_every_delivery_is_acknowledged() {
    let world = world().await;
    let made = world.active(1).await;
    let versions = [3, 1, 5, 5, 2, 4];
    join_all(versions.iter().enumerate().map(|(place, version)| {
        let (world, tenant) = (&world, made.tenant.id);
        async move {
            world
                .apply(
                    tenant,
                    &policy(*version),
                    u32::try_from(place).unwrap() + 10,
                )
                .await
                .unwrap()
        }
    }))
    .await;
    let tenant = world
        .store
        .reader()
        .load_tenant(made.tenant.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            tenant.policy.version,
            tenant.policy.suspension,
            tenant.plan.as_str()
        ),
        (5, None, "pro")
    );
    assert_eq!(tenant.status, TenantStatus::Active);
    let facts = world.facts().await;
    let acknowledged: Vec<_> = facts
        .iter()
        .filter(|(kind, _)| kind == "TenantPolicyApplied.v1")
        .collect();
    assert_eq!(acknowledged.len(), versions.len());
    assert_eq!(acknowledged.last().unwrap().1["data"]["version"], json!(5));
    let stated = facts
        .iter()
        .filter(|(kind, _)| kind == "TenantStatusChanged.v1");
    let revisions: Vec<_> = stated
        .map(|(_, fact)| fact["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(
        revisions,
        (1..=tenant.version).collect::<Vec<_>>(),
        "every version is stated once"
    );
}

#[tokio::test]
async fn a_policy_of_an_unknown_tenant_writes_nothing() {
    let world = world().await;
    let refused = world.apply(tenant_id(9), &policy(1), 1).await;
    assert!(matches!(refused, Err(TenantStoreError::UnknownTenant)));
    assert_eq!((world.items().await, world.facts().await.len()), (0, 0));
}

/// Two of many who change one tenant at once never overwrite one another.
#[tokio::test]
async fn changes_of_one_tenant_are_one_after_the_other() {
    let world = world().await;
    let made = world.active(1).await;
    join_all((0..10).map(|n| {
        let (world, made) = (&world, &made);
        async move {
            world
                .invite(made, &format!("guest{n}@engines.example"), 1, 2_000 + n)
                .await
        }
    }))
    .await;
    let tenant = world
        .store
        .reader()
        .load_tenant(made.tenant.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((tenant.invitations, tenant.generation.as_u64()), (10, 12));
    let listed = world
        .store
        .reader()
        .list_invitations(made.tenant.id, None, 100)
        .await
        .unwrap();
    assert_eq!((listed.entries.len(), listed.next), (10, None));
}

#[tokio::test]
async fn an_invitation_is_accepted_once_by_many_at_once() {
    let world = world().await;
    let made = world.active(1).await;
    let old = world.invite(&made, "charles@engines.example", 1, 10).await;
    let code = world.invite(&made, "charles@engines.example", 2, 11).await;
    let refused = world.accept(&made, &old, 12).await;
    assert!(
        matches!(
            refused,
            Err(TenantStoreError::Refused(Refusal::NoInvitation))
        ),
        "the code was replaced"
    );
    let accepted = join_all((20..30).map(|n| world.accept(&made, &code, n))).await;
    assert_eq!(
        accepted.iter().filter(|accepted| accepted.is_ok()).count(),
        1
    );
    let reader = world.store.reader();
    assert_eq!(
        reader.load_invitation(code.invitation()).await.unwrap(),
        None
    );
    assert_eq!(
        reader
            .list_invitations(made.tenant.id, None, 10)
            .await
            .unwrap()
            .entries,
        []
    );
    let tenant = reader.load_tenant(made.tenant.id).await.unwrap().unwrap();
    assert_eq!((tenant.users, tenant.invitations), (2, 0));
}

#[tokio::test]
async fn pages_hold_everything_once() {
    let world = world().await;
    let made = world.active(1).await;
    for n in 0..5_u8 {
        let code = world
            .invite(
                &made,
                &format!("guest{n}@engines.example"),
                n,
                100 + u32::from(n),
            )
            .await;
        world
            .accept(&made, &code, 200 + u32::from(n))
            .await
            .unwrap();
    }
    let reader = world.store.reader();
    let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = reader
            .list_users(made.tenant.id, cursor.as_deref(), 2)
            .await
            .unwrap();
        names.extend(page.entries.iter().map(|user| user.username));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let sorted = names.is_sorted();
    names.dedup();
    assert!(
        sorted && names.len() == 6 && pages >= 3,
        "{names:?} on {pages} pages"
    );
    let trail = reader
        .list_audit(made.tenant.id, None, 100)
        .await
        .unwrap()
        .entries;
    assert!(
        trail.iter().rev().is_sorted_by_key(|entry| entry.at),
        "newest first"
    );
    let invited = trail
        .iter()
        .filter(|entry| entry.action == AuditAction::Invite)
        .count();
    let joined = trail
        .iter()
        .filter(|entry| entry.action == AuditAction::AcceptInvitation)
        .count();
    assert_eq!(
        (invited, joined, trail.len()),
        (5, 5, 12),
        "registered, activated, invited, joined"
    );
}

#[tokio::test]
async fn a_refusal_is_in_the_trail() {
    let world = world().await;
    let made = world.active(1).await;
    let entry = AuditEntry {
        id: occasion(77).event,
        at: "2026-11-21T00:00:00Z".parse().unwrap(),
        actor: Actor::User(made.user.username),
        action: AuditAction::ListUsers,
        target: Some(tenant_id(9).to_string()),
        refused: Some("unknown-tenant".to_owned()),
    };
    world
        .store
        .record_audit(made.tenant.id, &entry)
        .await
        .unwrap();
    let trail = world
        .store
        .reader()
        .list_audit(made.tenant.id, None, 1)
        .await
        .unwrap();
    assert_eq!(trail.entries, [entry]);
    assert!(trail.next.is_some());
}

#[tokio::test]
async fn an_erasure_leaves_a_record_and_nothing_else_of_a_person() {
    let world = world().await;
    let made = world.active(1).await;
    let code = world.invite(&made, "charles@engines.example", 1, 10).await;
    world.accept(&made, &code, 11).await.unwrap();
    world.invite(&made, "mary@engines.example", 1, 12).await;
    let (id, store) = (made.tenant.id, &world.store);
    assert_eq!(store.load_erasure(id).await.unwrap(), None);
    for user in store.users_to_erase(id).await.unwrap() {
        // Two runs at once.
        join_all([store.erase_user(&user), store.erase_user(&user)]).await;
        store.erase_user(&user).await.unwrap();
    }
    join_all([store.erase_entries(id), store.erase_entries(id)]).await;
    while store.erase_entries(id).await.unwrap() == Leaving::Some {}
    let now: Timestamp = "2027-01-20T10:00:00Z".parse().unwrap();
    for _ in 0..2 {
        // Twice, as after a cut: the record does not count twice.
        store
            .erase_profile(id, made.signup.id, true, now)
            .await
            .unwrap();
    }
    store.close_erasure(id, now).await.unwrap();
    store
        .close_erasure(id, "2027-02-20T10:00:00Z".parse().unwrap())
        .await
        .unwrap();
    let record = store.load_erasure(id).await.unwrap().unwrap();
    assert_eq!(
        (record.accounts, record.invitations, record.profiles),
        (2, 1, 1)
    );
    assert_eq!((record.audit_entries, record.erased_at), (5, Some(now)));
    let items = world
        .client
        .scan()
        .table_name(&world.table)
        .send()
        .await
        .unwrap();
    let left: Vec<_> = items
        .items()
        .iter()
        .map(|item| item["pk"].as_s().unwrap().split('#').next().unwrap())
        .collect();
    assert!(
        left.iter()
            .all(|kind| ["KEY", "ALIAS", "TENANT", "ERASURE", "STATS"].contains(kind)),
        "{left:?}"
    );
    let text = format!("{items:?}");
    for personal in [
        "Lovelace",
        "ngines",
        "Babbage",
        "charles",
        "mary",
        &made.user.username.to_string(),
    ] {
        assert!(!text.contains(personal), "{personal} is left");
    }
}
