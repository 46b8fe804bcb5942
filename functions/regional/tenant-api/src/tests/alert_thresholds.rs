//! Levels of usage.

use super::*;

async fn send(world: &World, token: &str, method: &str, body: &Value) -> Answer {
    world
        .send(token, method, &world.path("/alert-thresholds"), body)
        .await
}

/// What is shown of the plan's two meters, with the tenant's own levels of each.
fn shown(api_calls: &[u16], transfer: &[u16]) -> Value {
    let plan = json!([50, 80, 100]);
    json!({ "thresholds": [
        { "meter": "api-calls", "allowance": "100000", "plan_percents": plan, "percents": api_calls },
        { "meter": "transfer-gb", "allowance": "100", "plan_percents": plan, "percents": transfer },
    ] })
}

#[tokio::test]
async fn an_administrator_adds_levels_to_those_of_the_plan() {
    let world = World::new().await;
    let (admin, member) = (
        world.admin_token().await,
        world.token(world.charles.username).await,
    );
    assert_eq!(
        send(&world, &member, "GET", &Value::Null).await.body,
        shown(&[], &[])
    );
    let wish = json!({ "thresholds": [
        { "meter": "transfer-gb", "percents": [90, 25, 90] }, { "meter": "api-calls", "percents": [] },
    ] });
    for _ in 0..2 {
        let set = send(&world, &admin, "PUT", &wish).await;
        assert_eq!((set.status, set.body), (200, shown(&[], &[25, 90])));
    }
    assert_eq!(
        send(&world, &member, "GET", &Value::Null).await.body,
        shown(&[], &[25, 90])
    );
    let trail = json!(world.trail(world.tenant()).await).to_string();
    assert_eq!(
        trail.matches("set-alert-thresholds").count(),
        1,
        "what changes nothing is not noted"
    );

    let wish = json!({ "thresholds": [{ "meter": "api-calls", "percents": [1_000] }] });
    assert_eq!(
        send(&world, &admin, "PUT", &wish).await.body,
        shown(&[1_000], &[])
    );
    assert_eq!(
        send(&world, &admin, "PUT", &json!({ "thresholds": [] }))
            .await
            .body,
        shown(&[], &[])
    );
    assert_eq!(
        send(&world, &member, "GET", &Value::Null).await.body,
        shown(&[], &[])
    );
}

#[tokio::test]
async fn another_plan_keeps_a_tenants_own_levels() {
    let world = World::new().await;
    let admin = world.admin_token().await;
    let wish = json!({ "thresholds": [{ "meter": "transfer-gb", "percents": [25] }] });
    assert_eq!(send(&world, &admin, "PUT", &wish).await.status, 200);
    world
        .region
        .publish(world.tenant(), "pro", None, earlier())
        .await;
    let levels = send(&world, &admin, "GET", &Value::Null).await.body["thresholds"].take();
    let of: Vec<_> = levels
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (&of["allowance"], &of["percents"]))
        .collect();
    let (none, own) = (json!([]), json!([25]));
    let expected = [("5000000", &none), ("2000", &own), ("10000", &none)]
        .map(|(allowance, own)| (json!(allowance), own));
    assert_eq!(
        of,
        expected
            .iter()
            .map(|(allowance, own)| (allowance, *own))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn levels_that_cannot_be_are_refused_by_name() {
    let world = World::new().await;
    let admin = world.admin_token().await;
    let check = async |levels: Value, field: &str| {
        let refused = send(&world, &admin, "PUT", &json!({ "thresholds": levels })).await;
        assert_eq!(
            (slug(&refused), &refused.body["fields"][0]["field"]),
            ((422, "invalid-fields"), &json!(field))
        );
    };
    check(
        json!([{ "meter": "active-users", "percents": [50] }]),
        "meter",
    )
    .await;
    check(json!([{ "meter": "api-calls", "percents": [50] }, { "meter": "api-calls", "percents": [60] }]), "meter")
        .await;
    check(
        json!([{ "meter": "api-calls", "percents": [0] }]),
        "percents",
    )
    .await;
    check(
        json!([{ "meter": "api-calls", "percents": [1_001] }]),
        "percents",
    )
    .await;
    check(
        json!([{ "meter": "api-calls", "percents": vec![1; 11] }]),
        "percents",
    )
    .await;
    for malformed in [
        json!([-1]),
        json!([12.5]),
        json!(["50"]),
        json!(50),
        json!([70_000]),
    ] {
        let body = json!({ "thresholds": [{ "meter": "api-calls", "percents": malformed }] });
        assert_eq!(
            slug(&send(&world, &admin, "PUT", &body).await),
            (422, "invalid-body"),
            "{body}"
        );
    }
    assert_eq!(
        send(&world, &admin, "GET", &Value::Null).await.body,
        shown(&[], &[])
    );
}
