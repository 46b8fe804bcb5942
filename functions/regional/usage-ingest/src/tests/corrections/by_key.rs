//! Corrections by key.

use super::*;
use kernel::Timestamp;
use usage_store::{SEARCH_BYTES_MAX, SearchBudget};

/// A transfer at the present time.
fn transfer_now(id: &str, gigabytes: u32) -> Value {
    let mut event = transfer(TENANT, id, gigabytes);
    event["time"] = json!(runtime::now().to_string());
    event
}

impl World {
    /// Sends a request at the present gateway time, since ids of segments have the clock's time.
    async fn send_now(&self, mut payload: Value) -> Answer {
        payload["requestContext"]["timeEpoch"] = json!(runtime::now().as_millisecond());
        self.send(&payload).await
    }

    async fn correct_now(&self, corrections: Value) -> Answer {
        let mut payload = case("valid-correction");
        payload["body"] = json!(json!({ "corrections": corrections }).to_string());
        self.send_now(payload).await
    }
}

fn by_key(id: &str, further: Value) -> Value {
    let mut correction = json!({ "key": { "tenant": TENANT, "source": "/gateway", "id": id }, "reason": "sent-in-error" });
    for (name, value) in further.as_object().unwrap() {
        match name.as_str() {
            "sent_from" | "sent_to" | "source" | "tenant" => {
                correction["key"][name] = value.clone()
            }
            _ => correction[name] = value.clone(),
        }
    }
    correction
}

#[tokio::test]
async fn an_event_is_withdrawn_or_replaced_by_its_key() {
    let world = world().await;
    let (_, token) = world.machine_of(TENANT).await;
    let mut theirs = batch(&[transfer_now("a", 100)]);
    theirs["headers"]["authorization"] = json!(format!("Bearer {token}"));
    assert_eq!(world.send_now(theirs).await.body["accepted"], 1);
    let events: Vec<Value> = ["a", "b", "c"]
        .into_iter()
        .map(|id| transfer_now(id, 5))
        .collect();
    assert_eq!(world.send_now(batch(&events)).await.body["accepted"], 3);
    world.roll_up().await;
    let today = runtime::now().to_string();
    let steps = [
        (by_key("a", json!({})), [1, 0, 0, 0, 0], "110"),
        (by_key("a", json!({})), [0, 0, 1, 0, 0], "110"),
        (
            by_key("b", json!({ "replacement": transfer_now("d", 7) })),
            [1, 1, 0, 0, 0],
            "112",
        ),
        // The replacement is an event that can itself be corrected.
        (
            by_key("d", json!({ "replacement": transfer_now("c", 9) })),
            [0, 0, 0, 0, 2],
            "112",
        ),
        (by_key("d", json!({})), [1, 0, 0, 0, 0], "105"),
        (
            by_key("a", json!({ "sent_by": "tenant" })),
            [1, 0, 0, 0, 0],
            "5",
        ),
        // The same correction with the full event is a duplicate.
        (
            json!({ "event": events[0], "reason": "sent-in-error" }),
            [0, 0, 1, 0, 0],
            "5",
        ),
    ];
    for (correction, counts, total) in steps {
        let answer = world.correct_now(json!([correction])).await;
        assert_eq!(
            (answer.status, &answer.body["accepted"]),
            (202, &json!(1)),
            "{correction}: {}",
            answer.body
        );
        world.roll_up().await;
        assert_eq!(
            world.outcomes(TENANT).await[0],
            outcome(counts),
            "{correction}"
        );
        assert_eq!(world.total(TENANT, &today).await.0, total, "{correction}");
    }
}

/// A pending event is found too, and does not count when it is rolled up.
#[tokio::test]
async fn a_pending_event_is_withdrawn_by_its_key() {
    let world = world().await;
    assert_eq!(
        world.send_now(batch(&[transfer_now("a", 5)])).await.body["accepted"],
        1
    );
    assert_eq!(
        world
            .correct_now(json!([by_key("a", json!({}))]))
            .await
            .body["accepted"],
        1
    );
    world.roll_up().await;
    assert_eq!(world.outcomes(TENANT).await, [outcome([1, 0, 0, 0, 0])]);
    assert_eq!(
        world.total(TENANT, &runtime::now().to_string()).await.0,
        "0"
    );
}

/// Asserts that corrections are rejected, each with its reason.
async fn check_refused(world: &World, rows: &[(Value, &str)]) {
    let corrections: Vec<&Value> = rows.iter().map(|(correction, _)| correction).collect();
    let answer = world.correct_now(json!(corrections)).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    for (index, (correction, reason)) in rows.iter().enumerate() {
        let told = &answer.body["rejected"][index];
        assert_eq!(
            (&told["index"], &told["reason"]),
            (&json!(index), &json!(reason)),
            "{correction}"
        );
        let id = correction["key"]["id"]
            .as_str()
            .filter(|id| (1..=1_024).contains(&id.len()));
        assert!(
            correction.get("event").is_some() || told["id"].as_str() == id,
            "{told} of {correction}"
        );
    }
}

