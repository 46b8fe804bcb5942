//! The custom subdomain.

use super::*;
use contract::{ReservationDecision, SubdomainReservationDecided};
use kernel::SubdomainDigest;
use tenancy::{SubdomainUse, decide_reservation_answer};
use tenant_store::{Destination, LoadOptions};

async fn ask(world: &World, subdomain: &str) -> Answer {
    world
        .send(
            &world.admin_token().await,
            "PUT",
            &world.path("/address"),
            &json!({ "subdomain": subdomain }),
        )
        .await
}

async fn shown(world: &World) -> Value {
    world
        .send(
            &world.admin_token().await,
            "GET",
            &world.path(""),
            &Value::Null,
        )
        .await
        .body["address"]
        .clone()
}

/// Applies home's decision on the last published reservation.
async fn answer(world: &World, decision: ReservationDecision) {
    let published = world
        .region
        .published("SubdomainReservationUpdated.v1")
        .await;
    let last = published
        .iter()
        .max_by_key(|event| event["sequence"].as_u64())
        .unwrap();
    let decided = SubdomainReservationDecided {
        tenant: world.tenant(),
        digest: last["data"]["digest"].as_str().unwrap().parse().unwrap(),
        decision,
        revision: last["sequence"].as_u64().unwrap(),
    };
    world
        .region
        .change(
            world.tenant(),
            LoadOptions::TENANT,
            earlier(),
            |loaded, context| {
                Ok(decide_reservation_answer(
                    &loaded.state,
                    &decided,
                    SubdomainUse::Free,
                    context,
                ))
            },
        )
        .await;
}

#[tokio::test]
async fn a_subdomain_is_requested_and_shown_and_released() {
    let world = World::new().await;
    assert_eq!(shown(&world).await, Value::Null);
    let requested = ask(&world, "acme").await;
    let mut expected = json!({ "subdomain": null, "reservation": {
        "subdomain": "acme", "state": "requesting", "reason": null, "requested_at": "2026-11-20T10:00:00Z",
    }});
    assert_eq!((requested.status, &requested.body), (202, &expected));
    assert_eq!(shown(&world).await, expected);
    assert_eq!(
        ask(&world, "acme").await.body,
        expected,
        "a repeated request is one reservation"
    );
    let published = world
        .region
        .published("SubdomainReservationUpdated.v1")
        .await;
    assert_eq!(
        (published.len(), &published[0]["data"]["phase"]),
        (1, &json!("requested"))
    );
    let digest: SubdomainDigest = published[0]["data"]["digest"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        Some(digest),
        "subdomains of a test"
            .parse::<SubdomainKey>()
            .unwrap()
            .of(&"acme".parse().unwrap())
    );

    answer(&world, ReservationDecision::Leased).await;
    expected["reservation"]["state"] = json!("confirming");
    assert_eq!(shown(&world).await, expected);
    answer(&world, ReservationDecision::Confirmed).await;
    assert_eq!(
        shown(&world).await,
        json!({ "subdomain": "acme", "reservation": null })
    );
    assert_eq!(ask(&world, "acme").await.status, 200);
    let reader = world.region.tenants.reader();
    assert_eq!(
        reader.resolve("acme").await.unwrap(),
        Some(Destination::Here(world.tenant()))
    );

    ask(&world, "globex").await;
    answer(&world, ReservationDecision::Refused).await;
    let refused = &shown(&world).await["reservation"];
    assert_eq!(
        (&refused["state"], &refused["reason"]),
        (&json!("refused"), &json!("taken"))
    );
    for _ in 0..2 {
        let gone = world
            .send(
                &world.admin_token().await,
                "DELETE",
                &world.path("/address"),
                &Value::Null,
            )
            .await;
        assert_eq!(gone.status, 204);
    }
    assert_eq!(shown(&world).await, Value::Null);
    assert_eq!(reader.resolve("acme").await.unwrap(), None);
    let trail = json!(world.trail(world.tenant()).await).to_string();
    assert!(
        ["reserve-subdomain", "change-address", "release-address"]
            .iter()
            .all(|action| trail.contains(action))
    );
    assert!(
        !trail.contains("acme") && !trail.contains("globex"),
        "the trail names no subdomain"
    );
}

#[tokio::test]
async fn an_invalid_subdomain_is_refused() {
    let world = World::new().await;
    for subdomain in [
        "",
        "ab",
        "-acme",
        "Acme",
        "www",
        "eu-central-1",
        "23456789abcd",
        "ac me",
    ] {
        let refused = ask(&world, subdomain).await;
        assert_eq!(
            (slug(&refused), &refused.body["fields"][0]["field"]),
            ((422, "invalid-fields"), &json!("subdomain"))
        );
    }
    assert_eq!(world.region.tenant(world.tenant()).await.subdomains, None);
}

#[tokio::test]
async fn without_the_fleets_secret_no_subdomain_is_requested() {
    let world = World::new().await;
    let payload = request(
        "PUT",
        &world.path("/address"),
        &world.admin_token().await,
        &json!({ "subdomain": "acme" }),
    );
    let refused = invoke(world.api(Without::Subdomains), &payload).await;
    assert_eq!(slug(&refused), (409, "subdomains-not-configured"));
    assert_eq!(
        world
            .region
            .published("SubdomainReservationUpdated.v1")
            .await,
        Vec::<Value>::new()
    );
    assert_eq!(
        "".parse::<SubdomainKey>()
            .unwrap()
            .of(&"acme".parse().unwrap()),
        None
    );
}

#[tokio::test]
async fn a_tenant_requests_a_few_subdomains_a_day() {
    let world = World::new().await;
    for n in 0..10 {
        assert_eq!(ask(&world, &format!("acme-{n}")).await.status, 202);
    }
    let limited = ask(&world, "acme-10").await;
    assert_eq!(slug(&limited), (429, "too-many-requests"));
    assert_eq!(
        ask(&world, "acme-9").await.status,
        202,
        "a requested subdomain does not count again"
    );
}

/// Home stores these digests, so they must never change.
#[test]
fn a_digest_depends_on_secret_and_subdomain_only() {
    let of = |secret: &str, subdomain: &str| {
        secret
            .parse::<SubdomainKey>()
            .unwrap()
            .of(&subdomain.parse().unwrap())
            .unwrap()
    };
    // echo -n acme | openssl dgst -sha256 -hmac secret
    assert_eq!(
        of("secret", "acme").as_str(),
        "700f8a71077438948e68c52f90421d3f3361b533d746d90668bce4dc8a387812"
    );
    assert_ne!(of("secret", "acme"), of("other", "acme"));
    assert_ne!(of("secret", "acme"), of("secret", "acme-1"));
}
