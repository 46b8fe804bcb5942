//! Profile, plan and audit trail.

use super::*;
use kernel::Suspension;

async fn profile(world: &World) -> Value {
    let answer = world
        .send(
            &world.admin_token().await,
            "GET",
            &world.path(""),
            &Value::Null,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn the_profile_shows_the_tenant() {
    let world = World::new().await;
    assert_eq!(
        profile(&world).await,
        json!({
            "id": world.tenant(),
            "alias": "23456789abcd",
            "organisation": "Analytical Engines Ltd",
            "language": "en",
            "billing_anchor": "00:00",
            "address": null,
            "plan": "starter",
            "requested_plan": null,
            "status": "active",
            "entitlements": world.region.tenant(world.tenant()).await.policy.entitlements,
            "policy_version": 0,
            "closure": null,
            "users": 2,
            "admins": 1,
            "invitations": 1,
        })
    );
    let member = world.token(world.charles.username).await;
    assert_eq!(
        world
            .send(&member, "GET", &world.path(""), &Value::Null)
            .await
            .body,
        profile(&world).await
    );

    let organisation = json!({ "organisation": " Difference Engines Ltd " });
    let changed = world
        .send(
            &world.admin_token().await,
            "PATCH",
            &world.path(""),
            &organisation,
        )
        .await;
    assert_eq!(
        (changed.status, &changed.body["organisation"]),
        (200, &json!("Difference Engines Ltd"))
    );
    assert_eq!(profile(&world).await, changed.body);
}

#[tokio::test]
async fn a_requested_plan_is_published_and_shown_until_it_is_in_force() {
    let world = World::new().await;
    let body = json!({ "plan": "pro" });
    let requested = world
        .send(
            &world.admin_token().await,
            "POST",
            &world.path("/plan-changes"),
            &body,
        )
        .await;
    let shown = json!({ "plan": "pro", "requested_at": "2026-11-20T10:00:00Z" });
    assert_eq!((requested.status, &requested.body), (202, &shown));
    let published = world.region.published("PlanChangeRequested.v1").await;
    assert_eq!(published.len(), 1);
    assert_eq!(
        published[0]["data"],
        json!({ "tenant": world.tenant(), "plan": "pro", "revision": 1 })
    );
    assert_eq!(
        (
            &profile(&world).await["plan"],
            &profile(&world).await["requested_plan"]
        ),
        (&json!("starter"), &shown)
    );
    world
        .region
        .publish(world.tenant(), "pro", None, moment("2026-11-20T11:00:00Z"))
        .await;
    assert_eq!(
        (
            &profile(&world).await["plan"],
            &profile(&world).await["requested_plan"]
        ),
        (&json!("pro"), &Value::Null)
    );
}

#[tokio::test]
async fn a_closing_tenant_shows_until_when_it_can_be_reopened() {
    let world = World::new().await;
    world
        .region
        .publish(
            world.tenant(),
            "starter",
            Some(Suspension::Dunning),
            earlier(),
        )
        .await;
    assert_eq!(profile(&world).await["status"], "suspended");
    world
        .region
        .publish(world.tenant(), "starter", None, earlier())
        .await;
    world
        .region
        .close(world.tenant(), &digest("code"), earlier())
        .await;
    let profile = profile(&world).await;
    assert_eq!(profile["status"], "closing");
    let closure =
        json!({ "requested_at": "2026-11-20T09:30:00Z", "ends_at": "2026-12-20T09:30:00Z" });
    assert_eq!(profile["closure"], closure);
}

#[tokio::test]
async fn the_trail_is_read_page_by_page_and_records_the_reads() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let whole = world.trail(world.tenant()).await;
    let (mut entries, mut query) = (Vec::new(), "?limit=2".to_owned());
    let first = world
        .send(
            &token,
            "GET",
            &world.path(&format!("/audit{query}")),
            &Value::Null,
        )
        .await;
    let mut page = first.body;
    loop {
        entries.extend(page["entries"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
        page = world
            .send(
                &token,
                "GET",
                &world.path(&format!("/audit{query}")),
                &Value::Null,
            )
            .await
            .body;
    }
    assert_eq!(json!(entries), json!(whole), "newest first, and none twice");
    let reads = world
        .trail(world.tenant())
        .await
        .into_iter()
        .filter(|entry| entry.action == AuditAction::ReadAudit);
    assert_eq!(reads.count(), whole.len().div_ceil(2));
}

/// Neither the audit trail nor an event nor a refusal holds personal data.
#[tokio::test]
async fn the_trail_names_nobody() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let mut shown = String::new();
    for (method, path, body) in [
        ("GET", "/users", Value::Null),
        (
            "POST",
            "/invitations",
            json!({ "email": "charles@engines.example", "role": "member" }),
        ),
        (
            "POST",
            "/invitations",
            json!({ "email": "somebody else", "role": "member" }),
        ),
        (
            "PATCH",
            "",
            json!({ "organisation": "Difference Engines Ltd" }),
        ),
        (
            "PATCH",
            "",
            json!({ "organisation": "Difference\nEngines" }),
        ),
    ] {
        let answer = world.send(&token, method, &world.path(path), &body).await;
        if answer.status >= 400 {
            shown += &answer.body.to_string();
        }
    }
    shown += &serde_json::to_string(&world.trail(world.tenant()).await).unwrap();
    shown += &json!(world.region.published("TenantStatusChanged.v1").await).to_string();
    for personal in [
        "Analytical",
        "Difference",
        "Ada",
        "Charles",
        "charles",
        "engines",
        "somebody",
    ] {
        assert!(!shown.contains(personal), "{personal} is shown");
    }
}
