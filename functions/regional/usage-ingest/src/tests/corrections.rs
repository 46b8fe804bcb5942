//! Corrections, up to what settling makes of them.

use super::*;
use jiff::SignedDuration;
use metering::{Segment, batches};
use outbox::Outbox;
use regional_store::{FoundSegment, Settler};

const TENANT: &str = TENANTS[0].0;
const OTHER: &str = TENANTS[1].0;

impl World {
    /// Settles all that waits, as the rollup does.
    async fn settle(&self) {
        let settler = self.settler().await;
        for segment in self.waiting(&settler).await {
            let tenant = segment.tenant;
            for batch in batches(vec![segment]) {
                settler.settle(tenant, &batch, runtime::now()).await.unwrap();
            }
        }
    }

    async fn settler(&self) -> Settler {
        let outbox = Outbox::new(&self.aws.config, testkit::table(&self.aws, false).await);
        let (region, never) = ("eu-central-1".parse().unwrap(), SignedDuration::from_hours(10_000));
        let (config, table) = (&self.aws.config, self.usage_table.clone());
        Settler::new(config, table, outbox, region, never, runtime::new_uuid)
    }

    /// All that waits to be settled.
    async fn waiting(&self, settler: &Settler) -> Vec<Segment> {
        let waiting = settler.waiting(runtime::now() + SignedDuration::from_secs(2), 100).await.unwrap();
        let found = settler.find(&waiting).await.unwrap().into_iter();
        let ready = found.map(|(pointer, found)| match found {
            FoundSegment::Ready(segment) => segment,
            FoundSegment::Malformed(_) | FoundSegment::Absent => panic!("{pointer:?}"),
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
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        payload["rawQueryString"] = json!(pairs.join("&"));
        payload["queryStringParameters"] = query;
        self.send(&payload).await
    }
}

fn transfer(tenant: &str, id: &str, gigabytes: u32) -> Value {
    let mut event = event(tenant, id);
    event["type"] = json!("transfer.completed");
    event["data"] = json!({ "gigabytes": gigabytes });
    event
}

#[tokio::test]
async fn what_was_sent_is_taken_back_or_replaced_and_the_record_tells_what_came_of_it() {
    let world = world().await;
    let sent = ["a", "b", "c"].map(|id| transfer(TENANT, id, 5));
    assert_eq!(world.send(&batch(&sent)).await.body["accepted"], 3);
    world.settle().await;
    let answer = world
        .correct(json!([
            { "event": sent[0], "reason": "sent-in-error" },
            { "event": sent[1], "replacement": transfer(TENANT, "d", 7), "reason": "wrong-unit" },
            { "event": transfer(TENANT, "c", 6), "reason": "wrong-unit" },
        ]))
        .await;
    assert_eq!((answer.status, &answer.body["accepted"], &answer.body["rejected"]), (202, &json!(3), &json!([])));
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let [record] = listed["corrections"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&record["id"], &record["outcome"]), (&answer.body["records"][0], &Value::Null));
    assert_eq!(record["by"], world.pool.machine_client_id.as_str());
    let told: Vec<_> = record["events"].as_array().unwrap().iter().map(|e| (&e["is_replaced"], &e["reason"])).collect();
    let wrong_unit = json!("wrong-unit");
    assert_eq!(
        told,
        [(&json!(false), &json!("sent-in-error")), (&json!(true), &wrong_unit), (&json!(false), &wrong_unit)]
    );

    world.settle().await;
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let outcome = json!({ "voided": 2, "replaced": 1, "duplicates": 0, "unmatched": 1 });
    assert_eq!(listed["corrections"][0]["outcome"], outcome);
    assert_eq!(world.monitor.counts().await.unwrap().accepted, 4);
    assert_eq!(world.corrections(json!({ "tenant": OTHER })).await.body, json!({ "corrections": [] }));
}

#[tokio::test]
async fn usage_and_its_corrections_are_of_the_tenants_own_days() {
    let world = world().await;
    world.begin_days(TENANT, "06:30").await;
    let sent = [TENANT, OTHER].map(|tenant| transfer(tenant, "a", 5));
    assert_eq!(world.send(&batch(&sent)).await.body["accepted"], 2);
    // Remembered of the tenant by now.
    assert_eq!(world.send(&batch(&[transfer(TENANT, "b", 5)])).await.body["accepted"], 1);
    let correction = json!([{ "event": sent[0], "reason": "sent-in-error" }]);
    assert_eq!(world.correct(correction).await.body["accepted"], 1);
    let waiting = world.waiting(&world.settler().await).await.into_iter();
    let mut anchors: Vec<_> =
        waiting.map(|segment| (segment.tenant.to_string(), segment.body.anchor().to_string())).collect();
    anchors.sort();
    let expected = [(TENANT, "06:30"), (TENANT, "06:30"), (TENANT, "06:30"), (OTHER, "00:00")];
    assert_eq!(anchors, expected.map(|(tenant, anchor)| (tenant.to_owned(), anchor.to_owned())));
}

#[tokio::test]
async fn records_are_listed_page_by_page_the_newest_first() {
    let world = world().await;
    for n in 0..53 {
        let answer = world.correct(json!([{ "event": transfer(TENANT, &n.to_string(), 1), "reason": "test" }])).await;
        assert_eq!(answer.status, 202);
    }
    let first = world.corrections(json!({ "tenant": TENANT })).await.body;
    let next = first["next_before"].as_str().unwrap();
    let second = world.corrections(json!({ "tenant": TENANT, "before": next })).await.body;
    let ids = |page: &Value| -> Vec<String> {
        page["corrections"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = [ids(&first), ids(&second)].concat();
    assert_eq!((ids(&first).len(), all.len(), second.get("next_before")), (50, 53, None));
    assert!(all.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn each_refused_correction_is_named() {
    let world = world().await;
    let storage = |id: &str| {
        let mut event = transfer(TENANT, id, 1);
        event["type"] = json!("storage.sampled");
        event
    };
    let good = transfer(TENANT, "good", 1);
    let rows = [
        (json!({ "event": good, "reason": "two words" }), "invalid-reason"),
        (json!({ "event": storage("a"), "reason": "test" }), "not-reversible"),
        (json!({ "event": transfer("nobody", "a", 1), "reason": "test" }), "invalid-tenant"),
        (json!({ "event": transfer(TENANTS[3].0, "a", 1), "reason": "test" }), "unknown-tenant"),
        (json!({ "event": good, "replacement": transfer(OTHER, "b", 1), "reason": "test" }), "other-tenant"),
        (json!({ "event": good, "replacement": transfer(TENANT, "good", 2), "reason": "test" }), "same-identity"),
        (json!({ "event": good, "replacement": { "id": "b" }, "reason": "test" }), "missing-field"),
        (json!({ "event": 7, "reason": "test" }), "not-an-object"),
    ];
    let mut corrections: Vec<Value> = rows.iter().map(|(correction, _)| correction.clone()).collect();
    let refused = world.correct(json!(corrections)).await;
    assert_eq!((refused.status, &refused.body["type"]), (422, &json!("/problems/corrections-refused")));
    corrections.push(json!({ "event": good, "reason": "test" }));
    let answer = world.correct(json!(corrections)).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(1)));
    for (index, (correction, reason)) in rows.iter().enumerate() {
        let told = &answer.body["rejected"][index];
        assert_eq!((&told["index"], &told["reason"]), (&json!(index), &json!(reason)), "{correction}");
    }
}

/// A tenant that could take usage back could take back what it owes.
#[tokio::test]
async fn a_tenants_own_client_corrects_nothing() {
    let world = world().await;
    let (_, token) = world.machine_of(TENANT).await;
    for name in ["valid-correction", "valid-corrections-list"] {
        let mut payload = case(name);
        payload["headers"]["authorization"] = json!(format!("Bearer {token}"));
        assert_eq!(world.send(&payload).await.status, 401, "{name}");
    }
    assert_eq!(world.stored("SEGMENT#").await, 0);
}

/// The same correction from several clients at once is made once.
#[tokio::test]
async fn corrections_at_once_are_made_once() {
    let world = world().await;
    let sent = transfer(TENANT, "a", 5);
    assert_eq!(world.send(&batch(std::slice::from_ref(&sent))).await.body["accepted"], 1);
    let correction = json!([{ "event": sent, "replacement": transfer(TENANT, "b", 4), "reason": "test" }]);
    let answers = join_all((0..8).map(|_| world.correct(correction.clone()))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    world.settle().await;
    let listed = world.corrections(json!({ "tenant": TENANT })).await.body;
    let sum = |name: &str| -> u64 {
        listed["corrections"].as_array().unwrap().iter().map(|record| record["outcome"][name].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("voided"), sum("replaced"), sum("duplicates"), sum("unmatched")), (1, 1, 14, 0));
}
