mod calls;
mod discovery;
mod openapi;

use crate::adapters::{Adapters, Limits};
use crate::handler::router;
use crate::lookups::LookupQueue;
use crate::provider::Provider;
use axum::Router;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use calls::Calls;
use serde_json::{Value, json};
use tenancy::{Asker, SignUp};
use tenant_store::{Tally, TenantReader};
use tenantkit::{Newcomer, Region};
use testkit::openapi::{Api, assert_described};
use testkit::{Case, OddEvents};

const DISCOVERY: &str = "/.well-known/meridian";
const PATTERN: &str = "https://{alias}.app.example.com";
/// The limits of a source in these tests: unknown addresses, and lookups.
const LIMIT: u64 = 4;
const ODD_EVENTS: usize = 500;

/// A region where the tenant of the events is active, with the API on it.
struct World {
    region: Region,
    made: SignUp,
    calls: Calls,
    queue_url: String,
    limits: Limits,
}

/// A response as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn slug(&self) -> String {
        self.body()["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    async fn new() -> Self {
        let region = tenantkit::region().await;
        let made = region.activate(&Newcomer::ada()).await;
        let queue_url = testkit::queue(&region.aws).await;
        let limits = Limits {
            unknown_per_source: LIMIT,
            lookups_per_source: LIMIT,
        };
        Self {
            region,
            made,
            calls: Calls::default(),
            queue_url,
            limits,
        }
    }

    fn api(&self) -> Router {
        let config = self.calls.counting(&self.region.aws.config);
        let (pool, client) = (
            "eu-central-1_a1B2c3D4e".to_owned(),
            "1example23456789".to_owned(),
        );
        let auth_url = "https://meridian.auth.eu-central-1.amazoncognito.com";
        let provider = Provider::new(self.region.code.clone(), pool, client, auth_url, None);
        let tenants = TenantReader::new(&config, self.region.regional_table.clone());
        runtime::http::with_fallbacks(router(Adapters {
            policy: provider.page_policy(),
            provider,
            addresses: PATTERN.parse().unwrap(),
            limits: self.limits,
            tally: Tally::new(tenants.clone()),
            tenants,
            lookups: LookupQueue::new(&config, self.queue_url.clone()),
        }))
    }

    /// Sends a request as API Gateway does, and asserts that the API document describes the
    /// response.
    async fn send(&self, payload: &Value) -> Answer {
        let (parts, body) = runtime::http::respond(self.api(), &payload.to_string())
            .await
            .into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
        };
        assert_described(Api::Regional, payload, answer.status, &answer.slug());
        answer
    }

    /// Requests the discovery at a tenant's address.
    async fn discover(&self, subdomain: &str, source: &str) -> Answer {
        let mut payload = case("valid-address");
        payload["headers"]["host"] = json!(format!("{subdomain}.app.example.com"));
        payload["requestContext"]["http"]["sourceIp"] = json!(source);
        self.send(&payload).await
    }

    /// Requests somebody's list of workspaces.
    async fn look_up(&self, email: &str, source: &str) -> Answer {
        let mut payload = case("valid-lookup");
        payload["body"] = json!(json!({ "email": email }).to_string());
        payload["requestContext"]["http"]["sourceIp"] = json!(source);
        self.send(&payload).await
    }

    /// The messages in the queue.
    async fn queued(&self) -> Vec<Value> {
        let client = aws_sdk_sqs::Client::new(&self.region.aws.config);
        let received = client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .send()
            .await;
        let messages = received.unwrap().messages.unwrap_or_default();
        messages
            .into_iter()
            .map(|message| serde_json::from_str(&message.body.unwrap()).unwrap())
            .collect()
    }
}

