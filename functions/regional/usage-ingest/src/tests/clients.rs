//! Requests of tenants' own clients.

use super::corrections::transfer;
use super::*;
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use aws_types::region::Region;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

const OWN: &str = TENANTS[0].0;
const OTHER: &str = TENANTS[1].0;
const REFUSED: (u16, &str) = (401, "/problems/unauthorized");

/// The gateway's time of the requests in the files.
const NOW: &str = "2026-11-03T09:00:00Z";

impl World {
    /// A client of the pool, and its token.
    async fn machine(&self, pool: &Pool) -> (String, String) {
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&self.aws.config);
        let (id, secret) = testkit::add_client(&cognito, &pool.id, &[SCOPES[0]]).await;
        let token = testkit::client_token(&self.aws, &id, &secret, SCOPES[0]).await;
        (id, token)
    }

    /// A client of a tenant that may report its usage, and its token.
    pub(super) async fn machine_of(&self, tenant: &str) -> (String, String) {
        let (id, token) = self.machine(&self.pool).await;
        self.assign(&id, tenant, SCOPES[0], None).await;
        (id, token)
    }

    /// Assigns a client to a tenant.
    async fn assign(&self, client: &str, tenant: &str, scope: &str, ends_at: Option<&str>) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let put = self.client.put_item().table_name(&self.regional_table);
        let put = put
            .item("pk", text(&format!("CLIENT#{client}")))
            .item("sk", text("CLIENT"))
            .item("id", text("5b62e069-cb2b-5d42-a9bb-cad80b704827"))
            .item("client_id", text(client))
            .item("tenant", text(tenant))
            .item("scopes", AttributeValue::L(vec![text(scope)]))
            .item("created_at", text(NOW));
        ends_at
            .into_iter()
            .fold(put, |put, at| put.item("ends_at", text(at)))
            .send()
            .await
            .unwrap();
    }

    async fn report(&self, token: &str, events: &[Value]) -> Answer {
        let mut payload = batch(events);
        payload["headers"]["authorization"] = json!(format!("Bearer {token}"));
        self.send(&payload).await
    }

    async fn refusal(&self, token: &str) -> (u16, String) {
        let answer = self.report(token, &[event(OWN, "e")]).await;
        (
            answer.status,
            answer.body["type"].as_str().unwrap_or_default().to_owned(),
        )
    }
}

fn refused() -> (u16, String) {
    (REFUSED.0, REFUSED.1.to_owned())
}

#[tokio::test]
async fn a_tenants_client_reports_only_its_own_tenants_usage() {
    let world = world().await;
    let (client, token) = world.machine(&world.pool).await;
    world.assign(&client, OWN, "usage/write", None).await;
    let answer = world
        .report(&token, &[event(OWN, "a"), event(OTHER, "b")])
        .await;
    let reason = (
        answer.body["rejected"][0]["index"].as_u64(),
        answer.body["rejected"][0]["reason"].as_str(),
    );
    assert_eq!(
        (answer.body["accepted"].as_u64(), reason),
        (Some(1), (Some(1), Some("unknown-tenant")))
    );
    // The other tenant is cached from another client's report, and is still not this client's.
    assert_eq!(world.send(&batch(&[event(OTHER, "c")])).await.status, 200);
    assert_eq!(world.report(&token, &[event(OTHER, "d")]).await.status, 422);
    assert_eq!(
        (
            world.stored("SEGMENT#").await,
            world.report(&token, &[]).await.status
        ),
        (2, 200)
    );
}

/// A tenant's event and the provider's event of the same source and id are two events.
#[tokio::test]
async fn a_tenants_event_is_no_duplicate_of_the_providers() {
    let world = world().await;
    let (_, token) = world.machine_of(OWN).await;
    let ids: Vec<String> = (0..4).map(|n| format!("hour-{n}")).collect();
    let of = |gigabytes: u32| -> Vec<Value> {
        ids.iter().map(|id| transfer(OWN, id, gigabytes)).collect()
    };
    assert_eq!(world.report(&token, &of(0)).await.body["accepted"], 4);
    world.roll_up().await;
    assert_eq!(world.send(&batch(&of(700))).await.body["accepted"], 4);
    world.roll_up().await;
    assert_eq!(
        world.total(OWN, "2026-11-03T09:00:00Z").await,
        ("2800".to_owned(), 8)
    );
    let counts = world.monitor.counts().await.unwrap();
    assert_eq!(
        (counts.accepted, counts.duplicates, counts.conflicts),
        (8, 0, 0)
    );
    // An event that its own sender repeats is a duplicate, in any form.
    assert_eq!(world.report(&token, &of(0)).await.body["accepted"], 4);
    assert_eq!(world.send(&batch(&of(700))).await.body["accepted"], 4);
    world.roll_up().await;
    let counts = world.monitor.counts().await.unwrap();
    assert_eq!(
        (counts.accepted, counts.duplicates, counts.conflicts),
        (8, 8, 0)
    );
}

