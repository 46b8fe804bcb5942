mod invitations;
mod life;
mod mails;
pub(crate) mod openapi;
mod pool;
mod repetition;

use crate::adapters::{Adapters, Limits};
use crate::handler::router;
use aws_sdk_cognitoidentityprovider::types::{PasswordPolicyType, UserPoolPolicyType};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use contract::TenantCounts;
use futures::future::join_all;
use identity::{Identity, Mailing};
use kernel::{Mode, SignupId};
use local_aws::sdk::mailbox;
use runtime::handover::Seal;
use runtime::http::Tokens;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use tenancy::{Documents, Requirements, SignUp, Username, Voucher};
use tenant_store::MailTally;
use tenantkit::{Newcomer, People, Region};
use testkit::openapi::{Api, assert_described};
use testkit::{Case, OddEvents};

/// The pool of these tests has no trigger that checks the voucher.
const VOUCHER: Voucher = Voucher::from_random([7; 16]);
/// The code that the emulator mails.
const CODE: &str = "123456";
/// The id of the sign-up that the events of `events/signup-api` read and confirm.
const SIGNUP: &str = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d";
/// The secret with which home proves its identity.
const SECRET: &str = "a secret of home and its regions";
const KEY: &str = "a-key-of-the-tests-own";
/// The items of a sign-up: key, alias, sign-up, tenant, user, membership, audit entry, expiry task.
const ITEMS: usize = 8;
const ODD_EVENTS: usize = 300;

/// A region with its own tables, user pool and API.
struct World {
    region: Region,
    people: People,
    limits: Limits,
    /// The mails that an address gets in an hour.
    mails: u64,
    mode: Mode,
    accepts_new_tenants: bool,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl World {
    async fn new() -> Self {
        Self::of(tenantkit::region().await).await
    }

    async fn of(region: Region) -> Self {
        let people = region.people().await;
        let limits = Limits { per_source: 1_000 };
        Self {
            region,
            people,
            limits,
            mails: 3_000,
            mode: Mode::Regional,
            accepts_new_tenants: true,
        }
    }

    fn api(&self) -> Router {
        self.api_with(self.people.identity.clone())
    }

    fn api_with(&self, identity: Identity) -> Router {
        let Region {
            aws,
            catalogue,
            settings,
            tenants,
            code,
            ..
        } = &self.region;
        let pool = &self.people.pool;
        runtime::http::with_fallbacks(router(Adapters {
            region: code.clone(),
            mode: self.mode,
            accepts_new_tenants: self.accepts_new_tenants,
            catalogue: catalogue.clone(),
            settings: *settings,
            addresses: "https://{alias}.app.example.com".parse().unwrap(),
            requirements: Requirements {
                documents: Documents {
                    terms: "1".parse().unwrap(),
                    data_processing: "1".parse().unwrap(),
                },
                disposable: "mailinator.com".parse().unwrap(),
            },
            limits: self.limits,
            mails: MailTally::new(tenants.reader().clone(), self.mails),
            tenants: tenants.clone(),
            identity,
            tokens: Tokens::new(&aws.config, &pool.id, pool.client_id.clone()).unwrap(),
            seal: Seal::new(SECRET),
        }))
    }

    /// The API with a user pool that does not answer.
    fn api_without_pool(&self) -> Router {
        let config = self
            .region
            .aws
            .config
            .to_builder()
            .endpoint_url("http://127.0.0.1:9")
            .build();
        let pool = &self.people.pool;
        self.api_with(Identity::new(
            &config,
            pool.id.clone(),
            pool.client_id.clone(),
        ))
    }

    fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        aws_sdk_cognitoidentityprovider::Client::new(&self.region.aws.config)
    }

    async fn accounts(&self) -> usize {
        self.cognito()
            .list_users()
            .user_pool_id(&self.people.pool.id)
            .send()
            .await
            .unwrap()
            .users()
            .len()
    }

