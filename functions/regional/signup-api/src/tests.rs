use crate::handler::{Adapters, router};
use aws_sdk_cognitoidentityprovider::types::{PasswordPolicyType, UserPoolPolicyType};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use contract::TenantCounts;
use contract::catalogue::Catalogue;
use futures::future::join_all;
use identity::Identity;
use kernel::{EventId, SignupId};
use outbox::Outbox;
use regional_store::{Registered, TenantStore};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use tenancy::{IdempotencyKey, Identifiers, Occasion, Registration, SignUp, SignUpRequest, decide_sign_up};
use testkit::{Case, Pool};
use tower::ServiceExt;

/// The code that the emulator mails.
const CODE: &str = "123456";
/// Of the sign-up that the events of `events/signup-api` read and confirm.
const SIGNUP: &str = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d";
const KEY: &str = "a-key-of-the-tests-own";

/// A region of its own: tables, a user pool, and the API on them.
struct World {
    aws: testkit::LocalAws,
    pool: Pool,
    table: String,
    outbox: Outbox,
    tenants: TenantStore,
    identity: Identity,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl World {
    async fn new() -> Self {
        let aws = testkit::aws().await;
        let pool = testkit::user_pool(&aws, &["meridian/usage.write"]).await;
        let table = testkit::table(&aws, false).await;
        let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
        let tenants = TenantStore::new(&aws.config, table.clone(), outbox.clone());
        let identity = Identity::new(&aws.config, pool.id.clone(), pool.client_id.clone());
        Self { aws, pool, table, outbox, tenants, identity }
    }

    fn api(&self) -> Router {
        self.api_with(self.identity.clone())
    }

    fn api_with(&self, identity: Identity) -> Router {
        runtime::http::with_fallbacks(router(Adapters {
            region: "eu-central-1".parse().unwrap(),
            mode: kernel::Mode::Regional,
            catalogue: Catalogue::bundled().unwrap(),
            tenants: self.tenants.clone(),
            identity,
        }))
    }

    /// The API with a user pool that does not answer.
    fn api_without_pool(&self) -> Router {
        let config = self.aws.config.to_builder().endpoint_url("http://127.0.0.1:9").build();
        self.api_with(Identity::new(&config, self.pool.id.clone(), self.pool.client_id.clone()))
    }

    fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        aws_sdk_cognitoidentityprovider::Client::new(&self.aws.config)
    }

    async fn accounts(&self) -> usize {
        self.cognito().list_users().user_pool_id(&self.pool.id).send().await.unwrap().users().len()
    }

    /// Everything stored, but the counts.
    async fn stored(&self) -> Vec<HashMap<String, AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let scanned = client.scan().table_name(&self.table).send().await.unwrap();
        let mut items = scanned.items.unwrap_or_default();
        items.retain(|item| !item["pk"].as_s().unwrap().starts_with("STATS#"));
        items.sort_by_key(|item| item["pk"].as_s().unwrap().clone());
        items
    }

    async fn counts(&self) -> TenantCounts {
        self.tenants.reader().counts().await.unwrap()
    }

    /// The facts stated so far, as text.
    async fn facts(&self) -> Vec<String> {
        let rows = self.outbox.sweep("2100-01-01T00:00:00Z".parse().unwrap(), 1000).await.unwrap();
        rows.into_iter().map(|row| row.detail).collect()
    }

    /// Stores the registration of the request that [`ada`] sends, as the API's first step does.
    async fn register(&self) -> SignUp {
        let (made, registration) = registered_by_ada();
        let key: IdempotencyKey = KEY.parse().unwrap();
        let stored = self.tenants.register(&made, &key.digest(), &key.fingerprint(&registration)).await.unwrap();
        assert_eq!(stored, Registered::Stored);
        made
    }

    /// Makes the account, as the API's second step does.
    async fn make_account(&self, made: &SignUp) {
        let (_, registration) = registered_by_ada();
        let asked = self.identity.sign_up(made.user.username, &made.user.email, &registration.password).await;
        asked.unwrap();
    }
}

fn ada() -> Value {
    json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": "ada@engines.example",
        "password": "Difference-Engine-2",
        "plan": "starter",
    })
}

