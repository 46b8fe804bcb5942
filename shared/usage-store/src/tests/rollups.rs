//! Rollups by one writer and by many at once.

use super::*;

/// A function with an empty cache finds events that others counted, and reads little for it.
#[tokio::test]
async fn a_writer_with_an_empty_cache_finds_duplicates_in_blocks() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of = tenant(26);
    let roll_up = async |rollups: &RollupWriter, numbers: std::ops::Range<u32>| {
        let sent = segments(&catalogue, of, numbers);
        world.segment_writer.store(&sent, now()).await.unwrap();
        rollups.roll_up(of, &sent, now()).await.unwrap().counted
    };
    let rollups = world.rollups();
    let mut sent = 0;
    // Repeated until a group of runs has its filter, which depends on the runs' ids.
    let checkpoint = loop {
        for _ in 0..13 {
            assert_eq!(roll_up(&rollups, sent..sent + 1_000).await.accepted, 1_000);
            sent += 1_000;
        }
        let (checkpoint, _) = rollups.load_checkpoint(of, Vec::new()).await.unwrap();
        if checkpoint
            .events
            .runs
            .iter()
            .filter_map(|run| run.blocks)
            .any(|blocks| blocks.filter_words[0] > 0)
        {
            break checkpoint;
        }
    };
    let in_blocks = checkpoint
        .events
        .runs
        .iter()
        .filter(|run| run.blocks.is_some())
        .count();
    assert!(in_blocks >= 2);

    let small_cache = world.rollups().within_memory(0);
    let counted = roll_up(&small_cache, sent - 10..sent + 10).await;
    assert_eq!((counted.accepted, counted.duplicates), (10, 10));
    let counted = roll_up(&small_cache, 0..1_000).await;
    assert_eq!((counted.accepted, counted.duplicates), (0, 1_000));
    let again = segments(&catalogue, of, 5..10);
    let (_, loaded, changes) = small_cache
        .decide(of, &again, fresh_id(), now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changes.counted.duplicates, 5);
    let blocks: usize = loaded
        .blocked
        .values()
        .map(|run| run.blocks().count())
        .sum();
    assert!(
        (5..=5 * in_blocks).contains(&blocks),
        "{blocks} blocks of {in_blocks} runs are read for 5 events"
    );
}

#[tokio::test]
async fn concurrent_rollups_count_each_event_once() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    // Twelve requests with 50 events each, every event in two of them.
    let sent: Vec<Segment> = (0..12)
        .flat_map(|n| {
            segments(
                &catalogue,
                tenant(1),
                (0..50).map(move |i| (n * 25 + i) % 300),
            )
        })
        .collect();
    world.segment_writer.store(&sent, now()).await.unwrap();
    assert_eq!(world.monitor().backlog().await.unwrap().pending, 12);

    let rollup_writers = [world.rollups(), world.rollups(), world.rollups()];
    let deliveries = (0..12).map(|n| {
        let delivered: Vec<Segment> = (0..4).map(|i| sent[(n + i * 5) % 12].clone()).collect();
        let rollups = &rollup_writers[n % 3];
        async move {
            // The stream delivers a failed batch again.
            for _ in 0..20 {
                if let Ok(rolled_up) = rollups.roll_up(tenant(1), &delivered, now()).await {
                    return rolled_up;
                }
            }
            panic!("never rolled up");
        }
    });
    let rolled_up: Vec<RolledUp> = join_all(deliveries).await;
    assert_eq!(
        rolled_up
            .iter()
            .map(|rolled_up| rolled_up.segments)
            .sum::<usize>(),
        12
    );
    assert_eq!(
        rolled_up
            .iter()
            .map(|rolled_up| rolled_up.segments + rolled_up.before)
            .sum::<usize>(),
        48
    );

    let counts = EventCounts {
        accepted: 300,
        duplicates: 300,
        ..EventCounts::default()
    };
    assert_eq!(world.monitor().counts().await.unwrap(), counts);
    assert_eq!(world.monitor().backlog().await.unwrap().pending, 0);
    let (bus_events, windows) = world.published().await;
    let window = windows.values().next().unwrap();
    assert_eq!(
        (window.value.to_string().as_str(), window.events),
        ("4485", 300)
    );
    assert_eq!(
        window.revision, bus_events,
        "each bus_event states a further revision"
    );

    let again = world
        .rollups()
        .roll_up(tenant(1), &sent, now())
        .await
        .unwrap();
    assert_eq!(
        again,
        RolledUp {
            segments: 0,
            before: 12,
            counted: Counted::default()
        }
    );
    assert_eq!(
        world.published().await.0,
        bus_events,
        "a redelivery states nothing"
    );
}

