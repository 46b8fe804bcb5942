//! The tenant's own identity provider.

use super::*;
use crate::access::is_for;
use runtime::http::Client;
use tenancy::{Federation, ProviderName};

const SECRET: &str = "s3cret-of-the-provider";

fn provider(issuer: &str) -> Value {
    json!({ "issuer": issuer, "client_id": "meridian", "client_secret": SECRET })
}

impl World {
    async fn provide(&self, without: Without, body: &Value) -> Answer {
        let payload = request(
            "PUT",
            &self.path("/identity-provider"),
            &self.admin_token().await,
            body,
        );
        invoke(self.api(without), &payload).await
    }

    async fn federation(&self) -> Option<Federation> {
        self.region.tenant(self.tenant()).await.federation
    }

    async fn federated_clients(&self) -> Vec<String> {
        let name = ProviderName::of(&self.ada.tenant.alias);
        self.people
            .identity
            .clients_named(name.as_str())
            .await
            .unwrap()
    }
}

/// The pool has a client for the tenant's own address and provider, without a secret.
async fn assert_client(
    world: &World,
    cognito: &aws_sdk_cognitoidentityprovider::Client,
    federation: &tenancy::Federation,
) {
    let pool = &world.people.pool.id;
    let described = cognito
        .describe_user_pool_client()
        .user_pool_id(pool)
        .client_id(&federation.client_id);
    let client = described.send().await.unwrap().user_pool_client.unwrap();
    assert_eq!(
        client.callback_urls(),
        [format!(
            "https://{}.app.example.com/",
            world.ada.tenant.alias
        )]
    );
    assert_eq!(
        client.supported_identity_providers(),
        [federation.identity_provider.as_str()]
    );
    assert_eq!(
        (client.client_secret(), client.allowed_o_auth_scopes().len()),
        (None, 2)
    );
}

#[tokio::test]
async fn a_provider_is_set_changed_and_removed() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let path = world.path("/identity-provider");
    let answer = world
        .provide(Without::Nothing, &provider("https://login.engines.example"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.body["redirect_uri"],
        "https://auth.example.com/oauth2/idpresponse"
    );
    assert_eq!(answer.body["in_use"], true);
    let federation = world.federation().await.unwrap();
    assert_eq!(
        federation.identity_provider,
        ProviderName::of(&world.ada.tenant.alias)
    );

    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&world.region.aws.config);
    let pool = &world.people.pool.id;
    assert_client(&world, &cognito, &federation).await;

    let answer = world
        .provide(
            Without::Nothing,
            &provider("https://sso.engines.example/realm"),
        )
        .await;
    assert_eq!(
        (answer.status, world.federation().await.as_ref()),
        (200, Some(&federation)),
        "the client stays"
    );
    let described = cognito.describe_identity_provider().user_pool_id(pool);
    let described = described
        .provider_name(federation.identity_provider.as_str())
        .send()
        .await
        .unwrap();
    let details = described
        .identity_provider
        .unwrap()
        .provider_details
        .unwrap();
    assert_eq!(details["oidc_issuer"], "https://sso.engines.example/realm");
    let shown = world.send(&token, "GET", &path, &Value::Null).await;
    assert_eq!(shown.body["issuer"], "https://sso.engines.example/realm");
    assert!(!shown.body.to_string().contains(SECRET));

    assert_eq!(
        world
            .send(&token, "DELETE", &path, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        (world.federation().await, world.federated_clients().await),
        (None, vec![])
    );
    let left = cognito
        .list_identity_providers()
        .user_pool_id(pool)
        .send()
        .await
        .unwrap();
    assert!(left.providers().is_empty());
    for method in ["GET", "DELETE"] {
        let answer = world.send(&token, method, &path, &Value::Null).await;
        assert_eq!(slug(&answer), (404, "no-identity-provider"), "{method}");
    }
}

/// The provider's secret is with the user pool, and in no item.
#[tokio::test]
async fn the_providers_secret_is_not_stored() {
    let world = World::new().await;
    assert_eq!(
        world
            .provide(Without::Nothing, &provider("https://login.engines.example"))
            .await
            .status,
        200
    );
    let tables = aws_sdk_dynamodb::Client::new(&world.region.aws.config);
    for table in [&world.region.regional_table, &world.region.outbox_table] {
        let scanned = tables.scan().table_name(table).send().await.unwrap();
        assert!(
            !format!("{:?}", scanned.items()).contains(SECRET),
            "{table}"
        );
    }
}

#[tokio::test]
async fn an_interrupted_provider_is_completed() {
    let world = World::new().await;
    let body = provider("https://login.engines.example");
    let failed = world.provide(Without::Accounts, &body).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    assert_eq!(world.federation().await, None, "nobody is led to it");
    let token = world.admin_token().await;
    let shown = world
        .send(
            &token,
            "GET",
            &world.path("/identity-provider"),
            &Value::Null,
        )
        .await;
    assert_eq!(shown.body["in_use"], false);
    // The pool created the client, and it was not stored.
    let name = ProviderName::of(&world.ada.tenant.alias);
    let left = world
        .people
        .identity
        .create_federation(&name, "https://a.example/")
        .await
        .unwrap();
    assert_eq!(world.provide(Without::Nothing, &body).await.status, 200);
    assert_eq!(
        (
            world.federation().await,
            world.federated_clients().await.len()
        ),
        (Some(left), 1)
    );
}

