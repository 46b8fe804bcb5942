mod throttled;

use super::items;
use crate::{
    DueSeal, FoundSegment, Intake, Leaving, Pending, Resent, Settled, Settler, UsageEraser,
    UsageMonitor,
};
use catalogue::Catalogue;
use contract::{
    Envelope, EventCounts, Fact, ReasonCounts, RejectionKind, SealDigest, Stream, UsageSealed,
    UsageStreamStated, UsageWindow, UsageWindowUpdated, WindowPart,
};
use dedupe::{DedupeKey, Entry};
use dynamo::Attributes as _;
use futures::future::join_all;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId, TenantId, Timestamp, UsageGroup};
use metering::{
    Counted, Measure, Segment, Sender, Usage, Value, batches, content_hash, event_key, group,
};
use outbox::Outbox;
use std::collections::BTreeMap;
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "tests need fresh ids")]
fn fresh_id() -> Uuid {
    Uuid::now_v7()
}

#[expect(
    clippy::disallowed_methods,
    reason = "segment ids hold the present time"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

const SEAL_AFTER: SignedDuration = SignedDuration::from_hours(72);

struct World {
    aws: testkit::LocalAws,
    table: String,
    outbox: Outbox,
    intake: Intake,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let intake = Intake::new(&aws.config, table.clone());
    World {
        aws,
        table,
        outbox,
        intake,
    }
}

impl World {
    fn settler(&self) -> Settler {
        let region = "eu-central-1".parse().unwrap();
        Settler::new(
            &self.aws.config,
            self.table.clone(),
            self.outbox.clone(),
            region,
            SEAL_AFTER,
            fresh_id,
        )
    }

    /// The eraser, and where its erasures are recorded.
    async fn eraser(&self) -> (UsageEraser, Records) {
        let records = testkit::table(&self.aws, false).await;
        (
            UsageEraser::new(&self.aws.config, self.table.clone()),
            Records(dynamo::Table::new(&self.aws.config, records)),
        )
    }

    fn monitor(&self) -> UsageMonitor {
        UsageMonitor::new(&self.aws.config, self.table.clone())
    }

    /// How many items of a tenant's usage there are.
    async fn items(&self, tenant: TenantId) -> u64 {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let mut count = 0;
        let spread = items::TENANT_SHARDS.all().flat_map(|shard| {
            [
                items::segment_partition(tenant, shard),
                items::run_partition(tenant, shard),
            ]
        });
        for partition in spread.chain([items::tenant_partition(tenant)]) {
            let query = client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :partition");
            let found = query
                .expression_attribute_values(":partition", dynamo::text(partition))
                .send()
                .await
                .unwrap();
            count += u64::try_from(found.count()).unwrap();
        }
        count
    }

    /// The last total of each window that was stated, with the number of facts.
    async fn stated(&self) -> (u64, BTreeMap<(TenantId, Timestamp), UsageWindow>) {
        let mut windows: BTreeMap<(TenantId, Timestamp), UsageWindow> = BTreeMap::new();
        let rows = self.outbox.sweep(Timestamp::MAX, 1_000).await.unwrap();
        for row in &rows {
            let fact: Envelope<UsageWindowUpdated> = serde_json::from_str(&row.detail).unwrap();
            for window in fact.data.windows {
                let known = windows
                    .entry((fact.data.tenant, window.start))
                    .or_insert_with(|| window.clone());
                if window.revision > known.revision {
                    *known = window;
                }
            }
        }
        (rows.len() as u64, windows)
    }
}

/// Records of erasures, as another store keeps them.
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

    /// How many items were erased of a tenant; nothing where there is no record.
    async fn erased(&self, tenant: TenantId) -> Option<u64> {
        let record = self.0.get(Self::key(tenant)).await.unwrap();
        record.map(|record| record.number("usage_items").unwrap())
    }
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

