//! Entitlements.

use super::*;
use kernel::Suspension;

async fn read(world: &World, token: &str, query: &str) -> Answer {
    world
        .send(token, "GET", &format!("/entitlements{query}"), &Value::Null)
        .await
}

async fn service(world: &World, scope: &str) -> String {
    testkit::machine_token(&world.region.aws, &world.people.pool, scope).await
}

#[tokio::test]
async fn a_user_reads_the_entitlements_of_the_own_tenant() {
    let world = World::new().await;
    let tenant = world
        .region
        .publish(world.tenant(), "pro", None, earlier())
        .await;
    for user in [world.ada.user.username, world.charles.username] {
        let answer = read(&world, &world.token(user).await, "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "private, max-age=30");
        let expected = json!({
            "tenant": tenant.id, "alias": tenant.alias, "region": world.region.code, "status": "active",
            "plan": "pro", "entitlements": tenant.policy.entitlements, "policy_version": tenant.policy.version,
        });
        assert_eq!(answer.body, expected);
    }
    let token = world.admin_token().await;
    assert_eq!(
        read(&world, &token, &format!("?tenant={}", world.tenant()))
            .await
            .status,
        200
    );
    let (other, ..) = world.other().await;
    assert_eq!(
        slug(&read(&world, &token, &format!("?tenant={}", other.tenant.id)).await),
        (404, "unknown-tenant")
    );
}

#[tokio::test]
async fn a_suspension_shows_and_a_former_user_sees_nothing() {
    let world = World::new().await;
    let (admin, member) = (
        world.admin_token().await,
        world.token(world.charles.username).await,
    );
    let oneself = world.path(&format!("/users/{}", world.charles.username));
    assert_eq!(
        world
            .send(&member, "DELETE", &oneself, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        slug(&read(&world, &member, "").await),
        (403, "unknown-bearer")
    );
    world
        .region
        .publish(
            world.tenant(),
            "starter",
            Some(Suspension::Operator),
            earlier(),
        )
        .await;
    assert_eq!(read(&world, &admin, "").await.body["status"], "suspended");
}

#[tokio::test]
async fn the_providers_service_names_a_tenant_of_this_region() {
    let world = World::new().await;
    let token = service(&world, "tenant/read").await;
    let answer = read(&world, &token, &format!("?tenant={}", world.tenant())).await;
    assert_eq!(
        (answer.status, &answer.body["tenant"]),
        (200, &json!(world.tenant()))
    );
    for query in [
        "",
        "?tenant=other",
        "?tenant=01935f6e-7b10-7c3a-8f21-000000000001",
    ] {
        assert_eq!(
            slug(&read(&world, &token, query).await),
            (404, "unknown-tenant"),
            "{query}"
        );
    }
    let token = service(&world, "usage/write").await;
    let answer = read(&world, &token, &format!("?tenant={}", world.tenant())).await;
    assert_eq!(slug(&answer), (403, "missing-scope"));
}

#[tokio::test]
async fn an_unknown_client_reads_nothing() {
    let world = World::new().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&world.region.aws.config);
    let (id, secret) = testkit::add_client(&cognito, &world.people.pool.id, &["tenant/read"]).await;
    let token = testkit::client_token(&world.region.aws, &id, &secret, "tenant/read").await;
    for query in [String::new(), format!("?tenant={}", world.tenant())] {
        assert_eq!(
            slug(&read(&world, &token, &query).await),
            (401, "unauthorized"),
            "{query}"
        );
    }
    assert_eq!(slug(&read(&world, "", "").await), (401, "unauthorized"));
}

#[tokio::test]
async fn a_tenants_client_reads_no_other_tenant() {
    let world = World::new().await;
    let (other, ..) = world.other().await;
    let path = world.path("/clients");
    let made = world
        .send(
            &world.admin_token().await,
            "POST",
            &path,
            &json!({ "scopes": ["tenant/read"] }),
        )
        .await
        .body;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let token = testkit::client_token(&world.region.aws, &id, &secret, "tenant/read").await;
    assert_eq!(
        read(&world, &token, "").await.body["tenant"],
        json!(world.tenant())
    );
    assert_eq!(
        slug(&read(&world, &token, &format!("?tenant={}", other.tenant.id)).await),
        (404, "unknown-tenant")
    );
}
