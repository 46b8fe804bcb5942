mod handover;
mod home;
mod keys;
mod openapi;
mod region;

use crate::adapters::Adapters;
use crate::handler::router;
use crate::listing::Listing;
use axum::Router;
use catalogue::Catalogue;
use central_store::{CentralStore, Description};
use contract::{
    Envelope, HeartbeatReported, OnboardingProgressed, RegionDescribed, Step, StepName, StepState,
    Stream, TenantStatusChanged,
};
use fleet::{Heartbeat, Onboarding, Publication, decide_published_status};
use kernel::{Mode, OnboardingId, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use outbox::Outbox;
use region::FakeRegion;
use runtime::Forwarder;
use runtime::handover::Seal;
use runtime::http::{Tokens, with_fallbacks};
use serde_json::{Value, json};

const ODD_EVENTS: usize = 500;
const SCOPES: [&str; 2] = ["meridian/onboarding.write", "meridian/operator.read"];
/// The onboarding of the case `valid-read`.
const SEEDED: &str = "7d9b2c64-1f0e-4a57-9c3d-8e5f6a7b8c9d";

struct Fixture {
    store: CentralStore,
    table: String,
    outbox: Outbox,
    router: Router,
    west: FakeRegion,
    token: String,
    reader_token: String,
}

/// The fleet with a secret.
async fn fixture() -> Fixture {
    fixture_with("a secret of home and its regions").await
}

/// A fleet at 10:02: us-west-2 open, us-east-1 closed to new tenants, eu-central-1 and ap-south-1
/// of other modes.
async fn fixture_with(secret: &str) -> Fixture {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let store = CentralStore::new(&aws.config, table.clone());
    let west = FakeRegion::serve().await;
    let pool = testkit::user_pool(&aws, &SCOPES).await;
    // The token belongs to the second trusted client.
    let tokens = Tokens::new(&aws.config, &pool.id, "another-client".to_owned()).unwrap();
    let tokens = tokens.and(pool.machine_client_id.clone());
    let adapters = Adapters {
        store: store.clone(),
        tokens,
        forwarder: Forwarder::new().unwrap(),
        seal: Seal::new(secret),
        listing: Listing::default(),
    };
    let fixture = Fixture {
        router: with_fallbacks(router(adapters)),
        store,
        table,
        outbox: Outbox::new(&aws.config, testkit::table(&aws, false).await),
        west,
        token: testkit::machine_token(&aws, &pool, SCOPES[0]).await,
        reader_token: testkit::machine_token(&aws, &pool, SCOPES[1]).await,
    };
    fixture.describe("us-west-2", 1, |_| {}).await;
    fixture
        .describe("us-east-1", 1, |described| {
            described.accepts_new_tenants = false
        })
        .await;
    fixture
        .describe("eu-central-1", 1, |described| {
            described.mode = Mode::Regional
        })
        .await;
    fixture
        .describe("ap-south-1", 1, |described| {
            described.mode = Mode::Sovereign
        })
        .await;
    fixture
}

fn case(name: &str) -> Value {
    testkit::cases("fleet-onboarding")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A response: status, relevant headers and body.
struct Answer {
    status: u16,
    kind: String,
    cache: String,
    location: String,
    retry_after: String,
    body: Value,
}

impl Answer {
    fn slug(&self) -> &str {
        self.body["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }
}

impl Fixture {
    /// Publishes a description and a heartbeat of a region.
    async fn describe(&self, code: &str, sequence: u64, change: impl FnOnce(&mut RegionDescribed)) {
        let region: RegionCode = code.parse().unwrap();
        let mut described = RegionDescribed {
            name: format!("Somewhere ({code})").parse().unwrap(),
            jurisdiction: code[..2].parse().unwrap(),
            mode: Mode::Shared,
            signup_url: self.west.url.parse().unwrap(),
            accepts_new_tenants: true,
            capacity_tenants: None,
            location: Some("45.84,-119.7".parse().unwrap()),
        };
        change(&mut described);
        self.store
            .record_description(
                &region,
                &Description {
                    sequence,
                    described,
                },
            )
            .await
            .unwrap();
        let report = HeartbeatReported {
            mode: Mode::Shared,
            tenants: None,
            events: None,
            outbox_waiting: 0,
            outbox_lag_ms: 0,
            usage_waiting: 0,
            usage_lag_ms: 0,
            dependencies: Vec::new(),
        };
        let heartbeat = Heartbeat {
            sequence,
            occurred_at: at("2026-11-03T10:01:30Z"),
            report,
        };
        self.store
            .record_heartbeat(&region, &heartbeat)
            .await
            .unwrap();
    }

    /// Sends a payload as the gateway would.
    async fn send(&self, payload: &Value) -> Answer {
        let payload = payload
            .to_string()
            .replace("onboarding-token", &self.token)
            .replace("reader-token", &self.reader_token);
        let response = runtime::http::respond(self.router.clone(), &payload).await;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        let (kind, cache) = (header("content-type"), header("cache-control"));
        let (location, retry_after) = (header("location"), header("retry-after"));
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1_000_000)
            .await
            .unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer {
            status,
            kind,
            cache,
            location,
            retry_after,
            body,
        }
    }

    async fn read(&self, location: &str) -> Answer {
        let mut payload = case("valid-read");
        payload["rawPath"] = json!(location);
        self.send(&payload).await
    }

    /// The content of the central table, as text.
    async fn stored(&self) -> String {
        let aws = testkit::aws().await;
        let client = aws_sdk_dynamodb::Client::new(&aws.config);
        let found = client.scan().table_name(&self.table).send().await.unwrap();
        format!("{:?}", found.items())
    }

    /// Publishes a status of a tenant by its region.
    async fn publish_status(&self, tenant: &str, revision: u64, status: TenantStatus) {
        let tenant: TenantId = tenant.parse().unwrap();
        let published = Envelope {
            id: SEEDED.parse().unwrap(),
            region: "us-west-2".parse().unwrap(),
            stream: Stream::Tenant(tenant),
            sequence: revision,
            occurred_at: at("2026-11-03T10:02:00Z"),
            data: TenantStatusChanged {
                tenant,
                alias: "a2b3c4d5e6f7".parse().unwrap(),
                plan: "starter".parse().unwrap(),
                status,
                reason: StatusReason::SignedUp,
                revision,
            },
        };
        let catalogue = Catalogue::bundled().unwrap();
        let publication = Publication {
            event: published.id,
            now: published.occurred_at,
        };
        let decide = |current: Option<&fleet::Tenant>| {
            decide_published_status(current, &published, &catalogue, publication)
        };
        self.store
            .update_tenant(&self.outbox, tenant, decide)
            .await
            .unwrap();
    }

    /// Publishes the progress of an onboarding by its region, with this number of steps done.
    async fn progress(&self, onboarding: &str, tenant: &str, revision: u64, done: usize) {
        let names = [
            StepName::Registration,
            StepName::Identity,
            StepName::Confirmation,
            StepName::Activation,
        ];
        let state = |index| {
            if index < done {
                StepState::Done
            } else {
                StepState::Waiting
            }
        };
        let step = |(index, name)| Step {
            name,
            state: state(index),
            at: None,
            reason: None,
        };
        let progressed = OnboardingProgressed {
            onboarding: onboarding.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            steps: names.into_iter().enumerate().map(step).collect(),
            revision,
        };
        assert!(
            self.store
                .record_progress(&"us-west-2".parse().unwrap(), &progressed)
                .await
                .unwrap()
        );
    }

    async fn seed(&self, digest: &str, id: &str) {
        let id: OnboardingId = id.parse().unwrap();
        let onboarding =
            Onboarding::new(id, "us-west-2".parse().unwrap(), at("2026-11-03T10:00:00Z"));
        assert!(
            self.store
                .record_onboarding(digest, &onboarding)
                .await
                .unwrap()
        );
    }
}

#[tokio::test]
async fn an_object_is_not_taken_by_position() {
    let fixture = fixture().await;
    for case in testkit::by_position("fleet-onboarding") {
        let answer = fixture.send(&case.payload).await;
        // Home does not read the sign-up, but it has to be an object.
        let slug = if case.name.contains("/signup") {
            "invalid-signup"
        } else {
            "invalid-body"
        };
        let expected = (422, json!(format!("/problems/{slug}")));
        assert_eq!(
            (answer.status, answer.body["type"].clone()),
            expected,
            "{}: {}",
            case.name,
            answer.body
        );
    }
}

#[tokio::test]
async fn every_odd_event_gets_a_response() {
    let fixture = fixture().await;
    let usual = testkit::cases("fleet-onboarding")
        .into_iter()
        .map(|case| case.payload)
        .collect();
    let mut odd = testkit::OddEvents::new(1, usual);
    for _ in 0..ODD_EVENTS {
        let event = odd.next_event().replace("onboarding-token", &fixture.token);
        let status = runtime::http::respond(fixture.router.clone(), &event)
            .await
            .status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}

#[tokio::test]
async fn every_case_is_answered_or_refused_with_a_problem() {
    let fixture = fixture().await;
    fixture.seed("digest", SEEDED).await;
    for case in testkit::cases("fleet-onboarding") {
        let before = fixture.west.received().len();
        let answer = fixture.send(&case.payload).await;
        let expected = match case.name.as_str() {
            "invalid-no-token" | "invalid-foreign-token" => (401, "unauthorized"),
            "invalid-missing-scope" => (403, "missing-scope"),
            "invalid-key-missing" => (400, "idempotency-key-missing"),
            "invalid-key-malformed" => (400, "idempotency-key-malformed"),
            "invalid-malformed-json" => (400, "malformed-json"),
            "invalid-unknown-member" | "invalid-no-signup" => (422, "invalid-body"),
            "invalid-signup-no-object" => (422, "invalid-signup"),
            "invalid-beyond-the-globe" | "invalid-two-placements" => (422, "invalid-placement"),
            "invalid-unknown-region" => (422, "unknown-region"),
            "invalid-region-forbids" => (409, "region-forbids-central-onboarding"),
            "invalid-region-closed" => (409, "region-closed"),
            "invalid-no-region" => (409, "no-region"),
            "invalid-read-of-unknown-onboarding"
            | "invalid-read-of-no-id"
            | "invalid-read-of-no-text" => (404, "unknown-onboarding"),
            "invalid-path" => (404, "not-found"),
            "invalid-host" => (400, "malformed-request"),
            "invalid-method" => (405, "method-not-allowed"),
            "valid-openapi" | "valid-read" | "valid-regions" => (200, ""),
            "valid-page" | "valid-script" | "valid-style" => (200, ""),
            _ => (202, ""),
        };
        assert_eq!(
            case.is_valid(),
            expected.0 < 300,
            "{} is expected as it is named",
            case.name
        );
        assert_eq!(
            (answer.status, answer.slug()),
            expected,
            "{}: {}",
            case.name,
            answer.body
        );
        testkit::openapi::assert_described(
            testkit::openapi::Api::Home,
            &case.payload,
            answer.status,
            answer.slug(),
        );
        let kind = match case.name.as_str() {
            "valid-page" => "text/html; charset=utf-8",
            "valid-script" => "text/javascript; charset=utf-8",
            "valid-style" => "text/css; charset=utf-8",
            _ if case.is_valid() => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(answer.kind, kind, "{}", case.name);
        let handed_over = fixture.west.received().len() - before;
        assert_eq!(
            handed_over,
            usize::from(answer.status == 202),
            "{}",
            case.name
        );
    }
}

#[tokio::test]
async fn regions_are_listed_with_their_descriptions_only() {
    let fixture = fixture().await;
    fixture
        .describe("us-east-1", 2, |described| {
            (described.capacity_tenants, described.location) = (Some(9), None)
        })
        .await;
    let answer = fixture.send(&case("valid-regions")).await;
    assert_eq!(answer.cache, "public, max-age=60");
    let codes = answer.body["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| region["code"].as_str().unwrap());
    assert_eq!(
        codes.collect::<Vec<_>>(),
        ["ap-south-1", "eu-central-1", "us-east-1", "us-west-2"]
    );
    let url = &fixture.west.url;
    let west = json!({
        "code": "us-west-2", "name": "Somewhere (us-west-2)", "jurisdiction": "us", "mode": "shared",
        "signup_url": url, "accepts_new_tenants": true, "location": { "latitude": 45.84, "longitude": -119.7 },
    });
    assert_eq!(answer.body["regions"][3], west);
    let east = json!({
        "code": "us-east-1", "name": "Somewhere (us-east-1)", "jurisdiction": "us", "mode": "shared",
        "signup_url": url, "accepts_new_tenants": true,
    });
    assert_eq!(answer.body["regions"][2], east);
}

#[tokio::test]
async fn the_list_of_regions_is_read_again_after_half_a_minute() {
    let fixture = fixture().await;
    let is_open = async |milliseconds: i64| {
        let mut payload = case("valid-regions");
        let time = &mut payload["requestContext"]["timeEpoch"];
        *time = json!(time.as_i64().unwrap() + milliseconds);
        fixture.send(&payload).await.body["regions"][3]["accepts_new_tenants"]
            .as_bool()
            .unwrap()
    };
    assert!(is_open(0).await);
    fixture
        .describe("us-west-2", 2, |described| {
            described.accepts_new_tenants = false
        })
        .await;
    assert!(is_open(29_999).await);
    assert!(!is_open(30_000).await);
    fixture.describe("us-west-2", 3, |_| {}).await;
    // A response to an earlier request never contains later data.
    assert!(is_open(29_999).await);
}

#[tokio::test]
async fn an_onboarding_follows_its_regions_events() {
    let fixture = fixture().await;
    fixture.seed("digest", SEEDED).await;
    let seeded = fixture.send(&case("valid-read")).await;
    let expected = json!({
        "id": SEEDED, "region": "us-west-2", "state": "forwarding", "next": "repeat-onboarding", "steps": [],
    });
    assert_eq!((seeded.body, seeded.cache.as_str()), (expected, "no-store"));

    let accepted = fixture.send(&case("valid-in-region")).await;
    let id = accepted.body["id"].as_str().unwrap();
    let tenant = accepted.body["signup"]["operation"]["tenant"]
        .as_str()
        .unwrap();
    let shown = async || {
        let answer = fixture.read(&accepted.location).await;
        assert!(answer.body.get("signup").is_none() && answer.body.get("tenant").is_none());
        let of = |member: &str| answer.body[member].as_str().unwrap().to_owned();
        (
            of("state"),
            of("next"),
            answer.body["steps"].as_array().unwrap().len(),
        )
    };
    let expect = |state: &str, next: &str, steps| (state.to_owned(), next.to_owned(), steps);
    assert_eq!(shown().await, expect("waiting", "follow-sign-up", 0));
    fixture.progress(id, tenant, 1, 2).await;
    assert_eq!(shown().await, expect("waiting", "confirm", 4));
    fixture.progress(id, tenant, 2, 4).await;
    assert_eq!(shown().await, expect("done", "sign-in", 4));
    fixture
        .publish_status(tenant, 5, TenantStatus::Closed)
        .await;
    assert_eq!(shown().await, expect("ended", "none", 4));
}
