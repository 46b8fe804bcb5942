//! The erasure of a tenant.

use super::*;

#[tokio::test]
async fn an_erasure_leaves_a_record_and_no_personal_data() {
    let world = world().await;
    let made = world.active(1).await;
    let code = world.invite(&made, "charles@engines.example", 1, 10).await;
    world.accept(&made, &code, 11).await.unwrap();
    world.invite(&made, "mary@engines.example", 1, 12).await;
    let (id, store) = (made.tenant.id, &world.store);
    assert_eq!(store.load_erasure(id).await.unwrap(), None);
    for user in store.users_to_erase(id).await.unwrap() {
        // Two concurrent runs.
        join_all([store.erase_user(&user), store.erase_user(&user)]).await;
        store.erase_user(&user).await.unwrap();
    }
    join_all([store.erase_entries(id), store.erase_entries(id)]).await;
    while store.erase_entries(id).await.unwrap() == Leaving::Some {}
    let now: Timestamp = "2027-01-20T10:00:00Z".parse().unwrap();
    for _ in 0..2 {
        // Twice, as after an interruption: the record does not count twice.
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