fn registered_by_ada() -> (SignUp, Registration) {
    let catalogue = Catalogue::bundled().unwrap();
    let registration = serde_json::from_value::<SignUpRequest>(ada()).unwrap().validate(&catalogue).unwrap();
    let ids = Identifiers {
        signup: SIGNUP.parse().unwrap(),
        tenant: "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f".parse().unwrap(),
        alias: "23456789abcd".parse().unwrap(),
    };
    (decide_sign_up(&registration, &catalogue, ids, &occasion()), registration)
}

fn occasion() -> Occasion {
    Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    }
}

/// Sends what API Gateway sends.
async fn invoke(api: Router, payload: &Value) -> Answer {
    let request = lambda_http::request::from_str(&payload.to_string()).unwrap();
    let response = api.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// The payload of an event file, with another path, key and body.
fn request(method: &str, path: &str, key: Option<&str>, body: &Value) -> Value {
    let mut payload = case("valid-signup").payload;
    payload["rawPath"] = json!(path);
    payload["requestContext"]["http"]["path"] = json!(path);
    payload["requestContext"]["http"]["method"] = json!(method);
    payload["headers"]["idempotency-key"] = json!(key.unwrap_or_default());
    payload["body"] = json!(body.to_string());
    payload
}

async fn sign_up(api: Router, key: &str, body: &Value) -> Answer {
    invoke(api, &request("POST", "/signups", Some(key), body)).await
}

async fn confirm(api: Router, id: &str, code: &str) -> Answer {
    invoke(api, &request("POST", &format!("/signups/{id}/confirmation"), None, &json!({ "code": code }))).await
}

fn case(name: &str) -> Case {
    testkit::cases("signup-api").into_iter().find(|case| case.name == name).unwrap()
}

fn slug(answer: &Answer) -> (u16, &str) {
    let kind = answer.body["type"].as_str().unwrap_or_default();
    (answer.status, kind.rsplit('/').next().unwrap())
}

/// Each file of `events/signup-api` on a region where its sign-up waits for its code.
#[tokio::test]
async fn every_event_gets_its_answer() {
    let expected = |name: &str| match name {
        "valid-signup" | "valid-signup-with-region" => (202, ""),
        "valid-read" | "valid-confirmation" => (200, ""),
        "invalid-key-missing" => (400, "idempotency-key-missing"),
        "invalid-key-malformed" => (400, "idempotency-key-malformed"),
        "invalid-malformed-json" => (400, "malformed-json"),
        "invalid-unknown-field" | "invalid-wrong-type" => (422, "invalid-body"),
        "invalid-every-field" | "invalid-unknown-plan" | "invalid-malformed-code" => (422, "invalid-fields"),
        "invalid-weak-password" => (422, "weak-password"),
        "invalid-other-region" => (422, "other-region"),
        "invalid-body-too-large" => (413, "body-too-large"),
        "invalid-wrong-code" => (422, "wrong-code"),
        "invalid-confirmation-of-unknown-signup" | "invalid-read-of-unknown-signup" | "invalid-read-of-no-id" => {
            (404, "unknown-signup")
        }
        "invalid-method" => (405, "method-not-allowed"),
        "invalid-path" => (404, "not-found"),
        other => panic!("{other} has no expected answer"),
    };
    for Case { name, payload } in testkit::cases("signup-api") {
        let world = World::new().await;
        let made = world.register().await;
        world.make_account(&made).await;
        let before = world.stored().await;
        let answer = invoke(world.api(), &payload).await;
        assert_eq!(slug(&answer), expected(&name), "{name}: {}", answer.body);
        if answer.status >= 400 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
            assert_eq!(world.stored().await, before, "{name} writes nothing");
        }
    }
}

#[tokio::test]
async fn each_bad_field_is_named_with_its_reason() {
    let world = World::new().await;
    let answer = invoke(world.api(), &case("invalid-every-field").payload).await;
    let fields: Vec<_> = answer.body["fields"].as_array().unwrap().iter().map(|f| f["field"].clone()).collect();
    assert_eq!(json!(fields), json!(["organisation", "name", "email", "password", "plan", "region"]));
    assert!(answer.body["fields"].as_array().unwrap().iter().all(|f| f["reason"].is_string()));
    let elsewhere = invoke(world.api(), &case("invalid-other-region").payload).await;
    assert_eq!(elsewhere.body["region"], "eu-central-1");
}

