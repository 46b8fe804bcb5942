use super::{Answer, DISCOVERY, LIMIT, World, case};
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{Suspension, TenantStatus};
use serde_json::{Value, json};
use std::collections::HashMap;
use tenancy::{KeyDigest, SignUp};
use tenant_store::LoadOptions;
use tenantkit::{Newcomer, moment};

const GET: &str = "DynamoDB_20120810.GetItem";
const BATCH: &str = "DynamoDB_20120810.BatchGetItem";
const UPDATE: &str = "DynamoDB_20120810.UpdateItem";

impl World {
    /// Stores a subdomain that leads to a tenant.
    async fn store_subdomain(&self, subdomain: &str, attributes: &Value) {
        let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(attributes).unwrap();
        item.insert(
            "pk".to_owned(),
            AttributeValue::S(format!("ALIAS#{subdomain}")),
        );
        item.insert("sk".to_owned(), AttributeValue::S("ALIAS".to_owned()));
        let client = aws_sdk_dynamodb::Client::new(&self.region.aws.config);
        let put = client
            .put_item()
            .table_name(&self.region.regional_table)
            .set_item(Some(item));
        put.send().await.unwrap();
    }

    /// Sets an attribute of the stored tenant.
    async fn set(&self, member: &str, value: &Value) {
        let client = aws_sdk_dynamodb::Client::new(&self.region.aws.config);
        client
            .update_item()
            .table_name(&self.region.regional_table)
            .key(
                "pk",
                AttributeValue::S(format!("TENANT#{}", self.made.tenant.id)),
            )
            .key("sk", AttributeValue::S("TENANT".to_owned()))
            .update_expression("SET #member = :value")
            .expression_attribute_names("#member", member)
            .expression_attribute_values(":value", serde_dynamo::to_attribute_value(value).unwrap())
            .send()
            .await
            .unwrap();
    }

    /// A tenant that was active and is closed.
    async fn closed(&self) -> SignUp {
        let made = self.region.activate(&Newcomer::somebody()).await;
        let undo = KeyDigest::of("closure", "code");
        self.region
            .close(made.tenant.id, &undo, moment("2026-11-20T09:10:00Z"))
            .await;
        // The end of the grace period, and the roll-up of the last usage after it.
        for now in ["2027-11-20T09:10:00Z", "2027-11-21T09:10:00Z"].map(moment) {
            let due = self
                .region
                .tenants
                .reader()
                .load_due_tasks(now, 100)
                .await
                .unwrap();
            for due in due.iter().filter(|due| due.tenant == made.tenant.id) {
                let (catalogue, settings) = (&self.region.catalogue, &self.region.settings);
                self.region
                    .change(due.tenant, LoadOptions::TENANT, now, |loaded, context| {
                        tenancy::decide_task(&loaded.state, due, true, catalogue, settings, context)
                            .map(Some)
                    })
                    .await;
            }
        }
        assert_eq!(
            self.region.tenant(made.tenant.id).await.status,
            TenantStatus::Closed
        );
        made
    }

    /// The response to a payload, and the AWS calls that it made.
    async fn observe(&self, payload: &Value) -> (Answer, Vec<String>) {
        self.calls.taken();
        (self.send(payload).await, self.calls.taken())
    }
}

/// The payload of a discovery at an address, from a source of its own.
fn at(subdomain: &str, source: &str) -> Value {
    let mut payload = case("valid-address");
    payload["headers"]["host"] = json!(format!("{subdomain}.app.example.com"));
    payload["requestContext"]["http"]["sourceIp"] = json!(source);
    payload
}

