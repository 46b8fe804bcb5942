//! Limits, expiry, provisioning and central onboarding, as the caller of a sign-up sees them.

use super::*;
use contract::application::Answer as Said;
use runtime::handover::Seal;
use tenancy::Said as What;

async fn post(world: &World, path: &str) -> Answer {
    invoke(world.api(), &request("POST", path, None, &Value::Null)).await
}

async fn read(world: &World, id: &str) -> Value {
    invoke(
        world.api(),
        &request("GET", &format!("/signups/{id}"), None, &Value::Null),
    )
    .await
    .body
}

#[tokio::test]
async fn sign_ups_from_one_source_are_limited() {
    let mut world = World::new().await;
    world.limits.per_source = 2;
    let ask = async |key: &str| sign_up(world.api(), key, &ada()).await;
    assert_eq!(ask("key-of-the-tests-1").await.status, 202);
    assert_eq!(ask("key-of-the-tests-2").await.status, 202);
    let refused = ask("key-of-the-tests-3").await;
    assert_eq!(slug(&refused), (429, "too-many-requests"));
    let wait: i64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=3_600).contains(&wait));
    assert_eq!(
        ask("key-of-the-tests-1").await.status,
        202,
        "a repetition is no new request"
    );
}

/// All handovers come from home's one address; only the secret proves that a caller is home.
#[tokio::test]
async fn a_sealed_handover_does_not_count_against_its_source() {
    let mut world = World::new().await;
    world.mode = Mode::Shared;
    world.limits.per_source = 1;
    let id = "0b8d7a52-6d1e-4c59-8f7e-2f3f5c1d9a10";
    let hand_over = async |key: &str, seal: &str| {
        let mut payload = request("POST", "/signups", Some(key), &ada());
        payload["headers"]["meridian-onboarding"] = json!(id);
        payload["headers"]["meridian-handover"] = json!(seal);
        invoke(world.api(), &payload).await.status
    };
    let sealed = Seal::new(SECRET).of(&id.parse().unwrap()).unwrap();
    let forged = Seal::new("another secret")
        .of(&id.parse().unwrap())
        .unwrap();
    for number in 0..3 {
        assert_eq!(
            hand_over(&format!("sealed-handover-{number}"), &sealed).await,
            202
        );
    }
    assert_eq!(
        hand_over("forged-handover-0", &forged).await,
        202,
        "the first of its source"
    );
    assert_eq!(hand_over("forged-handover-1", &forged).await, 429);
}

#[tokio::test]
async fn a_resent_code_confirms_once() {
    let world = World::new().await;
    let id = sign_up(world.api(), KEY, &ada()).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        post(&world, &format!("/signups/{id}/resend")).await.status,
        202
    );
    assert_eq!(confirm(world.api(), &id, CODE).await.status, 200);
    assert_eq!(
        slug(&post(&world, &format!("/signups/{id}/resend")).await),
        (409, "nothing-to-confirm")
    );
}

#[tokio::test]
async fn without_an_account_no_code_is_resent() {
    let world = World::new().await;
    world.register().await;
    assert_eq!(
        slug(&post(&world, &format!("/signups/{SIGNUP}/resend")).await),
        (409, "no-account")
    );
}

#[tokio::test]
async fn a_closed_region_completes_stored_sign_ups_and_accepts_no_new_ones() {
    let mut world = World::new().await;
    let began = sign_up(world.api(), KEY, &ada()).await;
    world.accepts_new_tenants = false;
    assert_eq!(
        operation(&sign_up(world.api(), KEY, &ada()).await),
        operation(&began)
    );
    let refused = sign_up(world.api(), "another-key-of-the-tests", &ada()).await;
    assert_eq!(
        (slug(&refused), &refused.body["region"]),
        ((409, "region-closed"), &json!("eu-central-1"))
    );
    let form = invoke(
        world.api(),
        &request("GET", "/signup-form", None, &Value::Null),
    )
    .await;
    assert_eq!(form.body["accepts_new_tenants"], json!(false));
}

#[tokio::test]
async fn the_form_shows_the_documents_to_agree_to() {
    let world = World::new().await;
    let form = invoke(
        world.api(),
        &request("GET", "/signup-form", None, &Value::Null),
    )
    .await
    .body;
    assert_eq!(
        form["documents"],
        json!({ "terms": "1", "data_processing": "1" })
    );
    assert!(
        form["plans"]
            .as_array()
            .unwrap()
            .contains(&json!("starter"))
    );
}

#[tokio::test]
async fn a_failed_provisioning_is_shown_and_retried() {
    let world = World::of(tenantkit::region().await.with_application()).await;
    let id = sign_up(world.api(), KEY, &ada()).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let confirmed = confirm(world.api(), &id, CODE).await.body;
    assert_eq!(
        (&confirmed["state"], &confirmed["next"]),
        (&json!("waiting"), &json!("wait"))
    );
    let tenant = confirmed["tenant"].as_str().unwrap().parse().unwrap();
    let path = format!("/signups/{id}/provisioning");
    assert_eq!(slug(&post(&world, &path).await), (409, "nothing-to-retry"));

    let now = runtime::now();
    let failed = Said {
        tenant,
        attempt: None,
        reason: Some("quota".parse().unwrap()),
        retryable: None,
    };
    world
        .region
        .answer(What::ProvisioningFailed, &failed, now)
        .await;
    let seen = read(&world, &id).await;
    assert_eq!(
        (&seen["state"], &seen["next"]),
        (&json!("failed"), &json!("retry-provisioning"))
    );
    assert_eq!(seen["steps"][3]["reason"], "quota");
    assert_eq!(post(&world, &path).await.body["next"], "wait");
    assert_eq!(
        world
            .region
            .published("TenantProvisioningRequested.v1")
            .await
            .len(),
        2
    );
    world
        .region
        .answer(
            What::Provisioned,
            &Said {
                reason: None,
                ..failed
            },
            now,
        )
        .await;
    let done = read(&world, &id).await;
    assert_eq!(
        (&done["state"], &done["next"]),
        (&json!("done"), &json!("sign-in"))
    );
}

#[tokio::test]
async fn home_follows_a_sign_up_that_it_handed_over() {
    let mut world = World::new().await;
    world.mode = Mode::Shared;
    let onboarding = "0b8d7a52-6d1e-4c59-8f7e-2f3f5c1d9a10";
    let mut payload = request("POST", "/signups", Some(KEY), &ada());
    payload["headers"]["meridian-onboarding"] = json!(onboarding);
    let accepted = invoke(world.api(), &payload).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    assert_eq!(
        confirm(world.api(), accepted.body["id"].as_str().unwrap(), CODE)
            .await
            .status,
        200
    );
    let progress = world.region.published("OnboardingProgressed.v1").await;
    let revisions: Vec<_> = progress
        .iter()
        .map(|event| event["data"]["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(revisions, [1, 2, 3]);
    let last = &progress[2]["data"];
    assert_eq!(
        (&last["onboarding"], &last["tenant"]),
        (&json!(onboarding), &accepted.body["tenant"])
    );
    assert!(
        last["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["state"] == "done")
    );
    payload["headers"]["meridian-onboarding"] = json!("nonsense");
    assert_eq!(
        slug(&invoke(world.api(), &payload).await),
        (400, "onboarding-malformed")
    );
}
