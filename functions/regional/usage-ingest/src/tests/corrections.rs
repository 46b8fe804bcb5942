//! Corrections, up to the result of their rollup.

mod by_key;

use super::*;
use jiff::SignedDuration;
use kernel::{BillingAnchor, UsageGroup, WindowSize};
use metering::{Question, Segment, batches};
use outbox::Outbox;
use usage_store::{FoundSegment, RollupWriter};

const TENANT: &str = TENANTS[0].0;
const OTHER: &str = TENANTS[1].0;

impl World {
    /// Rolls up all pending segments.
    pub(super) async fn roll_up(&self) {
        let rollups = self.rollups().await;
        for segment in self.pending(&rollups).await {
            let tenant = segment.tenant;
            for batch in batches(vec![segment]) {
                rollups
                    .roll_up(tenant, &batch, runtime::now())
                    .await
                    .unwrap();
            }
        }
    }

    /// The value and the number of the transfers on a day.
    pub(super) async fn total(&self, tenant: &str, moment: &str) -> (String, i64) {
        let catalogue = Catalogue::bundled().unwrap();
        let meter = catalogue.meter(&"transfer-gb".parse().unwrap()).unwrap();
        let from = WindowSize::Day.start(moment.parse().unwrap(), BillingAnchor::default());
        let (size, to, anchor) = (
            WindowSize::Day,
            WindowSize::Day.end(from),
            BillingAnchor::default(),
        );
        let question = Question {
            meter,
            size,
            from,
            to,
            anchor,
            group_by: Vec::new(),
            filter: UsageGroup::default(),
        };
        let reader = UsageReader::new(&self.aws.config, self.usage_table.clone());
        let stored = reader
            .totals(tenant.parse().unwrap(), &question, WindowSize::Day)
            .await
            .unwrap();
        let totals = question.answer(&stored.pages, stored.sealed_until).unwrap();
        totals.first().map_or_else(
            || ("0".to_owned(), 0),
            |total| (total.value.to_string(), total.events),
        )
    }