#[tokio::test]
async fn an_address_shows_how_to_sign_in() {
    let world = World::new().await;
    let (answer, calls) = world.observe(&case("valid-address")).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "public, max-age=60")
    );
    assert_eq!(calls, [BATCH, GET]);
    let aws = "https://cognito-idp.eu-central-1.amazonaws.com";
    let domain = "https://meridian.auth.eu-central-1.amazoncognito.com";
    let expected = json!({
        "alias": "23456789abcd",
        "region": "eu-central-1",
        "status": "open",
        "language": "en",
        "issuer": format!("{aws}/eu-central-1_a1B2c3D4e"),
        "client_id": "1example23456789",
        "identity_endpoint": aws,
        "user_pool_id": "eu-central-1_a1B2c3D4e",
        "authorization_endpoint": format!("{domain}/oauth2/authorize"),
        "token_endpoint": format!("{domain}/oauth2/token"),
        "jwks_uri": format!("{aws}/eu-central-1_a1B2c3D4e/.well-known/jwks.json"),
        "migrates": false,
        "federation": null,
    });
    assert_eq!(answer.body(), expected);
    for other in ["valid-address-in-capitals-with-port", "valid-subdomain"] {
        assert_eq!(world.send(&case(other)).await, answer, "{other}");
    }
}

/// Usernames are computed from the random alias, so the page has to learn it.
#[tokio::test]
async fn another_subdomain_of_the_tenant_shows_the_same() {
    let world = World::new().await;
    world
        .store_subdomain(
            "acme",
            &json!({ "tenant": world.made.tenant.id, "routed_since_version": 2 }),
        )
        .await;
    let answer = world.discover("acme", "192.0.2.1").await;
    assert_eq!(
        (answer.status, &answer.body()["alias"]),
        (200, &json!("23456789abcd"))
    );
    assert!(!String::from_utf8(answer.bytes).unwrap().contains("acme"));
}

#[tokio::test]
async fn a_tenant_with_its_own_provider_shows_it() {
    let world = World::new().await;
    let federation = json!({ "client_id": "2example", "identity_provider": "idp-23456789abcd" });
    world.set("federation", &federation).await;
    assert_eq!(
        world.discover("23456789abcd", "192.0.2.1").await.body()["federation"],
        federation
    );
}

/// Only a tenant that has moved may make the page send passwords to the pool.
#[tokio::test]
async fn a_tenant_from_another_region_shows_so_without_naming_the_region() {
    let world = World::new().await;
    world
        .set(
            "previous",
            &json!({ "region": "us-west-2", "client_id": "3example" }),
        )
        .await;
    let answer = world.discover("23456789abcd", "192.0.2.1").await;
    assert_eq!(
        (answer.status, &answer.body()["migrates"]),
        (200, &json!(true))
    );
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(
        !text.contains("us-west-2") && !text.contains("3example"),
        "{text}"
    );
}

#[tokio::test]
async fn a_suspended_tenant_shows_so_without_its_identity() {
    let world = World::new().await;
    let now = moment("2026-11-20T09:30:00Z");
    world
        .region
        .publish(
            world.made.tenant.id,
            "starter",
            Some(Suspension::Dunning),
            now,
        )
        .await;
    let answer = world.discover("23456789abcd", "192.0.2.1").await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(
        answer.body(),
        json!({ "status": "suspended", "region": "eu-central-1", "language": "en" })
    );

    let closing = world.region.activate(&Newcomer::somebody()).await.tenant;
    world
        .region
        .close(closing.id, &KeyDigest::of("closure", "code"), now)
        .await;
    let other = world.discover(closing.alias.as_str(), "192.0.2.1").await;
    assert_eq!(other, answer, "as long as the closure can be undone");
}

#[tokio::test]
async fn a_tenant_that_has_moved_redirects() {
    let world = World::new().await;
    let place = json!({ "region": "us-west-2", "api_url": "https://api.us-west-2.example.com" });
    let row = json!({ "tenant": world.made.tenant.id, "routed_since_version": 2, "moved": place });
    world.store_subdomain("23456789abcd", &row).await;
    let (answer, calls) = world.observe(&case("valid-address")).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (308, "no-store")
    );
    assert_eq!(
        answer.header("location"),
        format!("https://api.us-west-2.example.com{DISCOVERY}?alias=23456789abcd")
    );
    assert_eq!(calls, [BATCH], "and is no miss");
}

