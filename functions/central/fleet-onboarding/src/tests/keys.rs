//! Idempotency keys: the onboarding that one stands for, and for how long.

use super::region::Behaviour;
use super::{case, fixture};
use futures::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn an_expired_key_stands_for_a_new_onboarding() {
    let fixture = fixture().await;
    let after = async |days: i64| {
        let mut payload = case("valid-in-region");
        let time = &mut payload["requestContext"]["timeEpoch"];
        *time = json!(time.as_i64().unwrap() + days * 86_400_000 - 1);
        fixture.send(&payload).await
    };
    let first = fixture.send(&case("valid-in-region")).await;
    assert_eq!(after(6).await.location, first.location);
    assert_eq!(fixture.west.tenants(), 1);

    let second = after(7).await;
    assert_eq!(second.status, 202);
    assert_ne!(second.location, first.location);
    // The region gets another key, so what it still has of the first sign-up does not count for the
    // second.
    assert_eq!(fixture.west.tenants(), 2);
    assert_ne!(
        second.body["signup"]["operation"]["tenant"],
        first.body["signup"]["operation"]["tenant"]
    );
    for answer in [first, second] {
        assert_eq!(
            fixture.read(&answer.location).await.body["state"],
            "waiting"
        );
    }
}

/// The first placement is not used silently.
#[tokio::test]
async fn a_key_stands_for_one_placement() {
    let fixture = fixture().await;
    let place = async |placement: Value| {
        let mut payload = case("valid-in-region");
        let mut body: Value = serde_json::from_str(payload["body"].as_str().unwrap()).unwrap();
        body["placement"] = placement;
        payload["body"] = json!(body.to_string());
        fixture.send(&payload).await
    };
    let placements = [
        json!({ "jurisdiction": "us" }),
        json!({ "region": "us-west-2" }),
        json!({ "region": "us-east-1" }),
        json!({ "nearest_to": { "latitude": 45.84, "longitude": -119.7 } }),
        json!({ "nearest_to": { "latitude": 45.85, "longitude": -119.7 } }),
        json!({ "nearest_to": { "latitude": 45.84, "longitude": -119.6 } }),
    ];
    let first = place(placements[0].clone()).await;
    assert_eq!(
        (first.status, place(placements[0].clone()).await.location),
        (202, first.location.clone())
    );
    for placement in &placements[1..] {
        let answer = place(placement.clone()).await;
        assert_eq!(
            (answer.status, answer.slug()),
            (422, "idempotency-key-reused"),
            "{placement}"
        );
    }
    assert_eq!(fixture.west.tenants(), 1);
    assert!(
        !fixture.stored().await.contains("jurisdiction=us"),
        "the placement is a digest"
    );
}

#[tokio::test]
async fn one_key_from_twenty_clients_makes_one_onboarding_and_one_tenant() {
    let fixture = fixture().await;
    let payload = case("valid-nearest");
    let answers = join_all((0..20).map(|_| fixture.send(&payload))).await;
    let first = &answers[0];
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.location),
            (202, &first.location),
            "{}",
            answer.body
        );
        assert_eq!(answer.body["signup"], first.body["signup"]);
    }
    assert_eq!(fixture.west.tenants(), 1);
}

#[tokio::test]
async fn the_region_is_fixed_by_the_first_request_with_a_key() {
    let fixture = fixture().await;
    fixture.west.behave(Behaviour::Fail);
    assert_eq!(
        fixture.send(&case("valid-in-jurisdiction")).await.slug(),
        "region-unavailable"
    );
    fixture.west.behave(Behaviour::Take);
    // The region accepts no more tenants by now, and another one would be chosen.
    fixture
        .describe("us-west-2", 2, |described| {
            described.accepts_new_tenants = false
        })
        .await;
    fixture
        .describe("us-east-1", 2, |described| {
            described.accepts_new_tenants = true
        })
        .await;
    let answer = fixture.send(&case("valid-in-jurisdiction")).await;
    assert_eq!(
        (answer.status, &answer.body["region"]),
        (202, &json!("us-west-2"))
    );
}