    /// The results of a tenant's corrections, the newest first.
    async fn outcomes(&self, tenant: &str) -> Vec<Value> {
        let listed = self.corrections(json!({ "tenant": tenant })).await.body;
        listed["corrections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["outcome"].clone())
            .collect()
    }

    async fn rollups(&self) -> RollupWriter {
        let outbox = Outbox::new(&self.aws.config, testkit::table(&self.aws, false).await);
        let (region, never) = (
            "eu-central-1".parse().unwrap(),
            SignedDuration::from_hours(10_000),
        );
        let (config, table) = (&self.aws.config, self.usage_table.clone());
        RollupWriter::new(config, table, outbox, region, never, runtime::new_uuid)
    }

    /// All pending segments.
    async fn pending(&self, rollups: &RollupWriter) -> Vec<Segment> {
        let waiting = rollups
            .backlog(runtime::now() + SignedDuration::from_secs(2), 100)
            .await
            .unwrap();
        let found = rollups.find(&waiting).await.unwrap().into_iter();
        let ready = found.map(|(marker, found)| match found {
            FoundSegment::Ready(segment) => segment,
            FoundSegment::Malformed(_) | FoundSegment::Absent => panic!("{marker:?}"),
        });
        ready.collect()
    }

    async fn correct(&self, corrections: Value) -> Answer {
        let mut payload = case("valid-correction");
        payload["body"] = json!(json!({ "corrections": corrections }).to_string());
        self.send(&payload).await
    }

    /// A page of a tenant's corrections.
    async fn corrections(&self, query: Value) -> Answer {
        let mut payload = case("valid-corrections-list");
        let pairs = query.as_object().unwrap().iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect();
        payload["rawQueryString"] = json!(pairs.join("&"));
        payload["queryStringParameters"] = query;
        self.send(&payload).await
    }
}

pub(super) fn transfer(tenant: &str, id: &str, gigabytes: u32) -> Value {
    let mut event = event(tenant, id);
    event["type"] = json!("transfer.completed");
    event["data"] = json!({ "gigabytes": gigabytes });
    event
}

#[tokio::test]
async fn events_are_withdrawn_or_replaced_and_the_record_has_the_result() {
    let world = world().await;
    let sent = ["a", "b", "c"].map(|id| transfer(TENANT, id, 5));
    assert_eq!(world.send(&batch(&sent)).await.body["accepted"], 3);
    world.roll_up().await;
    let answer = world
        .correct(json!([
            { "event": sent[0], "reason": "sent-in-error" },
            { "event": sent[1], "replacement": transfer(TENANT, "d", 7), "reason": "wrong-unit" },
            { "event": transfer(TENANT, "c", 6), "reason": "wrong-unit" },
        ]))
        .await;
    assert_eq!(
        (
            answer.status,
            &answer.body["accepted"],
            &answer.body["rejected"]
        ),
        (202, &json!(3), &json!([]))
    );
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let [record] = listed["corrections"].as_array().unwrap().as_slice() else {
        panic!("{listed}")
    };
    assert_eq!(
        (&record["id"], &record["outcome"]),
        (&answer.body["records"][0], &Value::Null)
    );
    assert_eq!(record["by"], world.pool.machine_client_id.as_str());
    let told: Vec<_> = record["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["is_replaced"], &e["reason"]))
        .collect();
    let wrong_unit = json!("wrong-unit");
    assert_eq!(
        told,
        [
            (&json!(false), &json!("sent-in-error")),
            (&json!(true), &wrong_unit),
            (&json!(false), &wrong_unit)
        ]
    );

    world.roll_up().await;
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let outcome = json!({ "voided": 2, "replaced": 1, "duplicates": 0, "unmatched": 1, "replacement_used": 0 });
    assert_eq!(listed["corrections"][0]["outcome"], outcome);
    assert_eq!(world.monitor.counts().await.unwrap().accepted, 4);
    assert_eq!(
        world.corrections(json!({ "tenant": OTHER })).await.body,
        json!({ "corrections": [] })
    );
}

#[tokio::test]
async fn usage_and_its_corrections_count_in_the_tenants_own_days() {
    let world = world().await;
    world.begin_days(TENANT, "06:30").await;
    let sent = [TENANT, OTHER].map(|tenant| transfer(tenant, "a", 5));
    assert_eq!(world.send(&batch(&sent)).await.body["accepted"], 2);
    // The tenant is cached by now.
    assert_eq!(
        world.send(&batch(&[transfer(TENANT, "b", 5)])).await.body["accepted"],
        1
    );
    let correction = json!([{ "event": sent[0], "reason": "sent-in-error" }]);
    assert_eq!(world.correct(correction).await.body["accepted"], 1);
    let pending = world.pending(&world.rollups().await).await.into_iter();
    let mut anchors: Vec<_> = pending
        .map(|segment| {
            (
                segment.tenant.to_string(),
                segment.body.anchor().to_string(),
            )
        })
        .collect();
    anchors.sort();
    let expected = [
        (TENANT, "06:30"),
        (TENANT, "06:30"),
        (TENANT, "06:30"),
        (OTHER, "00:00"),
    ];
    assert_eq!(
        anchors,
        expected.map(|(tenant, anchor)| (tenant.to_owned(), anchor.to_owned()))
    );
}

#[tokio::test]
async fn records_are_listed_in_pages_with_the_newest_first() {
    let world = world().await;
    for n in 0..53 {
        let answer = world
            .correct(json!([{ "event": transfer(TENANT, &n.to_string(), 1), "reason": "test" }]))
            .await;
        assert_eq!(answer.status, 202);
    }
    let first = world.corrections(json!({ "tenant": TENANT })).await.body;
    let next = first["next_before"].as_str().unwrap();
    let second = world
        .corrections(json!({ "tenant": TENANT, "before": next }))
        .await
        .body;
    let ids = |page: &Value| -> Vec<String> {
        page["corrections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = [ids(&first), ids(&second)].concat();
    assert_eq!(
        (ids(&first).len(), all.len(), second.get("next_before")),
        (50, 53, None)
    );
    assert!(all.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn each_rejected_correction_is_named_with_its_reason() {
    let world = world().await;
    let storage = |id: &str| {
        let mut event = transfer(TENANT, id, 1);
        event["type"] = json!("storage.sampled");
        event
    };
    let good = transfer(TENANT, "good", 1);
    let rows = [
        (
            json!({ "event": good, "reason": "two words" }),
            "invalid-reason",
        ),
        (
            json!({ "event": storage("a"), "reason": "test" }),
            "not-reversible",
        ),
        (
            json!({ "event": transfer("nobody", "a", 1), "reason": "test" }),
            "invalid-tenant",
        ),
        (
            json!({ "event": transfer(TENANTS[3].0, "a", 1), "reason": "test" }),
            "unknown-tenant",
        ),
        (
            json!({ "event": good, "replacement": transfer(OTHER, "b", 1), "reason": "test" }),
            "other-tenant",
        ),
        (
            json!({ "event": good, "replacement": transfer(TENANT, "good", 2), "reason": "test" }),
            "same-event-key",
        ),
        (
            json!({ "event": good, "replacement": { "id": "b" }, "reason": "test" }),
            "missing-field",
        ),
        (json!({ "event": 7, "reason": "test" }), "not-an-object"),
    ];
    let mut corrections: Vec<Value> = rows
        .iter()
        .map(|(correction, _)| correction.clone())
        .collect();
    let refused = world.correct(json!(corrections)).await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (422, &json!("/problems/corrections-refused"))
    );
    corrections.push(json!({ "event": good, "reason": "test" }));
    let answer = world.correct(json!(corrections)).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(1)));
    for (index, (correction, reason)) in rows.iter().enumerate() {
        let told = &answer.body["rejected"][index];
        assert_eq!(
            (&told["index"], &told["reason"]),
            (&json!(index), &json!(reason)),
            "{correction}"
        );
    }
}

/// A tenant that could withdraw usage could withdraw what it owes.
#[tokio::test]
async fn a_tenants_own_client_may_not_correct_usage() {
    let world = world().await;
    let (_, token) = world.machine_of(TENANT).await;
    for name in ["valid-correction", "valid-corrections-list"] {
        let mut payload = case(name);
        payload["headers"]["authorization"] = json!(format!("Bearer {token}"));
        assert_eq!(world.send(&payload).await.status, 401, "{name}");
    }
    assert_eq!(world.stored("SEGMENT#").await, 0);
}

/// The same correction from several clients at once applies once.
#[tokio::test]
async fn concurrent_equal_corrections_apply_once() {
    let world = world().await;
    let sent = transfer(TENANT, "a", 5);
    assert_eq!(
        world.send(&batch(std::slice::from_ref(&sent))).await.body["accepted"],
        1
    );
    let correction =
        json!([{ "event": sent, "replacement": transfer(TENANT, "b", 4), "reason": "test" }]);
    let answers = join_all((0..8).map(|_| world.correct(correction.clone()))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    world.roll_up().await;
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let sum = |name: &str| -> u64 {
        listed["corrections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["outcome"][name].as_u64().unwrap())
            .sum()
    };
    assert_eq!(
        (
            sum("voided"),
            sum("replaced"),
            sum("duplicates"),
            sum("unmatched")
        ),
        (1, 1, 14, 0)
    );
}

fn outcome(counts: [u64; 5]) -> Value {
    let [voided, replaced, duplicates, unmatched, replacement_used] = counts;
    json!({ "voided": voided, "replaced": replaced, "duplicates": duplicates, "unmatched": unmatched,
        "replacement_used": replacement_used })
}

const AT: &str = "2026-11-03T09:00:00Z";

/// A withdrawal and its replacement are one change.
#[tokio::test]
async fn a_correction_whose_replacement_is_already_used_changes_nothing_and_records_that() {
    let world = world().await;
    let sent = ["a", "b", "c"].map(|id| transfer(TENANT, id, 5));
    assert_eq!(world.send(&batch(&sent)).await.body["accepted"], 3);
    world.roll_up().await;
    let correction = |original: &Value, id: &str, gigabytes: u32| json!({ "event": original, "replacement": transfer(TENANT, id, gigabytes), "reason": "wrong-unit" });
    // Used by an event, with the same content or another.
    for gigabytes in [5, 50] {
        assert_eq!(
            world
                .correct(json!([correction(&sent[0], "c", gigabytes)]))
                .await
                .status,
            202
        );
        world.roll_up().await;
        assert_eq!(world.outcomes(TENANT).await[0], outcome([0, 0, 0, 0, 2]));
        assert_eq!(world.total(TENANT, AT).await, ("15".to_owned(), 3));
    }
    // Two in one request: the first applies.
    let both = json!([correction(&sent[0], "d", 1), correction(&sent[1], "d", 1)]);
    assert_eq!(world.correct(both.clone()).await.body["accepted"], 2);
    world.roll_up().await;
    assert_eq!(world.outcomes(TENANT).await[0], outcome([1, 1, 0, 0, 2]));
    assert_eq!(world.total(TENANT, AT).await, ("11".to_owned(), 3));
    // Repeated: the first is a duplicate, and the other still does not apply.
    assert_eq!(world.correct(both).await.body["accepted"], 2);
    world.roll_up().await;
    assert_eq!(world.outcomes(TENANT).await[0], outcome([0, 0, 2, 0, 2]));
    assert_eq!(world.total(TENANT, AT).await, ("11".to_owned(), 3));
}

#[tokio::test]
async fn a_correction_applies_to_the_event_of_the_named_sender() {
    let world = world().await;
    let (_, token) = world.machine_of(TENANT).await;
    let mut theirs = batch(&[transfer(TENANT, "a", 1)]);
    theirs["headers"]["authorization"] = json!(format!("Bearer {token}"));
    assert_eq!(world.send(&theirs).await.body["accepted"], 1);
    assert_eq!(
        world.send(&batch(&[transfer(TENANT, "a", 10)])).await.body["accepted"],
        1
    );
    world.roll_up().await;
    let taken_back = [
        (
            json!({ "event": transfer(TENANT, "a", 10), "sent_by": "tenant", "reason": "test" }),
            [0, 0, 0, 1, 0],
            "11",
        ),
        (
            json!({ "event": transfer(TENANT, "a", 1), "reason": "test" }),
            [0, 0, 0, 1, 0],
            "11",
        ),
        // The replacement of the tenant's event is the provider's own, and the provider has already
        // sent an event of that id.
        (
            json!({ "event": transfer(TENANT, "a", 1), "sent_by": "tenant", "replacement": transfer(TENANT, "a", 7),
                "reason": "test" }),
            [0, 0, 0, 0, 2],
            "11",
        ),
        (
            json!({ "event": transfer(TENANT, "a", 1), "sent_by": "tenant", "reason": "test" }),
            [1, 0, 0, 0, 0],
            "10",
        ),
        (
            json!({ "event": transfer(TENANT, "a", 10), "sent_by": "provider", "reason": "test" }),
            [1, 0, 0, 0, 0],
            "0",
        ),
    ];
    for (correction, counts, total) in taken_back {
        assert_eq!(
            world.correct(json!([correction])).await.body["accepted"],
            1,
            "{correction}"
        );
        world.roll_up().await;
        assert_eq!(
            world.outcomes(TENANT).await[0],
            outcome(counts),
            "{correction}"
        );
        assert_eq!(world.total(TENANT, AT).await.0, total, "{correction}");
    }
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let senders: Vec<&Value> = listed["corrections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["events"][0]["sent_by"])
        .collect();
    assert_eq!(
        senders,
        ["provider", "tenant", "tenant", "provider", "tenant"]
    );
    for unknown in ["", "Tenant", "meridian", "tenants"] {
        let correction =
            json!({ "event": transfer(TENANT, "a", 1), "sent_by": unknown, "reason": "test" });
        assert_eq!(
            world.correct(json!([correction])).await.body["rejected"][0]["reason"],
            "invalid-sender",
            "{unknown}"
        );
    }
}

/// Several corrections of one event have their own reasons.
#[tokio::test]
async fn the_record_has_the_reason_of_each_correction() {
    let world = world().await;
    assert_eq!(
        world
            .send(&batch(&[transfer(TENANT, "a", 5), transfer(OTHER, "a", 5)]))
            .await
            .body["accepted"],
        2
    );
    let corrections = json!([
        { "event": transfer(TENANT, "a", 6), "reason": "wrong-size" },
        { "event": transfer(OTHER, "a", 5), "reason": "other" },
        { "event": transfer(TENANT, "a", 5), "replacement": transfer(TENANT, "b", 4), "reason": "sent-twice" },
        { "event": transfer(TENANT, "a", 5), "reason": "too-late" },
    ]);
    assert_eq!(world.correct(corrections).await.body["accepted"], 4);
    let reasons = async |tenant: &str| {
        let listed = world.corrections(json!({ "tenant": tenant })).await.body;
        let events = listed["corrections"][0]["events"]
            .as_array()
            .unwrap()
            .clone();
        events
            .iter()
            .map(|event| (event["reason"].clone(), event["is_replaced"].clone()))
            .collect::<Vec<_>>()
    };
    let expected = [
        ("wrong-size", false),
        ("sent-twice", true),
        ("too-late", false),
    ];
    assert_eq!(
        reasons(TENANT).await,
        expected.map(|(reason, is_replaced)| (json!(reason), json!(is_replaced)))
    );
    assert_eq!(reasons(OTHER).await, [(json!("other"), json!(false))]);
}