/// Events with the numbers of a range; each is worth its number.
fn segments(
    catalogue: &Catalogue,
    tenant: TenantId,
    numbers: impl Iterator<Item = u32>,
) -> Vec<Segment> {
    let meter = &catalogue.meters[3];
    let usage = numbers.map(|number| {
        let measure = Measure::Number(Value::new(i128::from(number), 1).unwrap());
        let (at, group) = (Timestamp::UNIX_EPOCH, UsageGroup::default());
        let content = content_hash(&meter.event_type, tenant, at, &measure, &group);
        let entry = Entry {
            key: event_key(Sender::Provider, "source", &number.to_string()),
            content,
        };
        Usage {
            tenant,
            entry,
            meter,
            group,
            at,
            measure,
        }
    });
    group(
        usage,
        |_| BillingAnchor::default(),
        || SegmentId::from_uuid(fresh_id()),
    )
}

/// A function that keeps nothing finds what others have counted, and reads little for it.
#[tokio::test]
async fn an_index_in_blocks_is_known_to_whoever_holds_nothing_of_it() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of = tenant(26);
    let settle = async |settler: &Settler, numbers: std::ops::Range<u32>| {
        let sent = segments(&catalogue, of, numbers);
        world.intake.store(&sent, now()).await.unwrap();
        settler.settle(of, &sent, now()).await.unwrap().counted
    };
    let settler = world.settler();
    let mut sent = 0;
    // Until a group of runs has its filter, which depends on the runs' ids.
    let checkpoint = loop {
        for _ in 0..13 {
            assert_eq!(settle(&settler, sent..sent + 1_000).await.accepted, 1_000);
            sent += 1_000;
        }
        let (checkpoint, _) = settler.load_checkpoint(of, Vec::new()).await.unwrap();
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

    let forgetful = world.settler().within_memory(0);
    let counted = settle(&forgetful, sent - 10..sent + 10).await;
    assert_eq!((counted.accepted, counted.duplicates), (10, 10));
    let counted = settle(&forgetful, 0..1_000).await;
    assert_eq!((counted.accepted, counted.duplicates), (0, 1_000));
    let again = segments(&catalogue, of, 5..10);
    let (_, loaded, changes) = forgetful
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
async fn settlers_at_once_count_each_event_once() {
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
    world.intake.store(&sent, now()).await.unwrap();
    assert_eq!(world.monitor().backlog().await.unwrap().waiting, 12);

    let settlers = [world.settler(), world.settler(), world.settler()];
    let deliveries = (0..12).map(|n| {
        let delivered: Vec<Segment> = (0..4).map(|i| sent[(n + i * 5) % 12].clone()).collect();
        let settler = &settlers[n % 3];
        async move {
            // A failed batch comes again.
            for _ in 0..20 {
                if let Ok(settled) = settler.settle(tenant(1), &delivered, now()).await {
                    return settled;
                }
            }
            panic!("never settled");
        }
    });
    let settled: Vec<Settled> = join_all(deliveries).await;
    assert_eq!(
        settled
            .iter()
            .map(|settled| settled.segments)
            .sum::<usize>(),
        12
    );
    assert_eq!(
        settled
            .iter()
            .map(|settled| settled.segments + settled.before)
            .sum::<usize>(),
        48
    );

    let counts = EventCounts {
        accepted: 300,
        duplicates: 300,
        ..EventCounts::default()
    };
    assert_eq!(world.monitor().counts().await.unwrap(), counts);
    assert_eq!(world.monitor().backlog().await.unwrap().waiting, 0);
    let (facts, windows) = world.stated().await;
    let window = windows.values().next().unwrap();
    assert_eq!(
        (window.value.to_string().as_str(), window.events),
        ("4485", 300)
    );
    assert_eq!(
        window.revision, facts,
        "each fact states a further revision"
    );

    let again = world
        .settler()
        .settle(tenant(1), &sent, now())
        .await
        .unwrap();
    assert_eq!(
        again,
        Settled {
            segments: 0,
            before: 12,
            counted: Counted::default()
        }
    );
    assert_eq!(world.stated().await.0, facts, "a redelivery states nothing");
}

#[tokio::test]
async fn the_index_is_merged_under_everyone_who_reads_it() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let settlers = [world.settler(), world.settler()];
    let mut accepted = 0;
    for n in 0..20_u32 {
        let sent = segments(&catalogue, tenant(2), (n * 5)..(n * 5 + 10));
        world.intake.store(&sent, now()).await.unwrap();
        let settled = settlers[usize::from(n % 3 == 0)]
            .settle(tenant(2), &sent, now())
            .await
            .unwrap();
        accepted += settled.counted.accepted;
    }
    assert_eq!(accepted, 105);
    let (checkpoint, _) = world
        .settler()
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
            .settler()
            .table
            .batch_get(runs)
            .send()
            .await
            .unwrap()
            .len(),
        checkpoint.events.runs.len()
    );
}

