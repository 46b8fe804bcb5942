use crate::row::{Row, Target};
use crate::table::Outbox;
use contract::{Envelope, Stream, TenantPolicyApplied};
use dynamo::{Table, text};
use kernel::{EventId, TenantId, Timestamp};
use testkit::LocalAws;
use uuid::Uuid;

fn event(number: u128, occurred_at_s: i64) -> Row {
    let tenant = TenantId::from_uuid(Uuid::from_u128(7));
    let envelope = Envelope {
        id: EventId::from_uuid(Uuid::from_u128(number)),
        region: "eu-central-1".parse().unwrap(),
        stream: Stream::Tenant(tenant),
        sequence: 1,
        occurred_at: Timestamp::from_second(occurred_at_s).unwrap(),
        data: TenantPolicyApplied { tenant, version: 1 },
    };
    Row::new(Target::Regional, &envelope).unwrap()
}

async fn store(aws: &LocalAws, outbox: &Outbox, rows: &[Row]) {
    let parts = rows.iter().map(|row| outbox.put(row)).collect();
    Table::new(&aws.config, "any".to_owned())
        .transact(parts)
        .await
        .unwrap();
}

#[tokio::test]
async fn rows_are_pending_oldest_first_until_they_are_removed() {
    let aws = testkit::aws().await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    assert_eq!(outbox.backlog().await.unwrap().waiting, 0);

    let rows: Vec<Row> = (0_u8..20)
        .map(|n| event(u128::from(n), 1_000 - i64::from(n)))
        .collect();
    store(&aws, &outbox, &rows).await;
    let backlog = outbox.backlog().await.unwrap();
    assert_eq!(
        (backlog.waiting, backlog.oldest.unwrap().as_second()),
        (20, 981)
    );

    let old = outbox
        .unpublished(Timestamp::from_second(991).unwrap(), 10)
        .await
        .unwrap();
    let seconds: Vec<_> = old.iter().map(|row| row.occurred_at.as_second()).collect();
    assert_eq!(seconds, (981..991).collect::<Vec<_>>());
    assert!(rows.contains(&old[0]), "a row is decoded as it was encoded");

    outbox.remove(&[]).await.unwrap();
    assert_eq!(outbox.backlog().await.unwrap().waiting, 20);
    let (first, others) = rows.split_first().unwrap();
    outbox.remove(&[first]).await.unwrap();
    outbox.remove(&[first]).await.unwrap();
    assert_eq!(outbox.backlog().await.unwrap().waiting, 19);
    let twice: Vec<&Row> = others.iter().chain(others).collect();
    outbox.remove(&twice).await.unwrap();
    assert_eq!(outbox.backlog().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn an_event_without_state_is_pending_like_any_other() {
    let aws = testkit::aws().await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let row = event(1, 1_000);
    outbox.publish(&row).await.unwrap();
    outbox.publish(&row).await.unwrap();
    assert_eq!(outbox.unpublished(Timestamp::MAX, 10).await.unwrap(), [row]);
}

#[test]
fn a_malformed_item_is_named() {
    let mut item = event(1, 1).item();
    for (attribute, value) in [("sk", "x"), ("sk", "1#x"), ("bus", "other"), ("detail", "")] {
        let mut broken = item.clone();
        broken.insert(attribute.to_owned(), text(value));
        assert_eq!(
            Row::from_item(&broken).is_ok(),
            attribute == "detail",
            "{attribute}"
        );
    }
    item.remove("detail");
    assert_eq!(Row::from_item(&item).unwrap_err().attribute, "detail");
}
