//! Handing a sign-up over to its region, and the region's responses.

use super::region::Behaviour;
use super::{SEEDED, case, fixture, fixture_with};
use kernel::{Mode, TenantStatus};
use runtime::handover::Seal;
use serde_json::json;

/// The key of the case `valid-in-region`.
const KEY: &str = "5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11";

#[tokio::test]
async fn with_a_secret_a_sign_up_is_sealed_for_its_onboarding() {
    let fixture = fixture().await;
    assert_eq!(fixture.send(&case("valid-in-region")).await.status, 202);
    let [received] = &fixture.west.received()[..] else {
        panic!("not one request")
    };
    let seal = Seal::new("a secret of home and its regions");
    assert!(seal.holds(
        &received.onboarding.parse().unwrap(),
        received.seal.as_ref().unwrap()
    ));
    assert!(!seal.holds(&SEEDED.parse().unwrap(), received.seal.as_ref().unwrap()));

    let fixture = fixture_with("").await;
    assert_eq!(fixture.send(&case("valid-in-region")).await.status, 202);
    assert_eq!(fixture.west.received()[0].seal, None);
}

#[tokio::test]
async fn a_sign_up_is_handed_over_byte_for_byte_and_not_stored() {
    let fixture = fixture().await;
    let mut payload = case("valid-in-region");
    let signup =
        r#"{ "name":"Ad\u0061 Canary",   "nested": {"b": 1.50, "a": [1e3]} , "name2":"äöü"}"#;
    payload["body"] = json!(format!(
        r#"{{"signup":  {signup} ,"placement":{{"region":"us-west-2"}}}}"#
    ));
    let answer = fixture.send(&payload).await;
    assert_eq!((answer.status, answer.cache.as_str()), (202, "no-store"));
    let [received] = &fixture.west.received()[..] else {
        panic!("not one request")
    };
    assert_eq!(received.body, signup);
    let key: fleet::OnboardingKey = KEY.parse().unwrap();
    let for_region = key.for_region(received.onboarding.parse().unwrap());
    assert_eq!(received.key, for_region);
    assert_eq!(
        answer.location,
        format!("/onboardings/{}", received.onboarding)
    );
    assert_eq!(answer.body["id"], received.onboarding);
    assert_eq!(
        (&answer.body["state"], &answer.body["next"]),
        (&json!("waiting"), &json!("follow-sign-up"))
    );
    let operation = &answer.body["signup"]["operation"];
    assert_eq!(operation["anything"], json!({ "else": 1.5 }));
    let handle = operation["id"].as_str().unwrap();
    assert_eq!(
        answer.body["signup"]["url"],
        format!("{}/signups/{handle}", fixture.west.url)
    );

    let stored = fixture.stored().await;
    assert!(
        stored.contains(received.onboarding.as_str())
            && stored.contains(operation["tenant"].as_str().unwrap())
    );
    for secret in [
        "Canary",
        "Ada",
        "äöü",
        KEY,
        &for_region,
        handle,
        operation["username"].as_str().unwrap(),
    ] {
        assert!(!stored.contains(secret), "{secret} is in {stored}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_regions_own_address() {
    let fixture = fixture().await;
    let answer = fixture.send(&case("invalid-region-forbids")).await;
    assert_eq!(answer.body["signup_url"], fixture.west.url);
    assert_eq!(
        (&answer.body["region"], &answer.body["mode"]),
        (&json!("eu-central-1"), &json!("regional"))
    );
    assert_eq!(fixture.west.received().len(), 0);
}

#[tokio::test]
async fn a_regions_refusal_is_passed_on_without_further_members() {
    let fixture = fixture().await;
    fixture.west.behave(Behaviour::Refuse);
    let answer = fixture.send(&case("valid-in-region")).await;
    let expected = json!({
        "type": "/problems/weak-password", "title": "The password is too weak", "status": 422,
        "detail": "Take another one.", "fields": [{ "field": "password", "reason": "longer" }],
    });
    assert_eq!(
        (answer.status, answer.kind.as_str()),
        (422, "application/problem+json")
    );
    assert_eq!((answer.body, answer.retry_after.as_str()), (expected, "30"));
    fixture.west.behave(Behaviour::Take);
    assert_eq!(fixture.send(&case("valid-in-region")).await.status, 202);
    assert_eq!(fixture.west.tenants(), 1);
}

#[tokio::test]
async fn repeating_the_request_asks_an_unresponsive_region_again() {
    let fixture = fixture().await;
    let payload = case("valid-in-jurisdiction");
    for behaviour in [
        Behaviour::Fail,
        Behaviour::Nonsense,
        Behaviour::Elsewhere,
        Behaviour::NoProblem,
    ] {
        fixture.west.behave(behaviour);
        let answer = fixture.send(&payload).await;
        assert_eq!(
            (answer.status, answer.slug()),
            (503, "region-unavailable"),
            "{behaviour:?}"
        );
        assert_eq!(
            (answer.retry_after.as_str(), &answer.body["region"]),
            ("2", &json!("us-west-2"))
        );
    }
    // Home fails after the region accepted it.
    fixture.west.behave(Behaviour::TakeAndFail);
    assert_eq!(fixture.send(&payload).await.status, 503);
    fixture.west.behave(Behaviour::Take);
    let answer = fixture.send(&payload).await;
    assert_eq!(answer.status, 202);
    assert_eq!(fixture.west.tenants(), 1);
    let onboardings: std::collections::BTreeSet<_> = fixture
        .west
        .received()
        .into_iter()
        .map(|received| received.onboarding)
        .collect();
    assert_eq!(onboardings.len(), 1);
}

#[tokio::test]
async fn an_address_without_a_listener_is_an_unavailable_region() {
    let fixture = fixture().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    fixture
        .describe("us-west-2", 2, |described| {
            described.signup_url = url.parse().unwrap()
        })
        .await;
    let answer = fixture.send(&case("valid-in-region")).await;
    assert_eq!((answer.status, answer.slug()), (503, "region-unavailable"));
}

#[tokio::test]
async fn a_region_that_forbids_onboarding_by_now_receives_nothing() {
    let fixture = fixture().await;
    fixture.west.behave(Behaviour::Fail);
    fixture.send(&case("valid-in-region")).await;
    fixture
        .describe("us-west-2", 2, |described| described.mode = Mode::Regional)
        .await;
    let before = fixture.west.received().len();
    let answer = fixture.send(&case("valid-in-region")).await;
    assert_eq!(
        (answer.status, answer.slug()),
        (409, "region-forbids-central-onboarding")
    );
    assert_eq!(fixture.west.received().len(), before);
}

#[tokio::test]
async fn a_region_that_is_silent_or_full_is_not_chosen() {
    let fixture = fixture().await;
    let mut later = case("valid-in-jurisdiction");
    later["requestContext"]["timeEpoch"] = json!(1_793_700_300_000_i64);
    assert_eq!(fixture.send(&later).await.slug(), "no-region");
    fixture
        .describe("us-west-2", 2, |described| {
            described.capacity_tenants = Some(1)
        })
        .await;
    fixture
        .publish_status(
            "0199a1f0-0000-7000-8000-000000000001",
            1,
            TenantStatus::Pending,
        )
        .await;
    assert_eq!(
        fixture.send(&case("valid-in-jurisdiction")).await.slug(),
        "no-region"
    );
    fixture
        .publish_status(
            "0199a1f0-0000-7000-8000-000000000001",
            2,
            TenantStatus::Closed,
        )
        .await;
    assert_eq!(
        fixture.send(&case("valid-in-jurisdiction")).await.status,
        202
    );
}