    /// Everything stored, except counts, limits and vouchers.
    async fn stored(&self) -> Vec<HashMap<String, AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(&self.region.aws.config);
        let scanned = client
            .scan()
            .table_name(&self.region.regional_table)
            .send()
            .await
            .unwrap();
        let mut items = scanned.items.unwrap_or_default();
        let text =
            |item: &HashMap<String, AttributeValue>, name: &str| item[name].as_s().unwrap().clone();
        items.retain(|item| {
            !["STATS#", "LIMIT#"]
                .iter()
                .any(|kind| text(item, "pk").starts_with(kind))
        });
        items.retain(|item| !text(item, "sk").starts_with("VOUCHER#"));
        items.sort_by_key(|item| (text(item, "pk"), text(item, "sk")));
        items
    }

    async fn counts(&self) -> TenantCounts {
        self.region.tenants.reader().counts().await.unwrap()
    }

    /// The statuses published so far.
    async fn events(&self) -> Vec<String> {
        self.region
            .published("TenantStatusChanged.v1")
            .await
            .iter()
            .map(Value::to_string)
            .collect()
    }

    /// Stores the registration of the request that [`ada`] sends, as the API's first step does.
    async fn register(&self) -> SignUp {
        self.region.register(&Newcomer::ada()).await
    }

    /// Creates the account, as the API's second step does, and does not store that.
    async fn make_account(&self, made: &SignUp) {
        let password = Newcomer::ada().password.parse().unwrap();
        self.people
            .identity
            .sign_up(
                made.user.username,
                &made.user.email,
                &password,
                Mailing::AtOnce,
                &VOUCHER,
            )
            .await
            .unwrap();
    }

    /// Creates the account and stores that.
    async fn complete(&self, made: &SignUp) {
        let ada = Newcomer::ada();
        self.region
            .make_account(&self.people, made, &ada.password, ada.at)
            .await;
    }
}

fn ada() -> Value {
    Newcomer::ada().request()
}

/// Sends a request as API Gateway does, and asserts that the API document describes the response.
async fn invoke(api: Router, payload: &Value) -> Answer {
    let response = runtime::http::respond(api, &payload.to_string()).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    };
    assert_described(Api::Regional, payload, answer.status, slug(&answer).1);
    answer
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
    invoke(
        api,
        &request(
            "POST",
            &format!("/signups/{id}/confirmation"),
            None,
            &json!({ "code": code }),
        ),
    )
    .await
}

fn case(name: &str) -> Case {
    testkit::cases("signup-api")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
}

/// The operation that a response shows, without the member `password`.
fn operation(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("password");
    body
}

fn slug(answer: &Answer) -> (u16, &str) {
    let kind = answer.body["type"].as_str().unwrap_or_default();
    (answer.status, kind.rsplit('/').next().unwrap())
}

/// Each file of `events/signup-api`, on a region whose sign-up expects its code.
#[tokio::test]
async fn every_event_gets_its_response() {
    let expected = |name: &str| match name {
        "valid-signup" | "valid-signup-with-region" | "valid-resend" | "valid-trapped" => (202, ""),
        "valid-form" | "valid-read" | "valid-confirmation" | "valid-openapi" => (200, ""),
        "invalid-key-missing" => (400, "idempotency-key-missing"),
        "invalid-key-malformed" => (400, "idempotency-key-malformed"),
        "invalid-malformed-json" => (400, "malformed-json"),
        "invalid-unknown-field" | "invalid-wrong-type" => (422, "invalid-body"),
        "invalid-every-field"
        | "invalid-unknown-plan"
        | "invalid-malformed-code"
        | "invalid-disposable-address"
        | "invalid-outdated-terms"
        | "invalid-acceptance-fields" => (422, "invalid-fields"),
        "invalid-central-onboarding" => (409, "region-forbids-central-onboarding"),
        "invalid-retry-of-nothing" => (409, "nothing-to-retry"),
        "invalid-acceptance-code" | "invalid-acceptance-unknown" => (404, "no-invitation"),
        "invalid-weak-password" => (422, "weak-password"),
        "invalid-other-region" => (422, "other-region"),
        "invalid-body-too-large" => (413, "body-too-large"),
        "invalid-wrong-code" => (422, "wrong-code"),
        "invalid-confirmation-of-unknown-signup"
        | "invalid-read-of-unknown-signup"
        | "invalid-read-of-no-id"
        | "invalid-resend-of-unknown-signup" => (404, "unknown-signup"),
        "invalid-host" => (400, "malformed-request"),
        "invalid-method" => (405, "method-not-allowed"),
        "invalid-path" => (404, "not-found"),
        other => panic!("{other} has no expected answer"),
    };
    for Case { name, payload } in testkit::cases("signup-api") {
        let world = World::new().await;
        let made = world.register().await;
        world.complete(&made).await;
        let before = world.stored().await;
        let answer = invoke(world.api(), &payload).await;
        assert_eq!(slug(&answer), expected(&name), "{name}: {}", answer.body);
        if answer.status >= 400 {
            assert_eq!(
                answer.headers["content-type"], "application/problem+json",
                "{name}"
            );
        }
        if answer.status >= 400 || name == "valid-trapped" {
            assert_eq!(world.stored().await, before, "{name} writes nothing");
        }
    }
}

#[tokio::test]
async fn a_json_array_is_not_accepted_as_an_object() {
    let world = World::new().await;
    for Case { name, payload } in testkit::by_position("signup-api") {
        let answer = invoke(world.api(), &payload).await;
        assert_eq!(
            slug(&answer),
            (422, "invalid-body"),
            "{name}: {}",
            answer.body
        );
    }
    assert_eq!(world.stored().await.len(), 0);
}