#[tokio::test]
async fn concurrent_compaction_does_not_disturb_readers_of_the_index() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let rollup_writers = [world.rollups(), world.rollups()];
    let mut accepted = 0;
    for n in 0..20_u32 {
        let sent = segments(&catalogue, tenant(2), (n * 5)..(n * 5 + 10));
        world.segment_writer.store(&sent, now()).await.unwrap();
        let rolled_up = rollup_writers[usize::from(n % 3 == 0)]
            .roll_up(tenant(2), &sent, now())
            .await
            .unwrap();
        accepted += rolled_up.counted.accepted;
    }
    assert_eq!(accepted, 105);
    let (checkpoint, _) = world
        .rollups()
        .load_checkpoint(tenant(2), Vec::new())
        .await
        .unwrap();
    assert_eq!(
        (checkpoint.counted.accepted, checkpoint.counted.duplicates),
        (105, 95)
    );
    assert!(
        checkpoint.events.runs.len() < 16,
        "{} runs",
        checkpoint.events.runs.len()
    );
    let runs = checkpoint
        .events
        .runs
        .iter()
        .map(|run| items::run_key(tenant(2), run.id))
        .collect::<Vec<_>>();
    assert_eq!(
        world
            .rollups()
            .table
            .batch_get(runs)
            .send()
            .await
            .unwrap()
            .len(),
        checkpoint.events.runs.len()
    );
}

/// A segment whose events all counted is itself a run. Runs that have grown full are named in lists
/// of their own.
#[tokio::test]
async fn duplicates_are_found_in_full_runs_named_in_lists() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent: Vec<Segment> = (0..26_u32)
        .flat_map(|n| segments(&catalogue, tenant(21), (n * 1_000)..(n * 1_000 + 1_000)))
        .collect();
    world.segment_writer.store(&sent, now()).await.unwrap();
    let rollups = world.rollups();
    for (n, segment) in sent.iter().enumerate() {
        rollups
            .roll_up(tenant(21), std::slice::from_ref(segment), now())
            .await
            .unwrap();
        let (checkpoint, _) = rollups
            .load_checkpoint(tenant(21), Vec::new())
            .await
            .unwrap();
        let segments = checkpoint
            .events
            .runs
            .iter()
            .filter(|run| run.id.segment().is_some())
            .count();
        assert_eq!(
            (segments, checkpoint.events.runs.len() - segments),
            ((n + 1) % 12, (n + 1) / 12),
            "after {} segments",
            n + 1
        );
    }
    // Another function with an empty cache reads segments and full runs.
    let again: Vec<Segment> = (0..26_u32)
        .flat_map(|n| segments(&catalogue, tenant(21), (n * 1_000)..(n * 1_000 + 7)))
        .collect();
    world.segment_writer.store(&again, now()).await.unwrap();
    let other = world.rollups();
    for batch in batches(again) {
        other.roll_up(tenant(21), &batch, now()).await.unwrap();
    }
    let (checkpoint, _) = other.load_checkpoint(tenant(21), Vec::new()).await.unwrap();
    assert_eq!(
        (checkpoint.counted.accepted, checkpoint.counted.duplicates),
        (26_000, 26 * 7)
    );
    let kept = other
        .find(
            &sent
                .iter()
                .map(|s| Pending {
                    segment: s.id,
                    tenant: s.tenant,
                })
                .collect::<Vec<_>>(),
        )
        .await;
    assert!(
        kept.unwrap()
            .iter()
            .all(|(_, found)| matches!(found, FoundSegment::Ready(_))),
        "what was sent is kept"
    );
}

#[tokio::test]
async fn a_conflict_is_counted_and_changes_no_total() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let first = segments(&catalogue, tenant(3), 1..4);
    let mut other = segments(&catalogue, tenant(3), 1..4).remove(0);
    let mut bytes = other.body.encode();
    // The content hash of the first event: after the header, the one slot and the checkpoint of its
    // run, and after its dedupe key.
    let at = 7 + 2 + 8 + 1 + catalogue.meters[3].code.as_str().len() + 1 + 3 + DedupeKey::BYTES;
    bytes[at] ^= 1;
    other.body = metering::SegmentBody::decode(&bytes).unwrap();
    let rollups = world.rollups();
    for sent in [&first[0], &other] {
        world
            .segment_writer
            .store(std::slice::from_ref(sent), now())
            .await
            .unwrap();
        rollups
            .roll_up(tenant(3), std::slice::from_ref(sent), now())
            .await
            .unwrap();
    }
    let counts = EventCounts {
        accepted: 3,
        duplicates: 2,
        conflicts: 1,
        ..EventCounts::default()
    };
    assert_eq!(world.monitor().counts().await.unwrap(), counts);
    let (bus_events, windows) = world.published().await;
    assert_eq!(
        (
            bus_events,
            windows.values().next().unwrap().value.to_string().as_str()
        ),
        (1, "0.6")
    );
}
