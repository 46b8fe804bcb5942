//! The end of a tenant, and its undoing.

use super::*;
use kernel::TenantStatus;

async fn close(world: &World) -> Answer {
    world
        .send(
            &world.admin_token().await,
            "POST",
            &world.path("/closure"),
            &Value::Null,
        )
        .await
}

async fn undo(world: &World, token: &str, body: &Value) -> Answer {
    world
        .send(token, "POST", &world.path("/closure/undo"), body)
        .await
}

#[tokio::test]
async fn a_closure_can_be_undone_by_the_code_that_came_with_it() {
    let world = World::new().await;
    let closed = close(&world).await;
    assert_eq!(
        (closed.status, &closed.body["ends_at"]),
        (202, &json!("2026-12-20T10:00:00Z"))
    );
    let code = closed.body["undo_code"].as_str().unwrap();
    assert!(
        code.len() == 32 && code.bytes().all(|b| b.is_ascii_hexdigit()),
        "{code}"
    );
    let tenant = world.region.tenant(world.tenant()).await;
    assert_eq!(tenant.status, TenantStatus::Closing);
    assert_eq!(
        tenant.closure.unwrap().undo,
        Some(digest(code)),
        "only a digest is stored"
    );

    for (wrong, title) in [
        ("f".repeat(32), "another"),
        ("f".repeat(31), "too short"),
        (format!("{code}0"), "too long"),
        ("0".repeat(32), "of zeros"),
    ] {
        let refused = undo(&world, "", &json!({ "code": wrong })).await;
        assert_eq!(slug(&refused), (422, "wrong-code"), "{title}");
    }
    // The code as pasted out of a mail that broke the line.
    let pasted = format!(
        " {}-{}\n{}\u{a0}",
        &code[..8],
        &code[8..20],
        code[20..].to_uppercase()
    );
    let undone = undo(&world, "", &json!({ "code": pasted })).await;
    assert_eq!(
        (undone.status, &undone.body),
        (200, &json!({ "status": "active" }))
    );
    assert_eq!(
        slug(&undo(&world, "", &json!({ "code": code })).await),
        (422, "wrong-code"),
        "it is used up"
    );
    let statuses: Vec<_> = world.region.published("TenantStatusChanged.v1").await;
    let statuses: Vec<_> = statuses
        .iter()
        .map(|event| (&event["data"]["status"], &event["data"]["reason"]))
        .collect();
    assert_eq!(
        statuses[2..],
        [
            (&json!("closing"), &json!("closure_requested")),
            (&json!("active"), &json!("closure_undone"))
        ]
    );
    let by: Vec<_> = world
        .trail(world.tenant())
        .await
        .into_iter()
        .map(|entry| (entry.action, entry.actor, entry.refused))
        .collect();
    assert!(by.contains(&(AuditAction::UndoClosure, Actor::Holder, None)));
    let tries = by.iter().filter(|(_, actor, refused)| {
        *actor == Actor::Holder && refused.as_deref() == Some("wrong-code")
    });
    assert_eq!(tries.count(), 2, "a malformed code is not an attempt");
}

/// The response with the first code may have been lost.
#[tokio::test]
async fn a_repeated_closure_returns_another_code() {
    let world = World::new().await;
    let (first, second) = (close(&world).await, close(&world).await);
    assert_eq!(
        (second.status, &second.body["ends_at"]),
        (202, &first.body["ends_at"])
    );
    let by = async |answer: &Answer| {
        undo(&world, "", &json!({ "code": answer.body["undo_code"] })).await
    };
    assert_eq!(slug(&by(&first).await), (422, "wrong-code"));
    assert_eq!(by(&second).await.status, 200);
}

#[tokio::test]
async fn a_closure_can_be_undone_by_an_administrator_who_is_signed_in() {
    let world = World::new().await;
    let token = world.admin_token().await;
    assert_eq!(
        slug(&undo(&world, &token, &Value::Null).await),
        (409, "tenant-not-closing")
    );
    close(&world).await;
    let member = world.token(world.charles.username).await;
    assert_eq!(
        slug(&undo(&world, &member, &Value::Null).await),
        (403, "admins-only")
    );
    assert_eq!(
        undo(&world, &token, &Value::Null).await.body,
        json!({ "status": "active" })
    );
    close(&world).await;
    assert_eq!(
        undo(&world, &token, &json!({})).await.status,
        200,
        "an empty document is as good as none"
    );
}

#[tokio::test]
async fn a_closure_cannot_be_undone_when_its_grace_is_over() {
    let mut world = World::new().await;
    let settings = "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=0 retention_days=30 hosted_zone=";
    world.region.settings = settings.parse().unwrap();
    let code = close(&world).await.body["undo_code"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = world.admin_token().await;
    assert_eq!(
        slug(&undo(&world, &token, &Value::Null).await),
        (409, "grace-over")
    );
    assert_eq!(
        slug(&undo(&world, "", &json!({ "code": code })).await),
        (409, "grace-over")
    );
}

/// Wrong codes are limited, and do not shut out the holder of the right one.
#[tokio::test]
async fn wrong_codes_are_limited() {
    let world = World::new().await;
    let code = close(&world).await.body["undo_code"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        slug(&undo(&world, "", &json!({ "code": "short" })).await),
        (422, "wrong-code"),
        "and not counted"
    );
    for n in 0..10 {
        // The same code again is another attempt.
        let wrong = json!({ "code": format!("{:032x}", n / 2) });
        assert_eq!(slug(&undo(&world, "", &wrong).await), (422, "wrong-code"));
    }
    let limited = undo(&world, "", &json!({ "code": format!("{:032x}", 10) })).await;
    assert_eq!(slug(&limited), (429, "too-many-requests"));
    assert!(limited.headers.contains_key("retry-after"));
    let noted = world
        .refusals()
        .await
        .into_iter()
        .filter(|(.., slug)| slug == "wrong-code")
        .count();
    assert_eq!(noted, 10, "the trail is bounded too");
    assert_eq!(undo(&world, "", &json!({ "code": code })).await.status, 200);
}

/// A source that tries codes at many tenants is stopped before anything is read.
#[tokio::test]
async fn codes_of_one_source_are_limited() {
    let world = World::new().await;
    let body = json!({ "code": "f".repeat(32) });
    for n in 0..=30 {
        let path = format!("/tenants/01935f6e-7b10-7c3a-8f21-{n:012}/closure/undo");
        let wanted = if n < 30 {
            (422, "wrong-code")
        } else {
            (429, "too-many-requests")
        };
        assert_eq!(
            slug(&world.send("", "POST", &path, &body).await),
            wanted,
            "try {n}"
        );
    }
}

/// A caller without the code learns nothing: neither whether the tenant exists nor whether it is
/// closing.
#[tokio::test]
async fn a_wrong_code_discloses_nothing_of_the_tenant() {
    let world = World::new().await;
    let body = json!({ "code": "f".repeat(32) });
    let active = undo(&world, "", &body).await;
    assert_eq!(slug(&active), (422, "wrong-code"));
    for tenant in ["01935f6e-7b10-7c3a-8f21-000000000001", "example"] {
        let none = world
            .send(
                "",
                "POST",
                &format!("/tenants/{tenant}/closure/undo"),
                &body,
            )
            .await;
        assert_eq!(
            (none.status, &none.body),
            (active.status, &active.body),
            "{tenant}"
        );
    }
    close(&world).await;
    let closing = undo(&world, "", &body).await;
    assert_eq!((closing.status, closing.body), (active.status, active.body));
}
