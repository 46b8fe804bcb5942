//! Pending segments, and the counts of a region.

use super::*;

#[tokio::test]
async fn pending_segments_are_found_without_the_stream() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent: Vec<Segment> = (0..60)
        .flat_map(|n| segments(&catalogue, tenant(n), 0..2))
        .collect();
    let before = now();
    world.segment_writer.store(&sent, before).await.unwrap();
    let rollups = world.rollups();
    let soon = now() + SignedDuration::from_secs(2);
    assert!(
        rollups
            .backlog(before - SignedDuration::from_secs(60), 100)
            .await
            .unwrap()
            .is_empty()
    );
    let pending = rollups.backlog(soon, 100).await.unwrap();
    assert_eq!(pending.len(), 60);
    let backlog = world.monitor().backlog().await.unwrap();
    assert_eq!(backlog.pending, 60);
    let oldest = sent
        .iter()
        .map(|segment| Pending {
            segment: segment.id,
            tenant: segment.tenant,
        })
        .min_by_key(|p| p.segment);
    assert_eq!(backlog.oldest, oldest.unwrap().made_at());

    for (marker, found) in rollups.find(&pending).await.unwrap() {
        let FoundSegment::Ready(segment) = found else {
            panic!("{marker:?}")
        };
        assert_eq!(
            segment,
            *sent
                .iter()
                .find(|segment| segment.id == marker.segment)
                .unwrap()
        );
        for batch in batches(vec![segment]) {
            rollups.roll_up(marker.tenant, &batch, now()).await.unwrap();
        }
    }
    assert!(rollups.backlog(soon, 100).await.unwrap().is_empty());
    assert_eq!(world.monitor().counts().await.unwrap().accepted, 120);
}

#[tokio::test]
async fn a_pending_marker_without_a_segment_is_reported_as_absent() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent = segments(&catalogue, tenant(4), 0..2).remove(0);
    let rollups = world.rollups();
    // The segment writer ended between its two writes.
    rollups
        .table
        .put_all(vec![items::pending_item(&sent)])
        .await
        .unwrap();
    let marker = Pending {
        segment: sent.id,
        tenant: sent.tenant,
    };
    assert!(matches!(
        rollups.find(&[marker]).await.unwrap()[..],
        [(_, FoundSegment::Absent)]
    ));
    // Resent events are in another segment; the first marker still has none.
    let again = segments(&catalogue, tenant(4), 0..2).remove(0);
    world
        .segment_writer
        .store(std::slice::from_ref(&again), now())
        .await
        .unwrap();
    rollups.roll_up(tenant(4), &[again], now()).await.unwrap();
    rollups.remove_marker(marker).await.unwrap();
    assert_eq!(world.monitor().backlog().await.unwrap().pending, 0);
    assert_eq!(world.monitor().counts().await.unwrap().accepted, 2);

    let mut broken = items::segment_item(&sent, now());
    broken.insert("body".to_owned(), dynamo::text("x"));
    rollups.table.put_all(vec![broken]).await.unwrap();
    assert!(matches!(
        rollups.find(&[marker]).await.unwrap()[..],
        [(_, FoundSegment::Malformed(_))]
    ));
}

#[tokio::test]
async fn rejected_events_are_counted_by_sender_and_kind() {
    let world = world().await;
    let kinds = [
        RejectionKind::Malformed,
        RejectionKind::OutOfTime,
        RejectionKind::Malformed,
    ];
    for seed in 0..20 {
        world
            .segment_writer
            .count_rejected(Sender::Tenant, kinds, seed)
            .await
            .unwrap();
        world
            .segment_writer
            .count_rejected(Sender::Provider, RejectionKind::ALL, seed)
            .await
            .unwrap();
        world
            .segment_writer
            .count_rejected(Sender::Provider, [], seed)
            .await
            .unwrap();
        world
            .segment_writer
            .count_not_stored(5, seed)
            .await
            .unwrap();
    }
    let counts = world.monitor().counts().await.unwrap();
    let tenants = ReasonCounts {
        malformed: 40,
        out_of_time: 20,
        ..ReasonCounts::default()
    };
    assert_eq!(
        (
            counts.rejected.tenants,
            counts.rejected.total(),
            counts.not_stored
        ),
        (tenants, 60 + 7 * 20, 100)
    );
    let mut provider = counts.rejected.provider;
    assert!(
        RejectionKind::ALL
            .into_iter()
            .all(|kind| *provider.of_mut(kind) == 20),
        "{provider:?}"
    );
}
