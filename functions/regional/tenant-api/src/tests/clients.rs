//! Machine clients.

use super::*;
use kernel::MachineScope;
use tenancy::{ClientId, ClientWish, MachineClient, decide_client};
use tenant_store::LoadOptions;

const BOTH: [&str; 2] = ["usage/write", "tenant/read"];

impl World {
    pub(super) fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        aws_sdk_cognitoidentityprovider::Client::new(&self.region.aws.config)
    }

    /// A request with a key.
    pub(super) async fn keyed(
        &self,
        without: Without,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Answer {
        let mut payload = request("POST", &self.path(path), &self.admin_token().await, body);
        payload["headers"]["idempotency-key"] = json!(key);
        if key.is_empty() {
            payload["headers"]
                .as_object_mut()
                .unwrap()
                .remove("idempotency-key");
        }
        invoke(self.api(without), &payload).await
    }

    async fn made(&self, key: &str) -> Value {
        let answer = self
            .keyed(
                Without::Nothing,
                "/clients",
                key,
                &json!({ "scopes": BOTH }),
            )
            .await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    async fn clients(&self) -> Vec<MachineClient> {
        self.region
            .tenants
            .reader()
            .load_clients(self.tenant())
            .await
            .unwrap()
    }

    /// The pool's clients, apart from those of the fixture.
    async fn pool_clients(&self) -> Vec<String> {
        let listed = self
            .cognito()
            .list_user_pool_clients()
            .user_pool_id(&self.people.pool.id)
            .max_results(60);
        let listed = listed
            .send()
            .await
            .unwrap()
            .user_pool_clients
            .unwrap_or_default();
        let names = listed.into_iter().filter_map(|client| client.client_name);
        names
            .filter(|name| !["people", "machines"].contains(&name.as_str()))
            .collect()
    }

    pub(super) async fn token_of(&self, made: &Value, scope: &str) -> String {
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        testkit::client_token(
            &self.region.aws,
            &text("client_id"),
            &text("client_secret"),
            scope,
        )
        .await
    }

    async fn entitlements(&self, token: &str) -> (u16, String) {
        let answer = self.send(token, "GET", "/entitlements", &Value::Null).await;
        (answer.status, slug(&answer).1.to_owned())
    }
}

fn key(n: u8) -> String {
    format!("a-key-of-the-clients-{n}")
}

#[tokio::test]
async fn a_client_is_created_once_and_only_a_repeated_request_shows_its_secret_again() {
    let world = World::new().await;
    let made = world.made(&key(1)).await;
    assert_eq!(
        world.made(&key(1)).await,
        made,
        "the same request, the same client"
    );
    assert_eq!(world.pool_clients().await, [made["id"].as_str().unwrap()]);
    let other = world
        .keyed(
            Without::Nothing,
            "/clients",
            &key(1),
            &json!({ "scopes": ["usage/write"] }),
        )
        .await;
    assert_eq!(slug(&other), (422, "idempotency-key-reused"));
    assert_eq!(made["scopes"], json!(BOTH), "sorted as they are known");

    let listed = world
        .send(
            &world.admin_token().await,
            "GET",
            &world.path("/clients"),
            &Value::Null,
        )
        .await;
    assert_eq!(listed.body["clients"][0]["client_id"], made["client_id"]);
    assert!(
        !listed
            .body
            .to_string()
            .contains(made["client_secret"].as_str().unwrap())
    );
    let stored = world.clients().await;
    let found = world
        .region
        .tenants
        .reader()
        .load_client(made["client_id"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(
        found.as_ref(),
        stored.first(),
        "found by the tenant and by the token"
    );
    assert!(!format!("{stored:?}").contains(made["client_secret"].as_str().unwrap()));
    let noted = world
        .trail(world.tenant())
        .await
        .into_iter()
        .filter(|entry| entry.action == AuditAction::CreateClient);
    assert_eq!(
        noted.filter_map(|entry| entry.target).collect::<Vec<_>>(),
        [stored[0].id.to_string()]
    );

    let token = world.token_of(&made, "tenant/read").await;
    assert_eq!(world.entitlements(&token).await.0, 200);
}

#[tokio::test]
async fn malformed_client_requests_are_refused() {
    let world = World::new().await;
    for (key, body, expected) in [
        (
            "",
            json!({ "scopes": BOTH }),
            (400, "idempotency-key-missing"),
        ),
        (
            "short",
            json!({ "scopes": BOTH }),
            (400, "idempotency-key-malformed"),
        ),
        (
            "a-key-of-the-clients",
            json!({ "scopes": [] }),
            (422, "invalid-fields"),
        ),
        (
            "a-key-of-the-clients",
            json!({ "scopes": ["usage/write", "usage/write"] }),
            (422, "invalid-fields"),
        ),
        (
            "a-key-of-the-clients",
            json!({ "scopes": ["meridian/operator.read"] }),
            (422, "invalid-body"),
        ),
        ("a-key-of-the-clients", json!({}), (422, "invalid-body")),
    ] {
        let answer = world.keyed(Without::Nothing, "/clients", key, &body).await;
        assert_eq!(slug(&answer), expected, "{key} {body}");
    }
    assert_eq!(
        (world.clients().await, world.pool_clients().await),
        (vec![], vec![])
    );
}

/// Interrupted before the pool created the client, and after: the same request completes it with
/// what exists.
#[tokio::test]
async fn an_interrupted_client_is_completed() {
    let world = World::new().await;
    let failed = world
        .keyed(
            Without::Accounts,
            "/clients",
            &key(1),
            &json!({ "scopes": BOTH }),
        )
        .await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    assert_eq!(
        (
            world.clients().await[0].client_id.clone(),
            world.pool_clients().await
        ),
        (None, vec![])
    );
    let made = world.made(&key(1)).await;
    assert_eq!(
        (
            world.clients().await.len(),
            world.pool_clients().await.len()
        ),
        (1, 1)
    );

    // Created by the pool, and not stored.
    let id = ClientId::of(
        world.tenant(),
        &"a-key-of-the-clients-2"
            .parse::<tenancy::IdempotencyKey>()
            .unwrap()
            .digest(),
    );
    let scopes = vec![MachineScope::UsageWrite, MachineScope::TenantRead];
    let request = ClientWish {
        id,
        scopes,
        replaces: None,
        by: world.ada.user.username,
    };
    let begun = world.region.change(
        world.tenant(),
        LoadOptions::CLIENTS,
        earlier(),
        |loaded, context| {
            decide_client(&loaded.state, &loaded.clients, &request, context).map(Some)
        },
    );
    begun.await;
    let left = world
        .people
        .identity
        .create_machine(id, &request.scopes)
        .await
        .unwrap();
    let completed = world.made(&key(2)).await;
    assert_eq!(completed["client_id"], left.client_id.as_str());
    assert_ne!(completed["client_id"], made["client_id"]);
    assert_eq!(world.pool_clients().await.len(), 2);
}

#[tokio::test]
async fn a_replaced_client_works_for_another_day() {
    let world = World::new().await;
    let made = world.made(&key(1)).await;
    let path = format!("/clients/{}/rotation", made["id"].as_str().unwrap());
    let next = world
        .keyed(Without::Nothing, &path, &key(2), &Value::Null)
        .await;
    assert_eq!(
        (next.status, &next.body["scopes"]),
        (201, &json!(BOTH)),
        "{}",
        next.body
    );
    let again = world
        .keyed(Without::Nothing, &path, &key(2), &Value::Null)
        .await;
    assert_eq!(again.body, next.body);
    assert_eq!(
        slug(
            &world
                .keyed(Without::Nothing, &path, &key(3), &Value::Null)
                .await
        ),
        (409, "client-ends")
    );

    let clients = world.clients().await;
    let old = clients
        .iter()
        .find(|client| client.id.to_string() == made["id"])
        .unwrap();
    assert_eq!(old.ends_at, Some(moment("2026-11-21T10:00:00Z")));
    for made in [&made, &next.body] {
        let token = world.token_of(made, "tenant/read").await;
        assert_eq!(world.entitlements(&token).await.0, 200, "both can be used");
    }
    let token = world.token_of(&made, "tenant/read").await;
    let mut late = request("GET", "/entitlements", &token, &Value::Null);
    late["requestContext"]["timeEpoch"] = json!(moment("2026-11-21T10:00:00Z").as_millisecond());
    let answer = invoke(world.api(Without::Nothing), &late).await;
    assert_eq!(slug(&answer), (401, "unauthorized"), "a day later");
}

#[tokio::test]
async fn a_revoked_client_is_rejected_at_once_and_deleted() {
    let world = World::new().await;
    let made = world.made(&key(1)).await;
    let token = world.token_of(&made, "tenant/read").await;
    let (admin, path) = (
        world.admin_token().await,
        world.path(&format!("/clients/{}", made["id"].as_str().unwrap())),
    );
    let revocation = request("DELETE", &path, &admin, &Value::Null);
    let failed = invoke(world.api(Without::Accounts), &revocation).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    assert_eq!(
        world.entitlements(&token).await,
        (401, "unauthorized".to_owned()),
        "refused, though the pool has it"
    );
    assert_eq!(
        invoke(world.api(Without::Nothing), &revocation)
            .await
            .status,
        204
    );
    assert_eq!(
        (world.clients().await, world.pool_clients().await),
        (vec![], vec![])
    );
    assert_eq!(world.entitlements(&token).await.0, 401);
    assert_eq!(
        slug(&invoke(world.api(Without::Nothing), &revocation).await),
        (404, "unknown-client")
    );
    let noted = world
        .trail(world.tenant())
        .await
        .into_iter()
        .filter(|entry| entry.action == AuditAction::RevokeClient);
    assert_eq!(noted.filter(|entry| entry.refused.is_none()).count(), 1);
}

#[tokio::test]
async fn a_tenant_has_at_most_five_clients() {
    let world = World::new().await;
    let mut last = Value::Null;
    for n in 1..=5 {
        last = world.made(&key(n)).await;
    }
    let sixth = world
        .keyed(
            Without::Nothing,
            "/clients",
            &key(6),
            &json!({ "scopes": BOTH }),
        )
        .await;
    assert_eq!(slug(&sixth), (409, "too-many-clients"));
    let path = format!("/clients/{}/rotation", last["id"].as_str().unwrap());
    assert_eq!(
        world
            .keyed(Without::Nothing, &path, &key(7), &Value::Null)
            .await
            .status,
        201,
        "it takes a place over"
    );
    let sixth = world
        .keyed(
            Without::Nothing,
            "/clients",
            &key(6),
            &json!({ "scopes": BOTH }),
        )
        .await;
    assert_eq!(slug(&sixth), (409, "too-many-clients"));
    assert_eq!(
        (
            world.clients().await.len(),
            world.pool_clients().await.len()
        ),
        (6, 6)
    );
}

#[tokio::test]
async fn a_machine_administers_nothing() {
    let world = World::new().await;
    let made = world.made(&key(1)).await;
    let token = world.token_of(&made, "usage/write").await;
    for path in ["", "/users", "/clients"] {
        let answer = world
            .send(&token, "GET", &world.path(path), &Value::Null)
            .await;
        assert_eq!(slug(&answer), (401, "unauthorized"), "{path}");
    }
}
