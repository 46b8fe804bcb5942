mod clients;
mod corrections;
mod forms;
mod fuzz;
pub(crate) mod openapi;
mod tenants;
mod throttled;

use crate::adapters::Adapters;
use crate::handler::router;
use crate::known::KnownTenants;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use catalogue::Catalogue;
use contract::{ReasonCounts, RejectedCounts};
use futures::future::join_all;
use runtime::http::{Tokens, with_fallbacks};
use serde_json::{Value, json};
use testkit::openapi::{Api, assert_described};
use testkit::{LocalAws, Pool};
use usage_store::{SegmentWriter, TermsReader, UsageMonitor, UsageReader};

const SCOPES: [&str; 2] = ["usage/write", "meridian/operator.read"];
const TENANTS: [(&str, &str); 4] = [
    ("0199a1f0-0000-7000-8000-000000000001", "active"),
    ("0199a1f0-0000-7000-8000-000000000002", "suspended"),
    ("0199a1f0-0000-7000-8000-000000000003", "pending"),
    ("0199a1f0-0000-7000-8000-000000000004", "closed"),
];

/// The default time at which the tenants became active.
const ACTIVATED_AT: &str = "2020-01-20T12:00:00Z";

#[derive(Clone)]
struct World {
    aws: LocalAws,
    pool: Pool,
    client: Client,
    usage_table: String,
    regional_table: String,
    router: Router,
    monitor: UsageMonitor,
    usage_token: String,
    operator_token: String,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let regional_table = testkit::table(&aws, false).await;
    let usage_table = testkit::table(&aws, false).await;
    let pool = testkit::user_pool(&aws, &SCOPES).await;
    let tokens = Tokens::new(&aws.config, &pool.id, pool.machine_client_id.clone()).unwrap();
    let world = World {
        aws: aws.clone(),
        pool: pool.clone(),
        client: Client::new(&aws.config),
        router: function(&aws, tokens, &regional_table, &usage_table),
        monitor: UsageMonitor::new(&aws.config, usage_table.clone()),
        usage_table,
        regional_table,
        usage_token: testkit::machine_token(&aws, &pool, SCOPES[0]).await,
        operator_token: testkit::machine_token(&aws, &pool, SCOPES[1]).await,
    };
    for (tenant, status) in TENANTS {
        world.put_tenant(tenant, status).await;
    }
    world
}

fn function(aws: &LocalAws, tokens: Tokens, regional_table: &str, usage_table: &str) -> Router {
    let tenants = TermsReader::new(&aws.config, regional_table.to_owned());
    let usage = UsageReader::new(&aws.config, usage_table.to_owned());
    routes(
        tokens,
        tenants,
        SegmentWriter::new(&aws.config, usage_table.to_owned()),
        usage,
    )
}

fn routes(
    tokens: Tokens,
    tenants: TermsReader,
    segment_writer: SegmentWriter,
    usage: UsageReader,
) -> Router {
    let tenants = KnownTenants::new(tenants);
    with_fallbacks(router(Adapters {
        tokens,
        catalogue: Catalogue::bundled().unwrap(),
        tenants,
        segment_writer,
        usage,
    }))
}

/// An answer: status, content type, `retry-after`, `accept-encoding`, body.
struct Answer {
    status: u16,
    kind: String,
    retry_after: Option<String>,
    accept_encoding: Option<String>,
    body: Value,
}

impl World {
    fn tokens(&self) -> Tokens {
        Tokens::new(
            &self.aws.config,
            &self.pool.id,
            self.pool.machine_client_id.clone(),
        )
        .unwrap()
    }