fn case(name: &str) -> Value {
    testkit::cases("signin-api")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_event_gets_its_response() {
    let expected = |name: &str| match name {
        "valid-lookup" | "valid-lookup-of-nobody" => (202, ""),
        "invalid-unknown-address"
        | "invalid-malformed-address"
        | "invalid-no-subdomain"
        | "invalid-unknown-subdomain"
        | "invalid-malformed-subdomain" => (421, "unknown-address"),
        "invalid-email" => (422, "invalid-fields"),
        "invalid-language" | "invalid-unknown-field" => (422, "invalid-body"),
        "invalid-malformed-json" => (400, "malformed-json"),
        "invalid-host" | "invalid-two-subdomains" => (400, "malformed-request"),
        "invalid-method" => (405, "method-not-allowed"),
        "invalid-path" => (404, "not-found"),
        name if name.starts_with("valid-") => (200, ""),
        other => panic!("{other} has no expected answer"),
    };
    for Case { name, payload } in testkit::cases("signin-api") {
        let world = World::new().await;
        let answer = world.send(&payload).await;
        let (status, slug) = expected(&name);
        assert_eq!(
            (answer.status, answer.slug().as_str()),
            (status, slug),
            "{name}: {}",
            answer.body()
        );
        if status >= 400 {
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{name}"
            );
        }
        assert_eq!(
            world.queued().await.len(),
            usize::from(status == 202),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_json_array_is_not_accepted_as_an_object() {
    let world = World::new().await;
    for Case { name, payload } in testkit::by_position("signin-api") {
        let answer = world.send(&payload).await;
        assert_eq!(
            (answer.status, answer.slug().as_str()),
            (422, "invalid-body"),
            "{name}: {}",
            answer.body()
        );
    }
}

#[tokio::test]
async fn every_odd_event_gets_a_response() {
    let world = World::new().await;
    let usual = testkit::cases("signin-api")
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
async fn a_page_loads_its_own_files_and_calls_its_own_identity_provider() {
    let world = World::new().await;
    for (name, kind) in [
        ("valid-page", "text/html"),
        ("valid-script", "text/javascript"),
        ("valid-style", "text/css"),
    ] {
        let answer = world.send(&case(name)).await;
        assert_eq!(
            answer.header("content-type"),
            format!("{kind}; charset=utf-8")
        );
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        assert_eq!(
            (
                answer.header("x-content-type-options"),
                answer.header("referrer-policy")
            ),
            ("nosniff", "no-referrer")
        );
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'none'; \
             base-uri 'none'; frame-ancestors 'none'; connect-src 'self' \
             https://cognito-idp.eu-central-1.amazonaws.com https://meridian.auth.eu-central-1.amazoncognito.com"
        );
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(
            !text.is_empty() && !text.contains("<style") && !text.contains("<script>"),
            "{name}"
        );
    }
    assert_eq!(
        world.calls.taken(),
        Vec::<String>::new(),
        "a page costs no request"
    );
}

/// Known and unknown addresses get the same response after the same calls.
#[tokio::test]
async fn a_lookup_gets_the_same_response_for_everybody() {
    let world = World::new().await;
    let known = world.look_up("ada@engines.example", "192.0.2.1").await;
    let calls = world.calls.taken();
    let unknown = world.look_up("nobody@engines.example", "192.0.2.1").await;
    assert_eq!(known, unknown);
    assert_eq!(world.calls.taken(), calls);
    assert_eq!(
        (known.status, known.header("cache-control")),
        (202, "no-store")
    );
    let mut queued = world.queued().await;
    queued.sort_by_key(Value::to_string);
    let asker = Asker::network("192.0.2.1");
    assert_eq!(
        queued[0],
        json!({ "email": "ada@engines.example", "language": null, "asker": asker })
    );
    assert_eq!(queued[1]["email"], "nobody@engines.example");
}

/// The queued message is the one that workspace-mailer parses.
#[tokio::test]
async fn the_mailer_can_parse_the_queued_message() {
    let world = World::new().await;
    assert_eq!(world.send(&case("valid-lookup")).await.status, 202);
    let read = testkit::cases("workspace-mailer")
        .into_iter()
        .find(|case| case.name == "valid-lookup")
        .unwrap();
    let read: Value =
        serde_json::from_str(read.payload["Records"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(world.queued().await, [read]);
}

#[tokio::test]
async fn a_source_gets_a_few_lists_an_hour() {
    let world = World::new().await;
    for n in 0..LIMIT {
        assert_eq!(
            world
                .look_up(&format!("n{n}@engines.example"), "192.0.2.1")
                .await
                .status,
            202
        );
    }
    let refused = world.look_up("ada@engines.example", "192.0.2.1").await;
    assert_eq!(
        (refused.status, refused.slug().as_str()),
        (429, "too-many-requests")
    );
    assert_eq!(refused.header("retry-after"), "3600");
    assert_eq!(
        world
            .look_up("ada@engines.example", "192.0.2.2")
            .await
            .status,
        202,
        "another source"
    );
}

/// A subscriber's whole network counts as one source, of which only a digest is stored.
#[tokio::test]
async fn a_network_counts_as_one_source() {
    let world = World::new().await;
    for n in 0..LIMIT {
        assert_eq!(
            world
                .look_up("ada@engines.example", &format!("2001:db8:1:2::{n}"))
                .await
                .status,
            202
        );
    }
    assert_eq!(
        world
            .look_up("ada@engines.example", "2001:db8:1:2:ffff::1")
            .await
            .status,
        429
    );
    assert_eq!(
        world
            .look_up("ada@engines.example", "2001:db8:1:3::1")
            .await
            .status,
        202
    );
    let client = aws_sdk_dynamodb::Client::new(&world.region.aws.config);
    let stored = client
        .scan()
        .table_name(&world.region.regional_table)
        .send()
        .await
        .unwrap();
    assert!(!format!("{stored:?}").contains("2001"));
}

/// A request that is not queued is not accepted, and the failure discloses nothing of the person.
#[tokio::test]
async fn a_request_that_cannot_be_queued_is_not_accepted() {
    let mut world = World::new().await;
    world.queue_url += "-that-is-not-there";
    let answer = world.look_up("ada@engines.example", "192.0.2.1").await;
    assert_eq!((answer.status, answer.slug().as_str()), (500, "internal"));
    let email = "ada@engines.example".parse().unwrap();
    let queue = LookupQueue::new(&world.region.aws.config, world.queue_url.clone());
    let error = queue
        .send(&email, None, &Asker::network("192.0.2.1"))
        .await
        .unwrap_err();
    assert!(
        !format!("{answer:?} {error:?} {error}").contains("engines"),
        "{error}"
    );
}
