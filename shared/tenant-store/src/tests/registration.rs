//! Sign-ups and confirmations.

use super::*;

#[tokio::test]
async fn a_registration_is_stored_with_its_event_and_read_back() {
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
    let events = world.events().await;
    assert_eq!(events[0].0, "TenantStatusChanged.v1");
    assert_eq!(
        (events.len(), &events[0].1["data"]["reason"]),
        (1, &json!("signed_up"))
    );
    assert_eq!(world.due().await, [made.due]);
    assert_eq!(world.items().await, ITEMS);
}

#[tokio::test]
async fn the_names_of_organisation_and_person_are_stored_once_each() {
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
    assert!(!json!(world.events().await).to_string().contains("ngines"));
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
    assert_eq!(
        (world.items().await, world.events().await.len()),
        (ITEMS, 1)
    );
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
    assert_eq!(
        (world.items().await, world.events().await.len()),
        (ITEMS, 1)
    );
}

#[tokio::test]
async fn one_of_many_requests_with_one_key_wins() {
    let world = world().await;
    let (_, key, fingerprint) = sign_up(0);
    let change_sets = join_all((1..=20).map(|n| {
        let (made, ..) = sign_up(n);
        let (store, key, fingerprint) = (&world.store, &key, &fingerprint);
        async move { store.register(&made, key, fingerprint).await.unwrap() }
    }))
    .await;
    let stored = change_sets
        .iter()
        .filter(|changes| **changes == Registered::Stored)
        .count();
    assert_eq!(
        (stored, world.items().await, world.events().await.len()),
        (1, ITEMS, 1)
    );
}

#[tokio::test]
async fn two_hundred_concurrent_sign_ups_are_all_stored_and_counted() {
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
async fn a_repeated_confirmation_publishes_one_event() {
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
    let events = world.events().await;
    let published: Vec<_> = events
        .iter()
        .map(|(_, event)| (&event["sequence"], &event["data"]["status"]))
        .collect();
    assert_eq!(
        published,
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