    async fn put_tenant(&self, tenant: &str, status: &str) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let put = self.client.put_item().table_name(&self.regional_table);
        put.item("pk", text(&format!("TENANT#{tenant}")))
            .item("sk", text("TENANT"))
            .item("tenant", text(tenant))
            .item("status", text(status))
            .item("activated_at", text(ACTIVATED_AT))
            .send()
            .await
            .unwrap();
    }

    /// Sets a tenant's billing anchor.
    async fn begin_days(&self, tenant: &str, anchor: &str) {
        self.set(tenant, "billing_anchor", anchor).await;
    }

    /// Sets the time of a tenant's activation.
    async fn activate(&self, tenant: &str, at: &str) {
        self.set(tenant, "activated_at", at).await;
    }

    async fn set(&self, tenant: &str, attribute: &str, value: &str) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let update = self.client.update_item().table_name(&self.regional_table);
        let update = update
            .key("pk", text(&format!("TENANT#{tenant}")))
            .key("sk", text("TENANT"));
        let update = update.update_expression("SET #attribute = :value");
        let update = update.expression_attribute_names("#attribute", attribute);
        update
            .expression_attribute_values(":value", text(value))
            .send()
            .await
            .unwrap();
    }

    /// Sends a payload as the gateway would. Asserts that the document describes the answer.
    async fn send(&self, payload: &Value) -> Answer {
        let payload = payload
            .to_string()
            .replace("usage-token", &self.usage_token)
            .replace("operator-token", &self.operator_token);
        let response = runtime::http::respond(self.router.clone(), &payload).await;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (status, kind) = (
            response.status().as_u16(),
            header("content-type").unwrap_or_default(),
        );
        let (retry_after, accept_encoding) = (header("retry-after"), header("accept-encoding"));
        let body = axum::body::to_bytes(response.into_body(), 6_000_000)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let slug = body["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let sent: Value = serde_json::from_str(&payload).unwrap();
        assert_described(Api::Regional, &sent, status, slug);
        Answer {
            status,
            kind,
            retry_after,
            accept_encoding,
            body,
        }
    }

    /// The number of stored items whose partition begins with a prefix.
    async fn stored(&self, prefix: &str) -> usize {
        let scanned = self
            .client
            .scan()
            .table_name(&self.usage_table)
            .consistent_read(true)
            .send()
            .await
            .unwrap();
        scanned
            .items()
            .iter()
            .filter(|item| item["pk"].as_s().unwrap().starts_with(prefix))
            .count()
    }
}

