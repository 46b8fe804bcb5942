mod openapi;

use crate::adapters::Adapters;
use crate::handler::router;
use axum::Router;
use catalogue::Catalogue;
use central_store::{BillingTotal, CentralStore};
use contract::{
    Dependency, DependencyHealth, DependencyState, Envelope, EventCounts, HeartbeatReported,
    ReasonCounts, RegionBillingTotaled, RejectedCounts, Stream, TenantStatusChanged,
};
use fleet::{Heartbeat, Publication, decide_published_status};
use kernel::{Generation, Mode, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use outbox::Outbox;
use runtime::http::{Tokens, with_fallbacks};
use serde_json::{Value, json};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
const ODD_EVENTS: usize = 500;
const EVENT: &str = "0199a1f0-0000-7000-8000-ffff00000001";
const CLOSED: &str = "0199a1f0-0000-7000-8000-000000000002";
const SCOPES: [&str; 3] = [
    "meridian/operator.read",
    "meridian/operator.write",
    "usage/write",
];

struct Fixture {
    store: CentralStore,
    router: Router,
    outbox: Outbox,
    reader_token: String,
    writer_token: String,
    usage_token: String,
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let store = CentralStore::new(&aws.config, testkit::table(&aws, false).await);
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    seed(&outbox, &store).await;
    let pool = testkit::user_pool(&aws, &SCOPES).await;
    let tokens = Tokens::new(&aws.config, &pool.id, pool.machine_client_id.clone()).unwrap();
    Fixture {
        router: with_fallbacks(router(Adapters {
            store: store.clone(),
            outbox: outbox.clone(),
            tokens,
        })),
        store,
        outbox,
        reader_token: testkit::machine_token(&aws, &pool, SCOPES[0]).await,
        writer_token: testkit::machine_token(&aws, &pool, SCOPES[1]).await,
        usage_token: testkit::machine_token(&aws, &pool, SCOPES[2]).await,
    }
}

/// A tenant in eu-central-1, which is healthy at 10:02, and totals of ap-south-1, which never sent
/// a heartbeat.
async fn seed(outbox: &Outbox, store: &CentralStore) {
    let eu: RegionCode = "eu-central-1".parse().unwrap();
    let now = "2026-11-03T10:00:30Z".parse().unwrap();
    seed_tenant(outbox, store, TENANT, TenantStatus::Active).await;
    store
        .record_heartbeat(
            &eu,
            &Heartbeat {
                sequence: 3,
                occurred_at: now,
                report: report(),
            },
        )
        .await
        .unwrap();
    let total = RegionBillingTotaled {
        period: "2026-10".parse().unwrap(),
        invoices: 6,
        totals: Vec::new(),
        events: 12_000,
    };
    let published = BillingTotal { sequence: 1, total };
    store
        .record_billing_total(&"ap-south-1".parse().unwrap(), &published)
        .await
        .unwrap();
}

async fn seed_tenant(outbox: &Outbox, store: &CentralStore, tenant: &str, status: TenantStatus) {
    let tenant: TenantId = tenant.parse().unwrap();
    let published = Envelope {
        id: EVENT.parse().unwrap(),
        region: "eu-central-1".parse().unwrap(),
        stream: Stream::Tenant(tenant),
        sequence: 1,
        occurred_at: "2026-11-03T10:00:30Z".parse().unwrap(),
        data: TenantStatusChanged {
            tenant,
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "pro".parse().unwrap(),
            status,
            reason: StatusReason::Confirmed,
            revision: 1,
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
    store.update_tenant(outbox, tenant, decide).await.unwrap();
}

/// Tenants send malformed events; the provider's services send events of a tenant that is gone.
fn rejected() -> RejectedCounts {
    RejectedCounts {
        tenants: ReasonCounts {
            malformed: 30,
            ..ReasonCounts::default()
        },
        provider: ReasonCounts {
            unknown_tenant: 1,
            ..ReasonCounts::default()
        },
    }
}

fn report() -> HeartbeatReported {
    let table = Dependency::UsageTable;
    HeartbeatReported {
        mode: Mode::Regional,
        tenants: None,
        events: Some(EventCounts {
            accepted: 20_000,
            duplicates: 150,
            conflicts: 2,
            rejected: rejected(),
            not_stored: 4,
        }),
        outbox_waiting: 4,
        outbox_lag_ms: 700,
        usage_waiting: 0,
        usage_lag_ms: 0,
        dependencies: vec![DependencyHealth {
            dependency: table,
            state: DependencyState::Up,
            latency_ms: 3,
        }],
    }
}

impl Fixture {
    /// Sends a payload as the gateway would: (status, content type, body).
    async fn send(&self, payload: &Value) -> (u16, String, Value) {
        let is_read = payload["requestContext"]["http"]["method"] == "GET";
        let operator = if is_read {
            &self.reader_token
        } else {
            &self.writer_token
        };
        let payload = payload
            .to_string()
            .replace("operator-token", operator)
            .replace("reader-token", &self.reader_token)
            .replace("usage-token", &self.usage_token);
        let response = runtime::http::respond(self.router.clone(), &payload).await;
        let status = response.status().as_u16();
        let kind = response
            .headers()
            .get("content-type")
            .map_or("", |kind| kind.to_str().unwrap())
            .to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1_000_000)
            .await
            .unwrap();
        (
            status,
            kind,
            serde_json::from_slice(&body).unwrap_or_default(),
        )
    }
}

fn case(name: &str) -> Value {
    testkit::cases("fleet-api")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

/// One test, since the connection that reads the pool's keys belongs to the runtime that opened it.
#[tokio::test]
async fn requests_of_operators_are_answered() {
    let fixture = fixture().await;
    the_fleet_shows_each_region_as_of_now(&fixture).await;
    a_tenant_is_shown_with_its_policy(&fixture).await;
    a_suspension_is_published_once_and_lifted_once(&fixture).await;
    a_suspension_is_lifted_by_its_own_reason(&fixture).await;
    every_case_is_answered_or_refused_with_a_problem(&fixture).await;
    an_object_is_not_taken_by_position(&fixture).await;
    every_odd_event_gets_a_response(&fixture).await;
}

async fn an_object_is_not_taken_by_position(fixture: &Fixture) {
    for case in testkit::by_position("fleet-api") {
        let (status, _, body) = fixture.send(&case.payload).await;
        assert_eq!(
            (status, &body["type"]),
            (422, &json!("/problems/invalid-body")),
            "{}: {body}",
            case.name
        );
    }
}

async fn every_odd_event_gets_a_response(fixture: &Fixture) {
    let usual = testkit::cases("fleet-api")
        .into_iter()
        .map(|case| case.payload)
        .collect();
    let mut odd = testkit::OddEvents::new(1, usual);
    for _ in 0..ODD_EVENTS {
        let event = odd
            .next_event()
            .replace("operator-token", &fixture.writer_token);
        let status = runtime::http::respond(fixture.router.clone(), &event)
            .await
            .status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}

async fn every_case_is_answered_or_refused_with_a_problem(fixture: &Fixture) {
    seed_tenant(
        &fixture.outbox,
        &fixture.store,
        CLOSED,
        TenantStatus::Closed,
    )
    .await;
    for case in testkit::cases("fleet-api") {
        let (status, kind, body) = fixture.send(&case.payload).await;
        let expected = match case.name.as_str() {
            "invalid-no-token" | "invalid-foreign-token" => (401, "unauthorized"),
            "invalid-missing-scope"
            | "invalid-suspension-missing-scope"
            | "invalid-suspension-lifted-missing-scope" => (403, "missing-scope"),
            "invalid-tenant-id" | "invalid-tenant-id-not-text" => (400, "invalid-tenant-id"),
            "invalid-unknown-tenant" | "invalid-suspension-of-unknown-tenant" => {
                (404, "unknown-tenant")
            }
            "invalid-suspension-of-closed-tenant" => (409, "tenant-closed"),
            "invalid-suspension-reason" | "invalid-suspension-with-note" => (422, "invalid-body"),
            "invalid-suspension-lifted-reason" | "invalid-suspension-lifted-without-reason" => {
                (422, "invalid-reason")
            }
            "valid-suspension" | "valid-suspension-lifted" => (202, ""),
            "invalid-path" => (404, "not-found"),
            "invalid-host" => (400, "malformed-request"),
            "invalid-method" => (405, "method-not-allowed"),
            _ => (200, ""),
        };
        assert_eq!(
            case.is_valid(),
            expected.0 < 300,
            "{} is expected as it is named",
            case.name
        );
        let slug = body["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        assert_eq!((status, slug), expected, "{}: {body}", case.name);
        testkit::openapi::assert_described(
            testkit::openapi::Api::Operator,
            &case.payload,
            status,
            slug,
        );
        let kind_expected = if case.is_valid() {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(kind, kind_expected, "{}", case.name);
    }
}

async fn the_fleet_shows_each_region_as_of_now(fixture: &Fixture) {
    let (_, _, body) = fixture.send(&case("valid-fleet")).await;
    let [india, europe] = &body["regions"].as_array().unwrap()[..] else {
        panic!("{body}")
    };
    assert_eq!(body["as_of"], "2026-11-03T10:02:00Z");
    assert_eq!(india["status"], "unknown");
    assert_eq!(india["mode"], Value::Null);
    assert_eq!(
        india["incidents"],
        json!([{ "condition": "silent", "since": "2026-11-03T10:02:00Z" }])
    );
    assert_eq!(india["billing"][0]["invoices"], 6);
    assert_eq!(europe["status"], "healthy");
    assert_eq!(europe["mode"], "regional");
    assert_eq!(europe["last_heartbeat_age_seconds"], 90);
    assert_eq!(
        europe["tenants"],
        json!({ "pending": 0, "active": 1, "other": 0, "closed": 0 })
    );
    let events = &europe["events"];
    let counts = ["accepted", "duplicates", "conflicts", "not_stored"]
        .map(|name| events[name].as_u64().unwrap());
    assert_eq!(counts, [20_000, 150, 2, 4]);
    let rejected = &events["rejected"];
    assert_eq!(
        (
            &rejected["tenants"]["malformed"],
            &rejected["tenants"]["unknown_tenant"]
        ),
        (&json!(30), &json!(0))
    );
    assert_eq!(
        (
            &rejected["provider"]["malformed"],
            &rejected["provider"]["unknown_tenant"]
        ),
        (&json!(0), &json!(1))
    );
    assert_eq!(europe["outbox"], json!({ "waiting": 4, "lag_ms": 700 }));
    assert_eq!(
        europe["unapplied_policies"],
        json!({ "waiting": 1, "stuck": 0 })
    );

    // No monitor ran in between, and yet a region that fell silent is not shown as healthy.
    let mut later = case("valid-fleet");
    later["requestContext"]["timeEpoch"] = json!(1_793_700_300_000_i64);
    let (_, _, body) = fixture.send(&later).await;
    assert_eq!(body["regions"][1]["status"], "unknown");
    assert_eq!(
        fixture
            .store
            .load_region("eu-central-1".parse().unwrap())
            .await
            .unwrap()
            .incidents
            .generation,
        Generation::NONE
    );
}

async fn a_tenant_is_shown_with_its_policy(fixture: &Fixture) {
    let (_, _, body) = fixture.send(&case("valid-tenant")).await;
    assert_eq!(
        (&body["region"], &body["status"]),
        (&json!("eu-central-1"), &json!("active"))
    );
    assert_eq!(body["policy"]["desired"]["version"], 1);
    assert_eq!(body["policy"]["applied_version"], 0);
    assert_eq!(body["policy"]["is_applied"], false);
    assert_eq!(body["policy"]["next_resend_at"], "2026-11-03T10:02:30Z");
    assert_eq!(body["policy"]["desired"]["suspension"], Value::Null);
    assert_eq!(
        (&body["policy"]["refused_plan"], body.get("erased_at")),
        (&Value::Null, None)
    );
}

async fn a_suspension_is_published_once_and_lifted_once(fixture: &Fixture) {
    let sent = async || {
        fixture
            .outbox
            .unpublished(Timestamp::MAX, 100)
            .await
            .unwrap()
            .len()
    };
    let before = sent().await;
    for (name, suspension, version) in [
        ("valid-suspension", json!("operator"), 2),
        ("valid-suspension-lifted", Value::Null, 3),
    ] {
        for _ in 0..2 {
            let (status, _, body) = fixture.send(&case(name)).await;
            let desired = &body["policy"]["desired"];
            assert_eq!(
                (status, &desired["suspension"], &desired["version"]),
                (202, &suspension, &json!(version))
            );
            // The region has not acknowledged the policy yet.
            assert_eq!(
                (&body["status"], &body["policy"]["applied_version"]),
                (&json!("active"), &json!(0))
            );
        }
    }
    assert_eq!(sent().await, before + 2);
}

async fn a_suspension_is_lifted_by_its_own_reason(fixture: &Fixture) {
    let mut dunning = case("valid-suspension");
    dunning["body"] = json!(r#"{"reason": "dunning"}"#);
    let mut paid = case("valid-suspension-lifted");
    paid["rawQueryString"] = json!("reason=dunning");
    paid["queryStringParameters"] = json!({ "reason": "dunning" });
    for (payload, suspension, reasons) in [
        (
            case("valid-suspension"),
            json!("operator"),
            json!(["operator"]),
        ),
        (dunning, json!("operator"), json!(["operator", "dunning"])),
        (paid, json!("operator"), json!(["operator"])),
        (case("valid-suspension-lifted"), Value::Null, json!([])),
    ] {
        let (status, _, body) = fixture.send(&payload).await;
        let policy = &body["policy"];
        assert_eq!(
            (
                status,
                &policy["desired"]["suspension"],
                &policy["suspended_by"]
            ),
            (202, &suspension, &reasons)
        );
    }
}
