//! Mails that an address has to wait for, and a user pool whose triggers refuse or fail.

use super::pool::Pool;
use super::*;
use kernel::TenantId;
use tenancy::{TaskKind, Username};

/// The share of each requesting network in an address's six mails.
const MAILS: u64 = 6;
const OWNER: &str = "203.0.113.5";
const STRANGERS: [&str; 3] = ["198.51.100.1", "192.0.2.1", "2001:db8:1::1"];
/// An hour in the gateway's format: the one of `valid-signup.json`.
const HOUR_MS: i64 = 3_600_000;

/// Signs up from a network, some hours later than the event files.
async fn sign_up_from(world: &World, pool: &Pool, source: &str, key: &str, hours: i64) -> Answer {
    let mut payload = request("POST", "/signups", Some(key), &ada());
    set(&mut payload, source, hours);
    invoke(world.api_with(pool.identity(world)), &payload).await
}

async fn resend_from(world: &World, pool: &Pool, source: &str, id: &str, hours: i64) -> Answer {
    let mut payload = request("POST", &format!("/signups/{id}/resend"), None, &Value::Null);
    set(&mut payload, source, hours);
    invoke(world.api_with(pool.identity(world)), &payload).await
}

fn set(payload: &mut Value, source: &str, hours: i64) {
    let context = &mut payload["requestContext"];
    context["http"]["sourceIp"] = json!(source);
    let now_ms = context["timeEpoch"].as_i64().unwrap();
    context["timeEpoch"] = json!(now_ms - now_ms % HOUR_MS + hours * HOUR_MS);
}

/// Strangers in many networks use up the address's mails; then the owner signs up.
async fn blocked() -> (World, Pool, Answer) {
    let mut world = World::new().await;
    world.mails = MAILS;
    let pool = Pool::default();
    for (n, stranger) in STRANGERS.iter().enumerate() {
        for m in 0..3 {
            let answer = sign_up_from(
                &world,
                &pool,
                stranger,
                &format!("key-of-a-stranger-{n}-{m}"),
                0,
            )
            .await;
            assert_eq!(answer.status, 202);
        }
    }
    assert_eq!(pool.take_mailed(), usize::try_from(MAILS).unwrap());
    let answer = sign_up_from(&world, &pool, OWNER, KEY, 0).await;
    (world, pool, answer)
}

fn members(answer: &Answer) -> Vec<String> {
    answer.body.as_object().unwrap().keys().cloned().collect()
}

async fn dues(world: &World, tenant: &str) -> Vec<TaskKind> {
    let tenant: TenantId = tenant.parse().unwrap();
    let due = world
        .region
        .tenants
        .reader()
        .load_due_tasks("2100-01-01T00:00:00Z".parse().unwrap(), 100)
        .await
        .unwrap();
    due.into_iter()
        .filter(|due| due.tenant == tenant)
        .map(|due| due.kind)
        .collect()
}

#[tokio::test]
async fn one_stranger_does_not_use_up_the_owners_mails() {
    let mut world = World::new().await;
    world.mails = MAILS;
    let pool = Pool::default();
    for n in 0..6 {
        sign_up_from(
            &world,
            &pool,
            STRANGERS[0],
            &format!("key-of-a-stranger-{n}"),
            0,
        )
        .await;
    }
    assert_eq!(pool.take_mailed(), 2, "the stranger's share");
    assert_eq!(sign_up_from(&world, &pool, OWNER, KEY, 0).await.status, 202);
    assert_eq!(pool.take_mailed(), 1, "the owner is sent the code");
}

