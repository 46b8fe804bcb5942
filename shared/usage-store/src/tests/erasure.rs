//! The erasure of a tenant's usage.

use super::*;

/// Stands in for the other store's records of erasures.
struct Records(dynamo::Table);

impl Records {
    fn key(tenant: TenantId) -> dynamo::Item {
        dynamo::key(format!("ERASURE#{tenant}"), "ERASURE")
    }

    /// The write that counts erased items.
    fn note(&self, tenant: TenantId) -> impl Fn(usize) -> dynamo::Write {
        move |items| {
            let update = self.0.update(Self::key(tenant), "ADD usage_items :erased");
            update.value(":erased", dynamo::number(items))
        }
    }

    /// The number of a tenant's erased items. None where there is no record.
    async fn erased(&self, tenant: TenantId) -> Option<u64> {
        let record = self.0.get(Self::key(tenant)).await.unwrap();
        record.map(|record| record.number("usage_items").unwrap())
    }
}

impl World {
    /// The eraser, and the records of its erasures.
    async fn eraser(&self) -> (UsageEraser, Records) {
        let records = testkit::table(&self.aws, false).await;
        (
            UsageEraser::new(&self.aws.config, self.table.clone()),
            Records(dynamo::Table::new(&self.aws.config, records)),
        )
    }
}

#[tokio::test]
async fn requests_do_not_recreate_an_erased_tenant() {
    let world = world().await;
    let (eraser, records) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let (rollups, of) = (world.rollups(), tenant(25));
    let sent = segments(&catalogue, of, 0..2);
    world.segment_writer.store(&sent, now()).await.unwrap();
    rollups.roll_up(of, &sent, now()).await.unwrap();
    let note = records.note(of);
    let erase = async || while eraser.erase_some(of, &note).await.unwrap() == Leaving::Some {};
    let (published, ()) = tokio::join!(rollups.report_end(of, now()), erase());
    published.unwrap();
    assert!(!rollups.report_end(of, now()).await.unwrap());
    assert_eq!(world.items(of).await, 0);
}

#[tokio::test]
async fn only_its_own_pending_segments_hold_back_a_tenant() {
    let world = world().await;
    let (eraser, _) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of_both: Vec<Segment> = [5, 6]
        .into_iter()
        .flat_map(|n| segments(&catalogue, tenant(n), 0..2))
        .collect();
    world.segment_writer.store(&of_both, now()).await.unwrap();
    assert!(eraser.has_pending(tenant(5)).await.unwrap());
    world
        .rollups()
        .roll_up(tenant(5), &of_both[..1], now())
        .await
        .unwrap();
    assert!(!eraser.has_pending(tenant(5)).await.unwrap());
    assert!(eraser.has_pending(tenant(6)).await.unwrap());
}

/// More than 1 MB of other tenants' markers precede it, so the query needs a second page.
#[tokio::test]
async fn a_pending_marker_is_found_on_a_later_page() {
    let world = world().await;
    let (eraser, _) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let marker = |number: u128, of: u128| {
        let mut segment = segments(&catalogue, tenant(of), 0..1).remove(0);
        segment.id = SegmentId::from_uuid(Uuid::from_u128(number << 8));
        let mut item = items::pending_item(&segment);
        item.insert("padding".to_owned(), dynamo::text("x".repeat(350_000)));
        item
    };
    let markers = (1..=5)
        .map(|number| marker(number, if number == 5 { 8 } else { 7 }))
        .collect();
    world.rollups().table.put_all(markers).await.unwrap();
    assert!(eraser.has_pending(tenant(8)).await.unwrap());
    assert!(!eraser.has_pending(tenant(9)).await.unwrap());
}

#[tokio::test]
async fn concurrent_erasures_count_each_item_once() {
    let world = world().await;
    let (eraser, records) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let mut sent = Vec::new();
    for n in 0..150_u32 {
        sent.extend(segments(&catalogue, tenant(10), (n * 2)..(n * 2 + 2)));
    }
    world.segment_writer.store(&sent, now()).await.unwrap();
    for batch in batches(sent.clone()) {
        world
            .rollups()
            .roll_up(tenant(10), &batch, now())
            .await
            .unwrap();
    }
    let kept = segments(&catalogue, tenant(11), 0..2);
    world.segment_writer.store(&kept, now()).await.unwrap();
    let before = world.items(tenant(10)).await;
    assert!(
        before > 150,
        "segments, a checkpoint, a window and runs: {before}"
    );

    let note = records.note(tenant(10));
    let erase =
        async || while eraser.erase_some(tenant(10), &note).await.unwrap() == Leaving::Some {};
    join_all([erase(), erase(), erase()]).await;
    assert_eq!(
        (world.items(tenant(10)).await, world.items(tenant(11)).await),
        (0, 1)
    );
    assert_eq!(records.erased(tenant(10)).await, Some(before));
    assert_eq!(records.erased(tenant(11)).await, None);
}