/// A caller who tries subdomains cannot distinguish those that lead nowhere, and is soon blocked.
/// The test compares body, header and requests to the table of closed and unknown subdomains.
#[tokio::test]
async fn the_lookup_cannot_be_enumerated() {
    let world = World::new().await;
    let closed = world.closed().await.tenant.alias;
    let pending = world
        .region
        .register(&Newcomer::somebody())
        .await
        .tenant
        .alias;
    let too_long = "a".repeat(64);
    let subdomains = [
        "zzzzzzzzzzzz",
        closed.as_str(),
        pending.as_str(),
        "not_a_subdomain",
        "a.b",
        &too_long,
        "",
        "acme",
    ];
    let mut observed = Vec::new();
    for (n, subdomain) in subdomains.iter().enumerate() {
        observed.push(
            world
                .observe(&at(subdomain, &format!("198.51.100.{n}")))
                .await,
        );
    }
    for name in [
        "invalid-no-subdomain",
        "invalid-malformed-subdomain",
        "invalid-unknown-subdomain",
    ] {
        let mut payload = case(name);
        payload["requestContext"]["http"]["sourceIp"] =
            json!(format!("203.0.113.{}", observed.len()));
        observed.push(world.observe(&payload).await);
    }
    let (first, _) = &observed[0];
    assert_eq!(
        (first.status, first.header("cache-control")),
        (421, "no-store")
    );
    for (n, (answer, calls)) in observed.iter().enumerate() {
        assert_eq!(answer, first, "answer {n}");
        assert_eq!(calls, &[BATCH, UPDATE], "answer {n}");
    }

    for n in 0..LIMIT {
        assert_eq!(
            world.discover(&format!("guess{n}"), "192.0.2.9").await,
            *first
        );
    }
    let refused = world.discover("23456789abcd", "192.0.2.9").await;
    assert_eq!(
        (refused.status, refused.slug().as_str()),
        (429, "too-many-requests"),
        "a known subdomain too"
    );
    assert_eq!(
        (
            refused.header("retry-after"),
            refused.header("cache-control")
        ),
        ("3600", "no-store")
    );
    for subdomain in [closed.as_str(), "one-more-guess"] {
        assert_eq!(world.discover(subdomain, "192.0.2.9").await, refused);
    }
    assert_eq!(
        world.discover("23456789abcd", "192.0.2.10").await.status,
        200,
        "another source"
    );
}

/// An old bookmark does not block its holder, or a whole office, from the right address.
#[tokio::test]
async fn the_same_unknown_address_counts_once() {
    let world = World::new().await;
    for _ in 0..2 * LIMIT {
        assert_eq!(
            world.discover("zzzzzzzzzzzz", "192.0.2.1").await.status,
            421
        );
    }
    assert_eq!(
        world.discover("23456789abcd", "192.0.2.1").await.status,
        200
    );
    let client = aws_sdk_dynamodb::Client::new(&world.region.aws.config);
    let stored = client
        .scan()
        .table_name(&world.region.regional_table)
        .send()
        .await
        .unwrap();
    assert!(
        !format!("{stored:?}").contains("zzzz"),
        "what somebody tried is not stored"
    );
}

/// With a local endpoint, the identity provider is there.
#[tokio::test]
async fn a_local_identity_provider_is_at_its_endpoint() {
    let local = Some("http://127.0.0.1:4601/");
    let provider = crate::provider::Provider::new(
        "eu-central-1".parse().unwrap(),
        "pool".to_owned(),
        "client".to_owned(),
        "https://meridian.auth.eu-central-1.amazoncognito.com",
        local,
    );
    assert_eq!(
        provider.issuer,
        "https://cognito-idp.eu-central-1.amazonaws.com/pool"
    );
    assert_eq!(provider.identity_endpoint, "http://127.0.0.1:4601");
    assert_eq!(
        provider.jwks_uri,
        "http://127.0.0.1:4601/pool/.well-known/jwks.json"
    );
    assert_eq!(
        provider.authorization_endpoint,
        "http://127.0.0.1:4601/oauth2/authorize"
    );
    assert_eq!(
        provider.token_endpoint,
        "http://127.0.0.1:4601/oauth2/token"
    );
}