/// Neither the response nor the operation discloses that others requested mails to the address.
#[tokio::test]
async fn a_sign_up_with_an_owed_mail_looks_like_any_other() {
    let (world, pool, owed) = blocked().await;
    assert_eq!(
        (pool.take_mailed(), owed.status, &owed.body["next"]),
        (0, 202, &json!("confirm"))
    );
    let usual = World::new().await;
    let usual_answer = sign_up(usual.api(), KEY, &ada()).await;
    assert_eq!(
        (members(&owed), &owed.body["password"]),
        (members(&usual_answer), &usual_answer.body["password"])
    );
    let states = |answer: &Answer| {
        let steps = answer.body["steps"].as_array().unwrap();
        steps
            .iter()
            .map(|step| (step["name"].clone(), step["state"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&owed), states(&usual_answer));
    let id = owed.body["id"].as_str().unwrap();
    let read = invoke(
        world.api(),
        &request("GET", &format!("/signups/{id}"), None, &Value::Null),
    )
    .await;
    let usual_id = usual_answer.body["id"].as_str().unwrap();
    let usual_read = invoke(
        usual.api(),
        &request("GET", &format!("/signups/{usual_id}"), None, &Value::Null),
    )
    .await;
    assert_eq!(members(&read), members(&usual_read));
    assert_eq!(resend_from(&world, &pool, OWNER, id, 0).await.status, 202);
    assert_eq!(pool.take_mailed(), 0);
    assert_eq!(
        slug(&confirm(world.api(), id, "000000").await),
        (422, "wrong-code")
    );
    let username: Username = owed.body["username"].as_str().unwrap().parse().unwrap();
    let stored = format!("{:?}", world.stored().await);
    assert!(
        stored.contains(&username.to_string()) && !stored.contains("203.0.113"),
        "the network is a digest"
    );
}

#[tokio::test]
async fn a_repeated_request_completes_a_sign_up_once_the_limit_has_passed() {
    let (world, pool, owed) = blocked().await;
    let tenant = owed.body["tenant"].as_str().unwrap();
    assert!(
        dues(&world, tenant).await.contains(&TaskKind::Mail),
        "time completes it too"
    );
    assert_eq!(sign_up_from(&world, &pool, OWNER, KEY, 0).await.status, 202);
    assert_eq!(pool.take_mailed(), 0, "not yet");
    let repeated = sign_up_from(&world, &pool, OWNER, KEY, 1).await;
    assert_eq!(
        (repeated.status, &repeated.body["id"], pool.take_mailed()),
        (202, &owed.body["id"], 1)
    );
    assert_eq!(sign_up_from(&world, &pool, OWNER, KEY, 1).await.status, 202);
    assert_eq!(pool.take_mailed(), 0, "nothing is owed any more");
    let id = owed.body["id"].as_str().unwrap();
    assert_eq!(confirm(world.api(), id, CODE).await.status, 200);
    assert_eq!(world.counts().await.active, 1);
}

#[tokio::test]
async fn a_resent_code_completes_a_sign_up_once_the_limit_has_passed() {
    let (world, pool, owed) = blocked().await;
    let id = owed.body["id"].as_str().unwrap();
    assert_eq!(resend_from(&world, &pool, OWNER, id, 1).await.status, 202);
    assert_eq!(pool.take_mailed(), 1);
    assert_eq!(sign_up_from(&world, &pool, OWNER, KEY, 1).await.status, 202);
    assert_eq!(pool.take_mailed(), 0, "it is not mailed a second time");
    assert_eq!(confirm(world.api(), id, CODE).await.status, 200);
}

/// A request for another code beyond the limit is owed too.
#[tokio::test]
async fn another_code_beyond_the_limit_is_owed() {
    let mut world = World::new().await;
    world.mails = 3;
    let pool = Pool::default();
    let made = sign_up_from(&world, &pool, OWNER, KEY, 0).await;
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(
        resend_from(&world, &pool, OWNER, id, 0).await.body,
        operation(&made)
    );
    assert_eq!(pool.take_mailed(), 1, "the share of one");
    assert!(
        dues(&world, made.body["tenant"].as_str().unwrap())
            .await
            .contains(&TaskKind::Mail)
    );
}

/// Of several requests that find an account of an earlier one, only the one that mails the code
/// stores so.
#[tokio::test]
async fn a_code_that_was_not_mailed_is_not_stored_as_mailed() {
    let world = World::new().await;
    let made = world.register().await;
    world.make_account(&made).await;
    let pool = Pool {
        resend_fails: true,
        ..Pool::default()
    };
    let failed = sign_up_from(&world, &pool, OWNER, KEY, 0).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    // Within the same minute, no request mails the code.
    let pool = Pool::default();
    let soon = sign_up_from(&world, &pool, OWNER, KEY, 0).await;
    assert_eq!(
        (soon.status, &soon.body["next"]),
        (202, &json!("repeat-sign-up"))
    );
    let later = sign_up_from(&world, &pool, OWNER, KEY, 1).await;
    assert_eq!(
        (later.status, &later.body["next"], pool.take_mailed()),
        (202, &json!("confirm"), 1)
    );
}

/// Cognito reports a failed trigger and a refusing one with the same error.
#[tokio::test]
async fn only_a_triggers_refusal_is_reported_as_a_refusal() {
    const TIMED_OUT: &str =
        "PreSignUp failed with error 2026-11-20T10:00:05Z Task timed out after 5.00 seconds.";
    for (code, message, expected) in [
        (
            "UserLambdaValidationException",
            "PreSignUp failed with error not-registered.",
            (422, "account-refused"),
        ),
        (
            "UserLambdaValidationException",
            TIMED_OUT,
            (503, "identity-unavailable"),
        ),
        (
            "UnexpectedLambdaException",
            "PreSignUp failed with error Socket timeout.",
            (503, "identity-unavailable"),
        ),
        (
            "InvalidLambdaResponseException",
            "Unrecognizable lambda output",
            (503, "identity-unavailable"),
        ),
        (
            "TooManyRequestsException",
            "Rate exceeded",
            (503, "identity-unavailable"),
        ),
        (
            "CodeDeliveryFailureException",
            "Failed to deliver",
            (503, "identity-unavailable"),
        ),
        (
            "NotAuthorizedException",
            "SignUp is not permitted for this user pool",
            (422, "account-refused"),
        ),
    ] {
        let world = World::new().await;
        let pool = Pool {
            sign_up_fails: Some((code, message)),
            ..Pool::default()
        };
        let answer = sign_up_from(&world, &pool, OWNER, KEY, 0).await;
        assert_eq!(slug(&answer), expected, "{code} {message}");
        assert_eq!(
            answer.headers.contains_key("retry-after"),
            answer.status == 503,
            "{code}"
        );
        let repeated = sign_up_from(&world, &Pool::default(), OWNER, KEY, 0).await;
        assert_eq!(
            (repeated.status, &repeated.body["next"]),
            (202, &json!("confirm")),
            "{code}: repeating completes it"
        );
    }
}

/// The trigger after a confirmation may fail, but the account is confirmed.
#[tokio::test]
async fn a_confirmation_with_a_failed_trigger_counts() {
    let world = World::new().await;
    let made = world.register().await;
    world.complete(&made).await;
    let pool = Pool {
        confirmation_fails: true,
        ..Pool::default()
    };
    let path = format!("/signups/{SIGNUP}/confirmation");
    let payload = request("POST", &path, None, &json!({ "code": CODE }));
    let answer = invoke(world.api_with(pool.identity(&world)), &payload).await;
    assert_eq!(
        (answer.status, &answer.body["next"]),
        (200, &json!("sign-in"))
    );
}

/// The response shows whose password the account has.
#[tokio::test]
async fn the_first_requests_password_is_kept_and_the_response_shows_it() {
    let world = World::new().await;
    let first = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(first.body["password"], "set");
    let mut other = ada();
    other["password"] = json!("Another-Engine-3");
    let second = sign_up(world.api(), KEY, &other).await;
    assert_eq!(
        (second.status, &second.body["id"], &second.body["password"]),
        (202, &first.body["id"], &json!("kept"))
    );
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(
        confirm(world.api(), id, CODE).await.body.get("password"),
        None,
        "a code has none"
    );
    let username = first.body["username"].as_str().unwrap();
    let sign_in = |password: &str| {
        let flow = aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
        let cognito = world.cognito();
        let request = cognito
            .initiate_auth()
            .client_id(&world.people.pool.client_id)
            .auth_flow(flow);
        request
            .auth_parameters("USERNAME", username)
            .auth_parameters("PASSWORD", password)
            .send()
    };
    assert!(sign_in("Another-Engine-3").await.is_err());
    assert!(sign_in(ada()["password"].as_str().unwrap()).await.is_ok());
}
