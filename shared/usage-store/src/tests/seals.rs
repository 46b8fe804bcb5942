//! Sealed days, and the end of a usage stream.

use super::*;

#[tokio::test]
async fn a_day_is_due_to_be_sealed_after_its_end_and_the_grace_time() {
    let world = world().await;
    let (rollups, of, day) = (world.rollups(), tenant(23), Timestamp::UNIX_EPOCH);
    let sent = segments(&Catalogue::bundled().unwrap(), of, 1..3);
    world.segment_writer.store(&sent, day).await.unwrap();
    rollups
        .roll_up(of, &sent, day + SignedDuration::from_hours(10))
        .await
        .unwrap();
    let due_at = day + SignedDuration::from_hours(24) + SEAL_AFTER;
    assert!(rollups.due_seals(due_at, 10).await.unwrap().is_empty());
    let due = rollups
        .due_seals(due_at + SignedDuration::from_secs(1), 10)
        .await
        .unwrap();
    assert!(
        !due.is_empty()
            && due
                .iter()
                .all(|due| (due.tenant, due.day, due.due) == (of, day, due_at)),
        "{due:?}"
    );
}

/// The sequence numbers of published bus events, ascending.
fn sequences(rows: &[outbox::Row]) -> Vec<u64> {
    let number = |row: &outbox::Row| {
        serde_json::from_str::<serde_json::Value>(&row.detail).unwrap()["sequence"]
            .as_u64()
            .unwrap()
    };
    let mut all: Vec<u64> = rows.iter().map(number).collect();
    all.sort_unstable();
    all
}

/// The published bus events of one type.
fn bus_events<T: BusEvent + serde::de::DeserializeOwned>(rows: &[outbox::Row]) -> Vec<Envelope<T>> {
    let of_type = rows.iter().filter(|row| row.detail_type == T::TYPE);
    of_type
        .map(|row| serde_json::from_str(&row.detail).unwrap())
        .collect()
}

/// Asserts the total of five sealed events and the adjustment of two later ones. The seal covers
/// only the former.
fn assert_sealed_total_and_adjustment(published: &UsageWindowUpdated, seal: &UsageSealed) {
    let totals: Vec<_> = published
        .windows
        .iter()
        .map(|w| (w.part, w.value.to_string(), w.events, w.revision))
        .collect();
    let expected = [
        (WindowPart::Window, "1.5".to_owned(), 5, 2),
        (WindowPart::Adjustment, "1.3".to_owned(), 2, 1),
    ];
    assert_eq!(totals, expected);
    let covered: Vec<_> = published
        .windows
        .iter()
        .filter(|window| SealDigest::covers(seal.day, window))
        .collect();
    assert_eq!(
        (covered.len() as u64, SealDigest::of(covered)),
        (seal.totals, seal.digest.clone())
    );
}

#[tokio::test]
async fn a_day_is_sealed_once_and_can_be_published_again() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of = tenant(22);
    let (rollups, day) = (world.rollups(), Timestamp::UNIX_EPOCH);
    let send = async |numbers: std::ops::Range<u32>| {
        let sent = segments(&catalogue, of, numbers);
        world.segment_writer.store(&sent, now()).await.unwrap();
        rollups.roll_up(of, &sent, now()).await.unwrap();
    };
    send(1..4).await;
    send(4..6).await;
    assert_eq!(
        rollups.resend(of, day, now()).await.unwrap(),
        Resent::NotSealed
    );
    // The day ended years ago: it is sealed a quarter of an hour after its first event.
    assert!(
        rollups
            .due_seals(now() + SignedDuration::from_mins(13), 10)
            .await
            .unwrap()
            .is_empty()
    );
    let due_soon = async || {
        rollups
            .due_seals(now() + SignedDuration::from_mins(16), 10)
            .await
            .unwrap()
    };
    let (due, others): (Vec<_>, Vec<_>) =
        due_soon().await.into_iter().partition(|due| due.day == day);
    let last_day = day + SignedDuration::from_hours(30 * 24);
    assert!(!due.is_empty() && due.iter().all(|due| due.tenant == of));
    assert!(
        !others.is_empty()
            && others
                .iter()
                .all(|due| (due.tenant, due.day) == (of, last_day)),
        "with the period"
    );
    let seals = [
        rollups.seal(&due[0], now()),
        rollups.seal(&due[0], now()),
        rollups.seal(&due[0], now()),
    ];
    assert!(join_all(seals).await.iter().all(Result::is_ok));
    assert_eq!(due_soon().await.len(), due.len() - 1 + others.len());

    send(6..8).await;
    let rows = world.outbox.unpublished(Timestamp::MAX, 100).await.unwrap();
    assert_eq!(
        sequences(&rows),
        [1, 2, 3, 4],
        "two totals, one seal, one adjustment"
    );
    assert_eq!(
        rollups.resend(of, day, now()).await.unwrap(),
        Resent::Published
    );
    let rows = world.outbox.unpublished(Timestamp::MAX, 100).await.unwrap();
    assert_eq!(sequences(&rows), [1, 2, 3, 4, 5, 6]);
    let seals: Vec<UsageSealed> = bus_events(&rows)
        .into_iter()
        .map(|bus_event| bus_event.data)
        .collect();
    assert!(
        seals.len() == 2 && seals[0] == seals[1],
        "the repeated seal is equal"
    );
    let totals = bus_events::<UsageWindowUpdated>(&rows);
    let last = totals
        .into_iter()
        .max_by_key(|bus_event| bus_event.sequence)
        .unwrap();
    assert_sealed_total_and_adjustment(&last.data, &seals[0]);
}