/// No attribute of an event changes its sender.
#[tokio::test]
async fn the_token_decides_the_sender() {
    let world = world().await;
    let (_, token) = world.machine_of(OWN).await;
    for (n, (name, value)) in [
        ("sentby", json!("provider")),
        ("sender", json!("provider")),
        ("sent_by", json!("provider")),
    ]
    .into_iter()
    .enumerate()
    {
        let id = n.to_string();
        let mut forged = transfer(OWN, &id, 0);
        forged[name] = value;
        assert_eq!(
            world.report(&token, &[forged]).await.body["accepted"],
            1,
            "{name}"
        );
        assert_eq!(
            world.send(&batch(&[transfer(OWN, &id, 5)])).await.body["accepted"],
            1
        );
    }
    world.roll_up().await;
    assert_eq!(
        world.total(OWN, "2026-11-03T09:00:00Z").await,
        ("15".to_owned(), 6)
    );
}

#[tokio::test]
async fn an_unknown_client_and_one_without_the_scope_are_refused() {
    let world = world().await;
    let (client, token) = world.machine(&world.pool).await;
    assert_eq!(world.refusal(&token).await, refused(), "an unknown client");
    world.assign(&client, OWN, "tenant/read", None).await;
    assert_eq!(
        world.refusal(&token).await,
        refused(),
        "the stored client lacks the scope of its token"
    );
    world.assign(&client, OWN, "usage/write", Some(NOW)).await;
    assert_eq!(world.refusal(&token).await, refused(), "it has ended");
    world
        .assign(&client, OWN, "usage/write", Some("2126-11-03T09:00:00Z"))
        .await;
    assert_eq!(world.refusal(&token).await.0, 200, "it will end");
    world.assign(&client, OWN, "usage/write", Some(NOW)).await;
    assert_eq!(
        world.refusal(&token).await,
        refused(),
        "revoked at once, though its tenant is cached"
    );
}

#[tokio::test]
async fn a_token_of_another_pool_or_region_or_with_an_altered_claim_is_refused() {
    let world = world().await;
    let elsewhere = testkit::user_pool(&world.aws, &SCOPES).await;
    let (client, foreign) = world.machine(&elsewhere).await;
    world.assign(&client, OWN, "usage/write", None).await;
    assert_eq!(world.refusal(&foreign).await, refused(), "another pool's");

    let (client, token) = world.machine(&world.pool).await;
    assert_eq!(
        world
            .refusal(&altered(&token, &client, &world.pool.machine_client_id))
            .await,
        refused(),
        "altered"
    );
    world.assign(&client, OWN, "usage/write", None).await;
    assert_eq!(world.refusal(&token).await.0, 200);

    let config = world
        .aws
        .config
        .to_builder()
        .region(Region::new("us-west-2"))
        .build();
    let tokens = Tokens::new(
        &config,
        &world.pool.id,
        world.pool.machine_client_id.clone(),
    )
    .unwrap();
    let (regional, usage) = (world.regional_table.clone(), world.usage_table.clone());
    let elsewhere = World {
        router: function(&world.aws, tokens, &regional, &usage),
        ..world
    };
    assert_eq!(
        elsewhere.refusal(&token).await,
        refused(),
        "another region's"
    );
}

#[tokio::test]
async fn a_users_token_is_refused() {
    let world = world().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&world.aws.config);
    let made = cognito
        .admin_create_user()
        .user_pool_id(&world.pool.id)
        .username("ada");
    made.send().await.unwrap();
    let set = cognito
        .admin_set_user_password()
        .user_pool_id(&world.pool.id)
        .username("ada")
        .permanent(true);
    set.password("Difference-Engine-2").send().await.unwrap();
    let client = &world.pool.client_id;
    let asked = cognito
        .initiate_auth()
        .client_id(client)
        .auth_flow(AuthFlowType::UserPasswordAuth);
    let asked = asked
        .auth_parameters("USERNAME", "ada")
        .auth_parameters("PASSWORD", "Difference-Engine-2");
    let token = asked
        .send()
        .await
        .unwrap()
        .authentication_result
        .unwrap()
        .access_token
        .unwrap();
    world.assign(client, OWN, "usage/write", None).await;
    assert_eq!(world.refusal(&token).await, refused());
}

/// The token with one text in its claims replaced, and the old signature.
fn altered(token: &str, from: &str, to: &str) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    assert!(claims.contains(from));
    parts[1] = BASE64_URL_SAFE_NO_PAD.encode(claims.replace(from, to));
    parts.join(".")
}