#[tokio::test]
async fn a_tenant_signs_up_confirms_and_is_active() {
    let world = World::new().await;
    let accepted = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(
        (accepted.status, &accepted.body["state"], &accepted.body["next"]),
        (202, &json!("waiting"), &json!("confirm"))
    );
    let id = accepted.body["id"].as_str().unwrap();
    assert_eq!(accepted.headers["location"], format!("/signups/{id}"));
    assert_eq!((&accepted.body["region"], &accepted.body["mode"]), (&json!("eu-central-1"), &json!("regional")));
    assert_eq!(world.counts().await, TenantCounts { pending: 1, ..Default::default() });

    assert_eq!(slug(&confirm(world.api(), id, "999999").await), (422, "wrong-code"));
    let confirmed = confirm(world.api(), id, CODE).await;
    assert_eq!((confirmed.status, &confirmed.body["next"]), (200, &json!("sign-in")));
    let steps = confirmed.body["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["state"] == "done" && step["at"].is_string()), "{steps:?}");
    assert_eq!(world.counts().await, TenantCounts { active: 1, ..Default::default() });

    let read = invoke(world.api(), &request("GET", &format!("/signups/{id}"), None, &Value::Null)).await;
    assert_eq!(read.body, confirmed.body);
    assert_eq!(confirm(world.api(), id, "000000").await.body, confirmed.body, "once confirmed, any code will do");
    assert_eq!(world.facts().await.len(), 2);
}

/// A repeated request gives the same operation, and anything else under the key is refused.
#[tokio::test]
async fn a_key_stands_for_one_request() {
    let world = World::new().await;
    let first = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(sign_up(world.api(), KEY, &ada()).await.body, first.body);
    for (member, value) in [("organisation", "Other Ltd"), ("email", "bob@engines.example"), ("plan", "pro")] {
        let mut other = ada();
        other[member] = json!(value);
        assert_eq!(slug(&sign_up(world.api(), KEY, &other).await), (422, "idempotency-key-reused"), "{member}");
    }
    assert_eq!((world.stored().await.len(), world.accounts().await, world.facts().await.len()), (5, 1, 1));
}

#[tokio::test]
async fn twenty_clients_with_one_key_make_one_tenant() {
    let world = World::new().await;
    let body = ada();
    let answers = join_all((0..20).map(|_| sign_up(world.api(), KEY, &body))).await.into_iter().map(|answer| {
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(answers.collect::<HashSet<_>>().len(), 1);
    assert_eq!((world.stored().await.len(), world.accounts().await, world.facts().await.len()), (5, 1, 1));
    assert_eq!(world.counts().await.pending, 1);
}

#[tokio::test]
async fn two_hundred_sign_ups_at_once_all_complete() {
    let world = World::new().await;
    let answers = join_all((0..200).map(|n| {
        let mut body = ada();
        body["email"] = json!(format!("ada{n}@engines.example"));
        let api = world.api();
        async move { sign_up(api, &format!("a-key-of-many-{n:04}"), &body).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(world.counts().await.pending, 200);
    assert_eq!(world.facts().await.len(), 200);
}

/// Runs the first steps of a sign-up, as a function that is killed after them did, then the whole request.
#[tokio::test]
async fn a_sign_up_killed_between_any_two_calls_is_completed_by_its_key() {
    for steps in 0..=3 {
        let world = World::new().await;
        if steps >= 1 {
            let made = world.register().await;
            if steps >= 2 {
                world.make_account(&made).await;
            }
            if steps >= 3 {
                world.tenants.record_identity(made.signup.id, Ok(()), runtime::now()).await.unwrap();
            }
        }
        let answer = sign_up(world.api(), KEY, &ada()).await;
        assert_eq!((answer.status, &answer.body["next"]), (202, &json!("confirm")), "after {steps} steps");
        if steps >= 1 {
            assert_eq!(answer.body["id"], SIGNUP, "after {steps} steps");
        }
        let all = (world.stored().await.len(), world.accounts().await, world.facts().await.len());
        assert_eq!(all, (5, 1, 1), "after {steps} steps");
    }
}

/// Nor can a confirmation that is cut off, or a trigger that never ran, leave a tenant pending.
#[tokio::test]
async fn a_confirmation_killed_between_any_two_calls_is_completed_by_the_next() {
    for steps in 0..=2 {
        let world = World::new().await;
        let made = world.register().await;
        world.make_account(&made).await;
        if steps >= 1 {
            world.identity.confirm(made.user.username, CODE).await.unwrap();
        }
        if steps >= 2 {
            world.tenants.confirm(made.tenant.id, made.signup.id, &occasion()).await.unwrap();
        }
        let answer = confirm(world.api(), SIGNUP, CODE).await;
        assert_eq!((answer.status, &answer.body["next"]), (200, &json!("sign-in")), "after {steps} steps");
        assert_eq!((world.counts().await.active, world.facts().await.len()), (1, 2), "after {steps} steps");
    }
}

#[tokio::test]
async fn a_pool_that_does_not_answer_is_made_up_for_later() {
    let world = World::new().await;
    let failed = sign_up(world.api_without_pool(), KEY, &ada()).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    assert!(failed.headers.contains_key("retry-after"));
    let operation = failed.body["operation"].as_str().unwrap();
    let read = invoke(world.api(), &request("GET", operation, None, &Value::Null)).await;
    assert_eq!((&read.body["state"], &read.body["next"]), (&json!("failed"), &json!("repeat-sign-up")));
    assert_eq!(read.body["steps"][1]["reason"], "unavailable");
    let accepted = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!((accepted.status, &accepted.body["next"]), (202, &json!("confirm")));
    assert_eq!((world.stored().await.len(), world.accounts().await), (5, 1));
    let id = accepted.body["id"].as_str().unwrap();
    assert_eq!(slug(&confirm(world.api_without_pool(), id, CODE).await), (503, "identity-unavailable"));
    assert_eq!(confirm(world.api(), id, CODE).await.status, 200);
}

#[tokio::test]
async fn a_password_that_only_the_pool_refuses_can_be_replaced_under_the_same_key() {
    let world = World::new().await;
    let rules = PasswordPolicyType::builder().minimum_length(30).build();
    let policies = UserPoolPolicyType::builder().password_policy(rules).build();
    world.cognito().update_user_pool().user_pool_id(&world.pool.id).policies(policies).send().await.unwrap();
    let refused = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(slug(&refused), (422, "weak-password"));
    let mut stronger = ada();
    stronger["password"] = json!("Difference-Engine-2-and-much-more!");
    assert_eq!(sign_up(world.api(), KEY, &stronger).await.status, 202);
    assert_eq!((world.stored().await.len(), world.accounts().await), (5, 1));
}

/// An address that is known already is answered as a new one is.
#[tokio::test]
async fn an_answer_reveals_nothing_of_other_registrations() {
    let world = World::new().await;
    let first = sign_up(world.api(), KEY, &ada()).await;
    let again = sign_up(world.api(), "another-key-of-the-tests", &ada()).await;
    let members = |answer: &Answer| answer.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!((first.status, members(&first)), (again.status, members(&again)));
    assert_ne!((&first.body["id"], &first.body["username"]), (&again.body["id"], &again.body["username"]));
    let stranger = SignupId::from_uuid(runtime::new_uuid()).to_string();
    assert_eq!(slug(&confirm(world.api(), &stranger, CODE).await), (404, "unknown-signup"));
}

/// What a person typed is in no answer, and in no fact.
#[tokio::test]
async fn nothing_personal_gets_out() {
    let world = World::new().await;
    let mut shown = String::new();
    for (key, body) in [
        (KEY, ada()),
        (KEY, {
            let mut other = ada();
            other["plan"] = json!("pro");
            other
        }),
    ] {
        shown += &sign_up(world.api(), key, &body).await.body.to_string();
    }
    shown += &sign_up(world.api_without_pool(), "yet-another-key-of-these", &ada()).await.body.to_string();
    shown += &world.facts().await.concat();
    for personal in ["Analytical", "Ada", "Lovelace", "engines", "Difference"] {
        assert!(!shown.contains(personal), "{personal} is shown");
    }
    let stored = format!("{:?}", world.stored().await);
    assert!(stored.contains("Lovelace") && !stored.contains("Difference"), "the password is stored nowhere");
}
