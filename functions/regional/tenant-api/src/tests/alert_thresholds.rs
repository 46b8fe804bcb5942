//! Alert thresholds.

use super::*;

async fn send(world: &World, token: &str, method: &str, body: &Value) -> Answer {
    world
        .send(token, method, &world.path("/alert-thresholds"), body)
        .await
}

/// The response with the plan's two meters, and the tenant's own thresholds of each.
fn shown(api_calls: &[u16], transfer: &[u16]) -> Value {
    let plan = json!([50, 80, 100]);
    json!({ "thresholds": [
        { "meter": "api-calls", "allowance": "100000", "plan_percents": plan, "percents": api_calls },
        { "meter": "transfer-gb", "allowance": "100", "plan_percents": plan, "percents": transfer },
    ] })
}

#[tokio::test]
async fn an_administrator_adds_thresholds_to_those_of_the_plan() {
    let world = World::new().await;
    let (admin, member) = (
        world.admin_token().await,
        world.token(world.charles.username).await,
    );
    assert_eq!(
        send(&world, &member, "GET", &Value::Null).await.body,
        shown(&[], &[])
    );
    let body = json!({ "thresholds": [
        { "meter": "transfer-gb", "percents": [90, 25, 90] }, { "meter": "api-calls", "percents": [] },
    ] });
    for _ in 0..2 {
        let set = send(&world, &admin, "PUT", &body).await;
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

    let body = json!({ "thresholds": [{ "meter": "api-calls", "percents": [1_000] }] });
    assert_eq!(
        send(&world, &admin, "PUT", &body).await.body,
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
async fn a_change_of_plan_keeps_the_tenants_own_thresholds() {
    let world = World::new().await;
    let admin = world.admin_token().await;
    let body = json!({ "thresholds": [{ "meter": "transfer-gb", "percents": [25] }] });
    assert_eq!(send(&world, &admin, "PUT", &body).await.status, 200);
    world
        .region
        .publish(world.tenant(), "pro", None, earlier())
        .await;
    let thresholds = send(&world, &admin, "GET", &Value::Null).await.body["thresholds"].take();
    let of: Vec<_> = thresholds
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
async fn invalid_thresholds_are_refused_with_the_field() {
    let world = World::new().await;
    let admin = world.admin_token().await;
    let check = async |thresholds: Value, field: &str| {
        let refused = send(&world, &admin, "PUT", &json!({ "thresholds": thresholds })).await;
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