#[tokio::test]
async fn every_odd_event_gets_a_response() {
    let world = World::new().await;
    let usual = testkit::cases("signup-api")
        .into_iter()
        .map(|case| case.payload)
        .collect();
    let mut odd = OddEvents::new(1, usual);
    for _ in 0..ODD_EVENTS {
        let event = odd.next_event();
        let status = runtime::http::respond(world.api(), &event).await.status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}

#[tokio::test]
async fn each_invalid_field_is_named_with_its_reason() {
    let world = World::new().await;
    let answer = invoke(world.api(), &case("invalid-every-field").payload).await;
    let fields: Vec<_> = answer.body["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["field"].clone())
        .collect();
    assert_eq!(
        json!(fields),
        json!([
            "organisation",
            "name",
            "email",
            "password",
            "plan",
            "terms",
            "data_processing",
            "region",
            "billing_anchor"
        ])
    );
    assert!(
        answer.body["fields"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["reason"].is_string())
    );
    assert_eq!(
        answer.body["documents"],
        json!({ "terms": "1", "data_processing": "1" }),
        "what to agree to"
    );
    let elsewhere = invoke(world.api(), &case("invalid-other-region").payload).await;
    assert_eq!(elsewhere.body["region"], "eu-central-1");
}

#[tokio::test]
async fn a_tenant_signs_up_confirms_and_is_active() {
    let world = World::new().await;
    let accepted = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(
        (
            accepted.status,
            &accepted.body["state"],
            &accepted.body["next"]
        ),
        (202, &json!("waiting"), &json!("confirm"))
    );
    let id = accepted.body["id"].as_str().unwrap();
    assert_eq!(accepted.headers["location"], format!("/signups/{id}"));
    assert_eq!(
        (&accepted.body["region"], &accepted.body["mode"]),
        (&json!("eu-central-1"), &json!("regional"))
    );
    assert_eq!(
        world.counts().await,
        TenantCounts {
            pending: 1,
            ..Default::default()
        }
    );

    assert_eq!(
        slug(&confirm(world.api(), id, "999999").await),
        (422, "wrong-code")
    );
    let confirmed = confirm(world.api(), id, CODE).await;
    assert_eq!(
        (confirmed.status, &confirmed.body["next"]),
        (200, &json!("sign-in"))
    );
    let steps = confirmed.body["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .all(|step| step["state"] == "done" && step["at"].is_string()),
        "{steps:?}"
    );
    assert_eq!(
        world.counts().await,
        TenantCounts {
            active: 1,
            ..Default::default()
        }
    );

    let read = invoke(
        world.api(),
        &request("GET", &format!("/signups/{id}"), None, &Value::Null),
    )
    .await;
    assert_eq!(read.body, confirmed.body);
    assert_eq!(
        confirm(world.api(), id, "000000").await.body,
        confirmed.body,
        "once confirmed, any code will do"
    );
    assert_eq!(world.events().await.len(), 2);
}

/// A known address gets the same response as a new one.
#[tokio::test]
async fn a_response_discloses_nothing_of_other_registrations() {
    let world = World::new().await;
    let first = sign_up(world.api(), KEY, &ada()).await;
    let again = sign_up(world.api(), "another-key-of-the-tests", &ada()).await;
    let members = |answer: &Answer| {
        answer
            .body
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (first.status, members(&first)),
        (again.status, members(&again))
    );
    let mut trapped = ada();
    trapped["website"] = json!("https://spam.example");
    let trapped = sign_up(world.api(), "a-key-of-a-careless-robot", &trapped).await;
    assert_eq!(
        (first.status, members(&first)),
        (trapped.status, members(&trapped)),
        "nor does the trap"
    );
    assert_ne!(
        (&first.body["id"], &first.body["username"]),
        (&again.body["id"], &again.body["username"])
    );
    let stranger = SignupId::from_uuid(runtime::new_uuid()).to_string();
    assert_eq!(
        slug(&confirm(world.api(), &stranger, CODE).await),
        (404, "unknown-signup")
    );
}

/// No response and no event holds what a person typed.
#[tokio::test]
async fn no_personal_data_leaves_the_region() {
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
    shown += &sign_up(world.api_without_pool(), "yet-another-key-of-these", &ada())
        .await
        .body
        .to_string();
    shown += &world.events().await.concat();
    for personal in ["Analytical", "Ada", "Lovelace", "engines", "Difference"] {
        assert!(!shown.contains(personal), "{personal} is shown");
    }
    let stored = format!("{:?}", world.stored().await);
    assert!(
        stored.contains("Lovelace") && !stored.contains("Difference"),
        "the password is stored nowhere"
    );
}