#[tokio::test]
async fn only_a_secure_issuer_is_accepted() {
    let world = World::new().await;
    let long = format!("https://login.engines.example/{}", "x".repeat(200));
    for issuer in [
        "",
        "login.engines.example",
        "http://login.engines.example",
        "https://",
        "https://a b",
        "ftp://x",
        &long,
        "https://user@login.engines.example",
        "https://login.engines.example?tenant=1",
        "http://127.0.0.1.example:1",
    ] {
        let answer = world.provide(Without::Nothing, &provider(issuer)).await;
        assert_eq!(slug(&answer), (422, "invalid-fields"), "{issuer}");
        assert_eq!(answer.body["fields"][0]["field"], "issuer", "{issuer}");
    }
    let mut strict = world.adapters(Without::Nothing);
    strict.with_loopback = false;
    let local = provider("http://127.0.0.1:9400");
    let payload = request(
        "PUT",
        &world.path("/identity-provider"),
        &world.admin_token().await,
        &local,
    );
    let answer = invoke(runtime::http::with_fallbacks(router(strict)), &payload).await;
    assert_eq!(
        slug(&answer),
        (422, "invalid-fields"),
        "this machine is none where AWS is"
    );

    let mut nowhere = world.adapters(Without::Nothing);
    nowhere.addresses = "".parse().unwrap();
    let answer = invoke(runtime::http::with_fallbacks(router(nowhere)), &payload).await;
    assert_eq!(slug(&answer), (409, "no-address"));
}

#[tokio::test]
async fn people_sign_in_with_the_regions_client_or_their_tenants_own() {
    let world = World::new().await;
    let mut tenant = world.ada.tenant.clone();
    let other = Client::Other("theirs".to_owned());
    assert!(is_for(&Client::Named, &tenant) && !is_for(&other, &tenant));
    let identity_provider = ProviderName::of(&tenant.alias);
    tenant.federation = Some(Federation {
        client_id: "theirs".to_owned(),
        identity_provider,
        trusts_unverified_email: false,
    });
    assert!(is_for(&other, &tenant) && !is_for(&Client::Other("another".to_owned()), &tenant));
}

/// A person's token of the pool, issued to an unknown client.
#[tokio::test]
async fn a_token_of_another_client_is_refused() {
    let world = World::new().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&world.region.aws.config);
    let created = cognito
        .create_user_pool_client()
        .user_pool_id(&world.people.pool.id)
        .client_name("another");
    let created = created.explicit_auth_flows(
        aws_sdk_cognitoidentityprovider::types::ExplicitAuthFlowsType::AllowUserPasswordAuth,
    );
    let client = created
        .send()
        .await
        .unwrap()
        .user_pool_client
        .unwrap()
        .client_id
        .unwrap();
    let signed_in = cognito
        .initiate_auth()
        .client_id(&client)
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", world.ada.user.username.to_string())
        .auth_parameters("PASSWORD", PASSWORD);
    let token = signed_in
        .send()
        .await
        .unwrap()
        .authentication_result
        .unwrap()
        .access_token
        .unwrap();
    for path in [world.path(""), "/entitlements".to_owned()] {
        let answer = world.send(&token, "GET", &path, &Value::Null).await;
        assert_eq!(slug(&answer), (401, "unauthorized"), "{path}");
    }
}

/// The provider itself need not be changed for this setting.
#[tokio::test]
async fn the_acceptance_of_unverified_addresses_can_be_set() {
    let world = World::new().await;
    let token = world.admin_token().await;
    for (requested, expected) in [
        (json!(null), false),
        (json!(true), true),
        (json!(false), false),
        (json!(true), true),
    ] {
        let mut body = provider("https://login.engines.example");
        if !requested.is_null() {
            body["trusts_unverified_email"] = requested;
        }
        let answer = world.provide(Without::Nothing, &body).await;
        assert_eq!(
            (answer.status, &answer.body["trusts_unverified_email"]),
            (200, &json!(expected))
        );
        assert_eq!(
            world.federation().await.unwrap().trusts_unverified_email,
            expected
        );
        let shown = world
            .send(
                &token,
                "GET",
                &world.path("/identity-provider"),
                &Value::Null,
            )
            .await;
        assert_eq!(shown.body["trusts_unverified_email"], expected);
    }
    let mut body = provider("https://login.engines.example");
    body["trusts_unverified_email"] = json!("true");
    assert_eq!(
        slug(&world.provide(Without::Nothing, &body).await),
        (422, "invalid-body")
    );
}