/// A segment whose events all counted is a run by itself; beyond so many events, runs are full, and
/// named apart.
#[tokio::test]
async fn what_has_grown_full_is_named_apart_and_still_known() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent: Vec<Segment> = (0..26_u32)
        .flat_map(|n| segments(&catalogue, tenant(21), (n * 1_000)..(n * 1_000 + 1_000)))
        .collect();
    world.intake.store(&sent, now()).await.unwrap();
    let settler = world.settler();
    for (n, segment) in sent.iter().enumerate() {
        settler
            .settle(tenant(21), std::slice::from_ref(segment), now())
            .await
            .unwrap();
        let (checkpoint, _) = settler
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
    // Another function, which has nothing in memory, reads segments, full runs and all.
    let again: Vec<Segment> = (0..26_u32)
        .flat_map(|n| segments(&catalogue, tenant(21), (n * 1_000)..(n * 1_000 + 7)))
        .collect();
    world.intake.store(&again, now()).await.unwrap();
    let other = world.settler();
    for batch in batches(again) {
        other.settle(tenant(21), &batch, now()).await.unwrap();
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
async fn a_day_is_due_so_long_after_it_has_ended() {
    let world = world().await;
    let (settler, of, day) = (world.settler(), tenant(23), Timestamp::UNIX_EPOCH);
    let sent = segments(&Catalogue::bundled().unwrap(), of, 1..3);
    world.intake.store(&sent, day).await.unwrap();
    settler
        .settle(of, &sent, day + SignedDuration::from_hours(10))
        .await
        .unwrap();
    let due_at = day + SignedDuration::from_hours(24) + SEAL_AFTER;
    assert!(settler.due_seals(due_at, 10).await.unwrap().is_empty());
    let due = settler
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

#[tokio::test]
async fn a_day_is_sealed_once_and_can_be_stated_again() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of = tenant(22);
    let (settler, day) = (world.settler(), Timestamp::UNIX_EPOCH);
    let send = async |numbers: std::ops::Range<u32>| {
        let sent = segments(&catalogue, of, numbers);
        world.intake.store(&sent, now()).await.unwrap();
        settler.settle(of, &sent, now()).await.unwrap();
    };
    send(1..4).await;
    send(4..6).await;
    assert_eq!(
        settler.resend(of, day, now()).await.unwrap(),
        Resent::NothingSealed
    );
    // The day has been over for years: it is sealed a quarter of an hour after its first event.
    assert!(
        settler
            .due_seals(now() + SignedDuration::from_mins(13), 10)
            .await
            .unwrap()
            .is_empty()
    );
    let due_soon = async || {
        settler
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
        settler.seal(&due[0], now()),
        settler.seal(&due[0], now()),
        settler.seal(&due[0], now()),
    ];
    assert!(join_all(seals).await.iter().all(Result::is_ok));
    assert_eq!(due_soon().await.len(), due.len() - 1 + others.len());

    send(6..8).await;
    let sequences = |rows: &[outbox::Row]| -> Vec<u64> {
        let mut all: Vec<u64> = rows
            .iter()
            .map(|row| {
                serde_json::from_str::<serde_json::Value>(&row.detail).unwrap()["sequence"]
                    .as_u64()
                    .unwrap()
            })
            .collect();
        all.sort_unstable();
        all
    };
    let rows = world.outbox.sweep(Timestamp::MAX, 100).await.unwrap();
    assert_eq!(
        sequences(&rows),
        [1, 2, 3, 4],
        "two totals, one seal, one adjustment"
    );
    assert_eq!(
        settler.resend(of, day, now()).await.unwrap(),
        Resent::Stated
    );
    let rows = world.outbox.sweep(Timestamp::MAX, 100).await.unwrap();
    assert_eq!(sequences(&rows), [1, 2, 3, 4, 5, 6]);
    let of_type = |kind: &str| {
        rows.iter()
            .filter(|row| row.detail_type == kind)
            .map(|row| row.detail.clone())
            .collect::<Vec<_>>()
    };
    let seals: Vec<UsageSealed> = of_type(UsageSealed::TYPE)
        .iter()
        .map(|detail| {
            serde_json::from_str::<Envelope<UsageSealed>>(detail)
                .unwrap()
                .data
        })
        .collect();
    assert!(
        seals.len() == 2 && seals[0] == seals[1],
        "the seal says the same again"
    );
    let last = of_type(UsageWindowUpdated::TYPE)
        .iter()
        .map(|detail| serde_json::from_str::<Envelope<UsageWindowUpdated>>(detail).unwrap())
        .max_by_key(|fact| fact.sequence)
        .unwrap();
    let totals: Vec<_> = last
        .data
        .windows
        .iter()
        .map(|w| (w.part, w.value.to_string(), w.events, w.revision))
        .collect();
    let expected = [
        (WindowPart::Window, "1.5".to_owned(), 5, 2),
        (WindowPart::Adjustment, "1.3".to_owned(), 2, 1),
    ];
    assert_eq!(totals, expected);
    let covered: Vec<_> = last
        .data
        .windows
        .iter()
        .filter(|window| SealDigest::covers(day, window))
        .collect();
    assert_eq!(
        (covered.len() as u64, SealDigest::of(covered)),
        (seals[0].totals, seals[0].digest.clone())
    );
}

#[tokio::test]
async fn where_facts_end_is_stated_under_the_next_number_however_many_ask() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let (settlers, of) = (
        [world.settler(), world.settler(), world.settler()],
        tenant(24),
    );
    assert!(
        !settlers[0].state_end(of, now()).await.unwrap(),
        "nothing was used"
    );
    assert_eq!(
        world.items(of).await,
        0,
        "and nobody notes that it was asked for"
    );

    let sent: Vec<Segment> = (0..3)
        .flat_map(|n| segments(&catalogue, of, (n * 2)..(n * 2 + 2)))
        .collect();
    world.intake.store(&sent, now()).await.unwrap();
    let work = settlers.iter().zip(&sent).map(async |(settler, segment)| {
        assert!(
            settler
                .settle(of, std::slice::from_ref(segment), now())
                .await
                .is_ok()
        );
        assert!(settler.state_end(of, now()).await.unwrap());
    });
    join_all(work).await;
    let rows = world.outbox.sweep(Timestamp::MAX, 100).await.unwrap();
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
        .filter(|row| row.detail_type == UsageStreamStated::TYPE)
        .collect();
    assert_eq!(ends.len(), 3);
    let end: Envelope<UsageStreamStated> = serde_json::from_str(&ends[0].detail).unwrap();
    assert_eq!(
        end.data,
        UsageStreamStated {
            tenant: of,
            sealed_until: None
        }
    );
    assert_eq!(
        (end.stream, ends[0].target),
        (Stream::Usage(of), outbox::Target::Regional)
    );
    let (checkpoint, _) = settlers[0].load_checkpoint(of, Vec::new()).await.unwrap();
    assert_eq!((checkpoint.sequence, checkpoint.counted.accepted), (6, 6));
}

#[tokio::test]
async fn nobody_asks_an_erased_tenant_back() {
    let world = world().await;
    let (eraser, records) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let (settler, of) = (world.settler(), tenant(25));
    let sent = segments(&catalogue, of, 0..2);
    world.intake.store(&sent, now()).await.unwrap();
    settler.settle(of, &sent, now()).await.unwrap();
    let note = records.note(of);
    let erase = async || while eraser.erase_some(of, &note).await.unwrap() == Leaving::Some {};
    let (stated, ()) = tokio::join!(settler.state_end(of, now()), erase());
    stated.unwrap();
    assert!(!settler.state_end(of, now()).await.unwrap());
    assert_eq!(world.items(of).await, 0);
}

#[tokio::test]
async fn a_seal_of_an_erased_tenant_is_forgotten() {
    let world = world().await;
    let settler = world.settler();
    let due = DueSeal {
        due: Timestamp::UNIX_EPOCH,
        tenant: tenant(23),
        day: Timestamp::UNIX_EPOCH,
    };
    settler
        .table
        .put_all(vec![items::seal_key(&due)])
        .await
        .unwrap();
    assert_eq!(settler.due_seals(now(), 10).await.unwrap(), [due]);
    settler.seal(&due, now()).await.unwrap();
    assert!(settler.due_seals(now(), 10).await.unwrap().is_empty());
    assert_eq!(
        (
            world.items(tenant(23)).await,
            world.outbox.sweep(Timestamp::MAX, 10).await.unwrap().len()
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn a_conflict_is_counted_and_changes_no_total() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let first = segments(&catalogue, tenant(3), 1..4);
    let mut other = segments(&catalogue, tenant(3), 1..4).remove(0);
    let mut bytes = other.body.encode();
    // The digest of the first event: after the header, the one slot and the checkpoint of its run,
    // behind its identity.
    let at = 7 + 2 + 8 + 1 + catalogue.meters[3].code.as_str().len() + 1 + 3 + DedupeKey::BYTES;
    bytes[at] ^= 1;
    other.body = metering::SegmentBody::decode(&bytes).unwrap();
    let settler = world.settler();
    for sent in [&first[0], &other] {
        world
            .intake
            .store(std::slice::from_ref(sent), now())
            .await
            .unwrap();
        settler
            .settle(tenant(3), std::slice::from_ref(sent), now())
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
    let (facts, windows) = world.stated().await;
    assert_eq!(
        (
            facts,
            windows.values().next().unwrap().value.to_string().as_str()
        ),
        (1, "0.6")
    );
}

#[tokio::test]
async fn what_waits_is_found_without_the_stream() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent: Vec<Segment> = (0..60)
        .flat_map(|n| segments(&catalogue, tenant(n), 0..2))
        .collect();
    let before = now();
    world.intake.store(&sent, before).await.unwrap();
    let settler = world.settler();
    let soon = now() + SignedDuration::from_secs(2);
    assert!(
        settler
            .waiting(before - SignedDuration::from_secs(60), 100)
            .await
            .unwrap()
            .is_empty()
    );
    let waiting = settler.waiting(soon, 100).await.unwrap();
    assert_eq!(waiting.len(), 60);
    let backlog = world.monitor().backlog().await.unwrap();
    assert_eq!(backlog.waiting, 60);
    let oldest = sent
        .iter()
        .map(|segment| Pending {
            segment: segment.id,
            tenant: segment.tenant,
        })
        .min_by_key(|p| p.segment);
    assert_eq!(backlog.oldest, oldest.unwrap().made_at());

    for (pointer, found) in settler.find(&waiting).await.unwrap() {
        let FoundSegment::Ready(segment) = found else {
            panic!("{pointer:?}")
        };
        assert_eq!(
            segment,
            *sent
                .iter()
                .find(|segment| segment.id == pointer.segment)
                .unwrap()
        );
        for batch in batches(vec![segment]) {
            settler.settle(pointer.tenant, &batch, now()).await.unwrap();
        }
    }
    assert!(settler.waiting(soon, 100).await.unwrap().is_empty());
    assert_eq!(world.monitor().counts().await.unwrap().accepted, 120);
}

#[tokio::test]
async fn a_pointer_without_a_segment_is_seen_as_such() {
    let world = world().await;
    let catalogue = Catalogue::bundled().unwrap();
    let sent = segments(&catalogue, tenant(4), 0..2).remove(0);
    let settler = world.settler();
    // Ended between the two writes of the intake.
    settler
        .table
        .put_all(vec![items::pending_item(&sent)])
        .await
        .unwrap();
    let pointer = Pending {
        segment: sent.id,
        tenant: sent.tenant,
    };
    assert!(matches!(
        settler.find(&[pointer]).await.unwrap()[..],
        [(_, FoundSegment::Absent)]
    ));
    // What is sent again has another segment, and both pointers lead to what they lead to.
    let again = segments(&catalogue, tenant(4), 0..2).remove(0);
    world
        .intake
        .store(std::slice::from_ref(&again), now())
        .await
        .unwrap();
    settler.settle(tenant(4), &[again], now()).await.unwrap();
    settler.forget(pointer).await.unwrap();
    assert_eq!(world.monitor().backlog().await.unwrap().waiting, 0);
    assert_eq!(world.monitor().counts().await.unwrap().accepted, 2);

    let mut broken = items::segment_item(&sent, now());
    broken.insert("body".to_owned(), dynamo::text("x"));
    settler.table.put_all(vec![broken]).await.unwrap();
    assert!(matches!(
        settler.find(&[pointer]).await.unwrap()[..],
        [(_, FoundSegment::Malformed(_))]
    ));
}

#[tokio::test]
async fn refused_events_are_counted() {
    let world = world().await;
    let kinds = [
        RejectionKind::Malformed,
        RejectionKind::OutOfTime,
        RejectionKind::Malformed,
    ];
    for seed in 0..20 {
        world
            .intake
            .count_rejected(Sender::Tenant, kinds, seed)
            .await
            .unwrap();
        world
            .intake
            .count_rejected(Sender::Provider, RejectionKind::ALL, seed)
            .await
            .unwrap();
        world
            .intake
            .count_rejected(Sender::Provider, [], seed)
            .await
            .unwrap();
        world.intake.count_not_stored(5, seed).await.unwrap();
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

#[tokio::test]
async fn a_tenant_waits_for_its_own_segments_only() {
    let world = world().await;
    let (eraser, _) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let of_both: Vec<Segment> = [5, 6]
        .into_iter()
        .flat_map(|n| segments(&catalogue, tenant(n), 0..2))
        .collect();
    world.intake.store(&of_both, now()).await.unwrap();
    assert!(eraser.has_pending(tenant(5)).await.unwrap());
    world
        .settler()
        .settle(tenant(5), &of_both[..1], now())
        .await
        .unwrap();
    assert!(!eraser.has_pending(tenant(5)).await.unwrap());
    assert!(eraser.has_pending(tenant(6)).await.unwrap());
}

/// More than a megabyte of others' pointers is in front of it: the next page is read too.
#[tokio::test]
async fn a_pointer_is_found_behind_many_others() {
    let world = world().await;
    let (eraser, _) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let pointer = |number: u128, of: u128| {
        let mut segment = segments(&catalogue, tenant(of), 0..1).remove(0);
        segment.id = SegmentId::from_uuid(Uuid::from_u128(number << 8));
        let mut item = items::pending_item(&segment);
        item.insert("padding".to_owned(), dynamo::text("x".repeat(350_000)));
        item
    };
    let pointers = (1..=5)
        .map(|number| pointer(number, if number == 5 { 8 } else { 7 }))
        .collect();
    world.settler().table.put_all(pointers).await.unwrap();
    assert!(eraser.has_pending(tenant(8)).await.unwrap());
    assert!(!eraser.has_pending(tenant(9)).await.unwrap());
}

#[tokio::test]
async fn what_is_erased_is_counted_once_however_many_erase() {
    let world = world().await;
    let (eraser, records) = world.eraser().await;
    let catalogue = Catalogue::bundled().unwrap();
    let mut sent = Vec::new();
    for n in 0..150_u32 {
        sent.extend(segments(&catalogue, tenant(10), (n * 2)..(n * 2 + 2)));
    }
    world.intake.store(&sent, now()).await.unwrap();
    for batch in batches(sent.clone()) {
        world
            .settler()
            .settle(tenant(10), &batch, now())
            .await
            .unwrap();
    }
    let kept = segments(&catalogue, tenant(11), 0..2);
    world.intake.store(&kept, now()).await.unwrap();
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