fn case(name: &str) -> Value {
    testkit::cases("usage-ingest")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

fn batch(events: &[Value]) -> Value {
    let mut payload = case("valid-empty-batch");
    payload["body"] = json!(serde_json::to_string(events).unwrap());
    payload
}

fn event(tenant: &str, id: &str) -> Value {
    json!({ "specversion": "1.0", "type": "api.request", "source": "/gateway", "id": id, "subject": tenant,
        "time": "2026-11-03T09:00:00Z" })
}

#[tokio::test]
async fn every_case_has_its_expected_answer() {
    let world = world().await;
    for case in testkit::cases("usage-ingest") {
        let answer = world.send(&case.payload).await;
        let expected = match case.name.as_str() {
            "invalid-no-token"
            | "invalid-foreign-token"
            | "invalid-openmeter-no-token"
            | "invalid-correction-no-token" => (401, "unauthorized"),
            "invalid-missing-scope" | "invalid-correction-missing-scope" => (403, "missing-scope"),
            "invalid-correction-not-reversible"
            | "invalid-correction-reason"
            | "invalid-correction-by-key-of-nothing" => (422, "corrections-refused"),
            "invalid-correction-shape" | "invalid-correction-unknown-member" => {
                (400, "unexpected-form")
            }
            "invalid-correction-malformed-json" => (400, "malformed-json"),
            "invalid-correction-too-many" => (413, "too-many-corrections"),
            "invalid-corrections-of-nobody" => (400, "invalid-tenant"),
            "invalid-corrections-cursor" => (400, "invalid-cursor"),
            "invalid-corrections-of-closed-tenant" => (404, "unknown-tenant"),
            "invalid-content-type" | "invalid-binary-content-type" => {
                (415, "unsupported-content-type")
            }
            "invalid-content-encoding" => (415, "unsupported-content-encoding"),
            "invalid-malformed-json" | "invalid-binary-data" => (400, "malformed-json"),
            "invalid-gzip" | "invalid-gzip-plain" => (400, "malformed-gzip"),
            "invalid-single-as-batch" => (400, "unexpected-form"),
            "invalid-too-many-events" => (413, "too-many-events"),
            "invalid-gzip-bomb" => (413, "body-too-large"),
            "invalid-host" => (400, "malformed-request"),
            "invalid-method" => (405, "method-not-allowed"),
            name if name.starts_with("invalid-") => (422, "events-refused"),
            name if name.starts_with("valid-openmeter-") => (204, ""),
            name if name.starts_with("valid-correction-") || name == "valid-correction" => {
                (202, "")
            }
            _ => (200, ""),
        };
        assert_eq!(
            case.is_valid(),
            expected.0 < 300,
            "{} is expected as it is named",
            case.name
        );
        let slug = answer.body["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        assert_eq!(
            (answer.status, slug),
            expected,
            "{}: {}",
            case.name,
            answer.body
        );
        let kind = match answer.status {
            204 => "",
            200 | 202 => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(answer.kind, kind, "{}", case.name);
    }
}

#[tokio::test]
async fn a_batch_names_each_refused_event_and_stores_the_rest() {
    let world = world().await;
    let answer = world.send(&case("valid-batch-with-refusals")).await;
    assert_eq!(answer.body["accepted"], 3);
    let refused: Vec<_> = answer.body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            (
                r["index"].as_u64().unwrap(),
                r["id"].as_str().unwrap_or_default(),
                r["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        refused,
        [
            (3, "evt-0004", "unknown-meter"),
            (4, "evt-0005", "invalid-tenant"),
            (5, "evt-0006", "unknown-tenant"),
            (6, "evt-0007", "negative-value"),
            (7, "evt-0008", "invalid-value"),
            (8, "evt-0009", "time-in-future"),
            (9, "evt-0010", "time-too-old"),
            (10, "evt-0011", "unsupported-version"),
            (11, "", "missing-field"),
            (12, "", "not-an-object"),
        ]
    );
    assert_eq!(
        (
            world.stored("SEGMENT#").await,
            world.stored("PENDING#").await
        ),
        (2, 2),
        "one per tenant"
    );
    let rejected = world.monitor.counts().await.unwrap().rejected;
    let provider = ReasonCounts {
        malformed: 4,
        unknown_meter: 1,
        unknown_tenant: 1,
        out_of_time: 2,
        invalid_value: 2,
        ..ReasonCounts::default()
    };
    assert_eq!(
        rejected,
        RejectedCounts {
            provider,
            ..RejectedCounts::default()
        }
    );
}

#[tokio::test]
async fn a_refused_request_stores_nothing() {
    let world = world().await;
    for case in testkit::cases("usage-ingest")
        .into_iter()
        .filter(|case| !case.is_valid())
    {
        world.send(&case.payload).await;
        assert_eq!(
            (
                world.stored("SEGMENT#").await,
                world.stored("PENDING#").await
            ),
            (0, 0),
            "{}",
            case.name
        );
    }
}

#[tokio::test]
async fn the_largest_batch_of_many_tenants_is_stored_in_full() {
    let world = world().await;
    let tenants: Vec<String> = (0..120)
        .map(|n| format!("0199a1f0-0000-7000-8000-0000000a{n:04}"))
        .collect();
    join_all(
        tenants
            .iter()
            .map(|tenant| world.put_tenant(tenant, "active")),
    )
    .await;
    let events: Vec<Value> = (0..1_000)
        .map(|n| event(&tenants[n % 120], &format!("e{n}")))
        .collect();
    let answer = world.send(&batch(&events)).await;
    assert_eq!(
        (answer.status, answer.body["accepted"].as_u64()),
        (200, Some(1_000)),
        "{}",
        answer.body
    );
    assert_eq!(
        (
            world.stored("SEGMENT#").await,
            world.stored("PENDING#").await
        ),
        (120, 120)
    );
    assert_eq!(world.monitor.backlog().await.unwrap().pending, 120);
}

#[tokio::test]
async fn events_that_are_not_stored_are_not_acknowledged() {
    let world = world().await;
    world
        .client
        .delete_table()
        .table_name(&world.usage_table)
        .send()
        .await
        .unwrap();
    let answer = world.send(&batch(&[event(TENANTS[0].0, "e")])).await;
    assert_eq!(
        (answer.status, answer.retry_after.as_deref()),
        (503, Some("2")),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["type"], "/problems/usage-unavailable");
}

#[tokio::test]
async fn no_text_of_a_client_is_stored() {
    let world = world().await;
    let canary = "jane.doe@example.com";
    let mut full = event(TENANTS[0].0, &format!("{canary}-id"));
    for (attribute, value) in [
        ("source", json!(canary)),
        ("person", json!(canary)),
        ("data", json!({ "note": canary })),
    ] {
        full[attribute] = value;
    }
    let refused = json!({ "specversion": "1.0", "type": canary, "source": canary, "id": canary, "subject": canary });
    let answer = world.send(&batch(&[full, refused])).await;
    assert_eq!(
        (answer.status, answer.body["accepted"].as_u64()),
        (200, Some(1)),
        "{}",
        answer.body
    );
    let scanned = world
        .client
        .scan()
        .table_name(&world.usage_table)
        .send()
        .await
        .unwrap();
    assert_eq!(
        scanned.count(),
        3,
        "a marker, a segment and the count of refused events"
    );
    for value in scanned.items().iter().flat_map(|item| item.values()) {
        let bytes = match value {
            AttributeValue::S(text) | AttributeValue::N(text) => text.clone().into_bytes(),
            AttributeValue::B(blob) => blob.as_ref().to_vec(),
            other => format!("{other:?}").into_bytes(),
        };
        assert!(!bytes.windows(8).any(|part| part == b"jane.doe"));
    }
}
