use super::{tenant_id, world};
use crate::clock::{Limit, Resolved, Taken, Tally};
use crate::resolve::Destination;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use kernel::Timestamp;
use tenancy::{KeyDigest, TaskKind};

#[tokio::test]
async fn a_limit_counts_each_mark_once_in_its_window() {
    let world = world().await;
    let limit = Limit {
        of: KeyDigest::of("source", "192.0.2.7"),
        times_max: 2,
        window_s: 3_600,
    };
    let take = async |mark: &str, now: &str| {
        world
            .store
            .take(&limit, &KeyDigest::of("mark", mark), now.parse().unwrap())
            .await
            .unwrap()
    };
    let repeated = join_all((0..20).map(|_| take("one", "2026-11-20T10:00:00Z"))).await;
    assert!(
        repeated.iter().all(|taken| *taken == Taken::Yes),
        "a repetition is no second time"
    );
    assert_eq!(take("two", "2026-11-20T10:00:01Z").await, Taken::Yes);
    assert_eq!(
        take("three", "2026-11-20T10:59:00Z").await,
        Taken::NotBefore { wait_s: 60 }
    );
    assert_eq!(take("one", "2026-11-20T10:59:00Z").await, Taken::Yes);
    assert_eq!(
        take("three", "2026-11-20T11:00:00Z").await,
        Taken::Yes,
        "another window"
    );
    let other = Limit {
        of: KeyDigest::of("source", "192.0.2.8"),
        ..limit.clone()
    };
    let now: Timestamp = "2026-11-20T10:59:00Z".parse().unwrap();
    assert_eq!(
        world
            .store
            .take(&other, &KeyDigest::of("mark", "three"), now)
            .await
            .unwrap(),
        Taken::Yes
    );
    let items = world
        .client
        .scan()
        .table_name(&world.table)
        .send()
        .await
        .unwrap();
    assert!(
        !format!("{items:?}").contains("192.0.2"),
        "a source cannot be read from the table"
    );
}

/// One request returns a subdomain's destination and whether the caller's limit is reached.
#[tokio::test]
async fn a_subdomain_is_resolved_together_with_the_callers_limit() {
    let world = world().await;
    let tenant = tenant_id(7);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = world
        .client
        .put_item()
        .table_name(&world.table)
        .item("pk", text("ALIAS#acme"))
        .item("sk", text("ALIAS"));
    let put = put.item("tenant", text(&tenant.to_string()));
    put.item("routed_since_version", AttributeValue::N("2".to_owned()))
        .send()
        .await
        .unwrap();
    let tally = Tally::new(world.store.reader().clone());
    let limit = Limit {
        of: KeyDigest::of("source", "192.0.2.7"),
        times_max: 2,
        window_s: 3_600,
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let (now, next) = (at("2026-11-20T10:59:00Z"), at("2026-11-20T11:00:00Z"));
    for (mark, wait_s) in [("one", None), ("two", None), ("three", Some(60))] {
        let known = tally.resolve("acme", &limit, now).await.unwrap();
        assert_eq!(
            known,
            Resolved {
                lead: Some(Destination::Here(tenant)),
                wait_s
            },
            "{mark}"
        );
        let unknown = tally.resolve("zzzzzzzzzzzz", &limit, now).await.unwrap();
        assert_eq!(unknown, Resolved { lead: None, wait_s }, "{mark}");
        tally
            .take(&limit, &KeyDigest::of("subdomain", mark), now)
            .await
            .unwrap();
    }
    assert_eq!(
        tally.resolve("", &limit, next).await.unwrap(),
        Resolved {
            lead: None,
            wait_s: None
        },
        "another window"
    );
}

#[tokio::test]
async fn a_scheduled_task_is_found_once_it_is_due() {
    let world = world().await;
    join_all((1..=20).map(|n| world.register(n))).await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let reader = world.store.reader();
    assert_eq!(
        reader
            .load_due_tasks(at("2026-11-21T09:59:59.999Z"), 100)
            .await
            .unwrap(),
        []
    );
    let due = reader
        .load_due_tasks(at("2026-11-21T10:00:00Z"), 100)
        .await
        .unwrap();
    assert_eq!(due.len(), 20);
    assert!(due.iter().all(|due| due.kind == TaskKind::Expiry));
    world.store.drop_due(&due[0]).await.unwrap();
    assert_eq!(world.due().await.len(), 19);
}