/// The number of corrections that the region counts as rejected.
async fn refused_corrections(world: &World) -> u64 {
    let rejected = world.monitor.counts().await.unwrap().rejected;
    rejected.provider.correction
}

#[tokio::test]
async fn keys_without_a_single_event_are_rejected_with_the_reason() {
    let world = world().await;
    let mut storage = transfer_now("storage", 5);
    storage["type"] = json!("storage.sampled");
    // Two requests sent conflicting events under one key.
    for events in [
        vec![transfer_now("a", 5), storage],
        vec![transfer_now("twice", 5)],
        vec![transfer_now("twice", 6)],
    ] {
        assert_eq!(
            world.send_now(batch(&events)).await.body["accepted"],
            events.len()
        );
    }
    let long_ago = (runtime::now() - SignedDuration::from_hours(24)).to_string();
    let not_found = "event-not-found";
    let rows = [
        (by_key("nothing", json!({})), not_found),
        (by_key("a", json!({ "source": "/other" })), not_found),
        (by_key("a", json!({ "sent_by": "tenant" })), not_found),
        (by_key("a", json!({ "sent_to": long_ago })), not_found),
        (by_key("twice", json!({})), "ambiguous-key"),
        (by_key("storage", json!({})), "not-reversible"),
    ];
    check_refused(&world, &rows).await;
    assert_eq!(refused_corrections(&world).await, 6);
}

#[tokio::test]
async fn an_invalid_key_is_rejected_with_the_reason() {
    let world = world().await;
    let (now, long_ago) = (
        runtime::now(),
        runtime::now() - SignedDuration::from_hours(24),
    );
    let backwards = json!({ "sent_from": now.to_string(), "sent_to": long_ago.to_string() });
    let no_offset = json!({ "sent_from": "2026-11-03T09:00:00+25" });
    let rows = [
        (by_key("a", json!({ "tenant": "nobody" })), "invalid-tenant"),
        (
            by_key("a", json!({ "tenant": TENANTS[3].0 })),
            "unknown-tenant",
        ),
        (by_key("", json!({})), "missing-field"),
        (by_key(&"x".repeat(1_025), json!({})), "too-long"),
        (
            by_key("a", json!({ "sent_from": "yesterday" })),
            "invalid-time",
        ),
        (by_key("a", no_offset), "invalid-time"),
        (by_key("a", backwards), "invalid-time"),
        (
            by_key("a", json!({ "event": transfer_now("a", 5) })),
            "missing-field",
        ),
        (json!({ "reason": "test" }), "missing-field"),
    ];
    check_refused(&world, &rows).await;
    assert_eq!(refused_corrections(&world).await, 0);
    let answer = world
        .correct_now(json!([{ "key": { "tenant": TENANT, "id": "a" }, "reason": "test" }]))
        .await;
    let told = &answer.body["rejected"][0];
    assert_eq!(
        (answer.status, &told["reason"], &told["detail"]),
        (
            422,
            &json!("missing-field"),
            &json!("key: source is missing")
        )
    );
}

#[tokio::test]
async fn a_replacement_must_be_another_event_of_the_same_tenant() {
    let world = world().await;
    let replacement = |tenant: &str, id: &str| {
        let mut event = transfer_now(id, 1);
        event["subject"] = json!(tenant);
        json!({ "replacement": event })
    };
    let rows = [
        (by_key("a", replacement(TENANT, "a")), "same-event-key"),
        (by_key("a", replacement(OTHER, "b")), "other-tenant"),
    ];
    check_refused(&world, &rows).await;
    assert_eq!(refused_corrections(&world).await, 2);
}

#[tokio::test]
async fn a_request_has_at_most_the_limit_of_corrections_by_key() {
    let world = world().await;
    let many: Vec<Value> = (0..21).map(|n| by_key(&n.to_string(), json!({}))).collect();
    let answer = world.correct_now(json!(many)).await;
    assert_eq!((answer.status, &answer.body["keys_max"]), (413, &json!(20)));
}

/// A tenant may have more events than one search reads. The answer says so, and how to narrow it.
#[tokio::test]
async fn a_search_ends_when_its_budget_is_spent() {
    let world = world().await;
    assert_eq!(
        world.send_now(batch(&[transfer_now("a", 5)])).await.body["accepted"],
        1
    );
    let reader = UsageReader::new(&world.aws.config, world.usage_table.clone());
    let key = metering::event_key(metering::Sender::Provider, "/gateway", "a");
    let sought = std::collections::BTreeSet::from([key]);
    let sent = (
        runtime::now() - SignedDuration::from_hours(1),
        Timestamp::MAX,
    );
    for (bytes, is_cut_short) in [(0, true), (SEARCH_BYTES_MAX, false)] {
        let budget = SearchBudget::start(bytes);
        let seen = reader
            .find_events(TENANT.parse().unwrap(), &sought, sent, &budget)
            .await
            .unwrap();
        assert_eq!(seen.is_cut_short, is_cut_short, "{bytes}");
    }
}