#[tokio::test]
async fn concurrent_reports_of_a_stream_end_take_the_next_sequence_numbers() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let (rollup_writers, of) = (
        [world.rollups(), world.rollups(), world.rollups()],
        tenant(24),
    );
    assert!(
        !rollup_writers[0].report_end(of, now()).await.unwrap(),
        "nothing was used"
    );
    assert_eq!(world.items(of).await, 0, "and the request leaves no item");

    let sent: Vec<Segment> = (0..3)
        .flat_map(|n| segments(&catalogue, of, (n * 2)..(n * 2 + 2)))
        .collect();
    world.segment_writer.store(&sent, now()).await.unwrap();
    let work = rollup_writers
        .iter()
        .zip(&sent)
        .map(async |(rollups, segment)| {
            assert!(
                rollups
                    .roll_up(of, std::slice::from_ref(segment), now())
                    .await
                    .is_ok()
            );
            assert!(rollups.report_end(of, now()).await.unwrap());
        });
    join_all(work).await;
    let rows = world.outbox.unpublished(Timestamp::MAX, 100).await.unwrap();
    let number = |row: &outbox::Row| {
        serde_json::from_str::<Envelope<serde_json::Value>>(&row.detail)
            .unwrap()
            .sequence
    };
    let mut numbers: Vec<u64> = rows.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        [1, 2, 3, 4, 5, 6],
        "totals and ends are in one stream"
    );
    let ends: Vec<_> = rows
        .iter()
        .filter(|row| row.detail_type == UsageStreamEndReported::TYPE)
        .collect();
    assert_eq!(ends.len(), 3);
    let end: Envelope<UsageStreamEndReported> = serde_json::from_str(&ends[0].detail).unwrap();
    assert_eq!(
        end.data,
        UsageStreamEndReported {
            tenant: of,
            sealed_until: None
        }
    );
    assert_eq!(
        (end.stream, ends[0].target),
        (Stream::Usage(of), outbox::Target::Regional)
    );
    let (checkpoint, _) = rollup_writers[0]
        .load_checkpoint(of, Vec::new())
        .await
        .unwrap();
    assert_eq!((checkpoint.sequence, checkpoint.counted.accepted), (6, 6));
}

#[tokio::test]
async fn a_seal_task_of_an_erased_tenant_is_removed() {
    let world = world().await;
    let rollups = world.rollups();
    let due = SealTask {
        due: Timestamp::UNIX_EPOCH,
        tenant: tenant(23),
        day: Timestamp::UNIX_EPOCH,
    };
    rollups
        .table
        .put_all(vec![items::seal_key(&due)])
        .await
        .unwrap();
    assert_eq!(rollups.due_seals(now(), 10).await.unwrap(), [due]);
    rollups.seal(&due, now()).await.unwrap();
    assert!(rollups.due_seals(now(), 10).await.unwrap().is_empty());
    assert_eq!(
        (
            world.items(tenant(23)).await,
            world
                .outbox
                .unpublished(Timestamp::MAX, 10)
                .await
                .unwrap()
                .len()
        ),
        (0, 0)
    );
}
