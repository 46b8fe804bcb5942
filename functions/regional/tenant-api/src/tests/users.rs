//! Roles and removal.

use super::*;
use futures::future::join;

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let first = world
        .send(&token, "GET", &world.path("/users?limit=1"), &Value::Null)
        .await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = world
        .send(
            &token,
            "GET",
            &world.path(&format!("/users?limit=50&cursor={cursor}")),
            &Value::Null,
        )
        .await;
    assert_eq!(second.body["next_cursor"], Value::Null);
    let users: Vec<_> = [first, second]
        .iter()
        .flat_map(|page| page.body["users"].as_array().unwrap().clone())
        .collect();
    let ada = users
        .iter()
        .find(|user| user["id"] == world.ada.user.username.to_string())
        .unwrap();
    assert_eq!(
        (users.len(), &ada["email"], &ada["role"]),
        (2, &json!("ada@engines.example"), &json!("admin"))
    );
    assert!(
        users
            .iter()
            .any(|user| user["name"] == "Charles Babbage" && user["role"] == "member")
    );
    let trail = world.trail(world.tenant()).await;
    let reads: Vec<_> = trail
        .iter()
        .filter(|entry| entry.action == AuditAction::ListUsers)
        .collect();
    assert_eq!(reads.len(), 2);
    assert!(
        reads.iter().all(
            |read| read.actor == Actor::User(world.ada.user.username) && read.refused.is_none()
        )
    );
}

#[tokio::test]
async fn the_last_administrator_cannot_be_removed() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let user = |username: Username| world.path(&format!("/users/{username}"));
    let (ada, charles) = (user(world.ada.user.username), user(world.charles.username));
    assert_eq!(
        slug(
            &world
                .send(&token, "PATCH", &ada, &json!({ "role": "member" }))
                .await
        ),
        (409, "last-admin")
    );
    assert_eq!(
        slug(&world.send(&token, "DELETE", &ada, &Value::Null).await),
        (409, "last-admin")
    );
    world.token(world.ada.user.username).await;
    assert_eq!(
        world
            .send(&token, "PATCH", &charles, &json!({ "role": "admin" }))
            .await
            .body["role"],
        "admin"
    );
    assert_eq!(world.region.tenant(world.tenant()).await.admins, 2);
    assert_eq!(
        world
            .send(&token, "DELETE", &ada, &Value::Null)
            .await
            .status,
        204
    );
    let tenant = world.region.tenant(world.tenant()).await;
    assert_eq!((tenant.admins, tenant.users), (1, 1));
}

#[tokio::test]
async fn two_administrators_who_remove_each_other_at_once_leave_one() {
    for (method, body) in [
        ("PATCH", json!({ "role": "member" })),
        ("DELETE", Value::Null),
    ] {
        let world = World::new().await;
        let other = world
            .region
            .add_user(&world.ada, "mary@engines.example", Role::Admin, earlier())
            .await;
        world.make_account(&other).await;
        let tokens = [world.admin_token().await, world.token(other.username).await];
        let paths = [other.username, world.ada.user.username]
            .map(|user| world.path(&format!("/users/{user}")));
        let (first, second) = join(
            world.send(&tokens[0], method, &paths[0], &body),
            world.send(&tokens[1], method, &paths[1], &body),
        )
        .await;
        let done = [&first, &second]
            .iter()
            .filter(|answer| answer.status < 300)
            .count();
        assert_eq!(done, 1, "{method}: {} and {}", first.body, second.body);
        let left = if first.status < 300 {
            world.ada.user.username
        } else {
            other.username
        };
        assert_eq!(world.region.tenant(world.tenant()).await.admins, 1);
        world.token(left).await;
    }
}

#[tokio::test]
async fn a_removed_user_is_deleted_from_table_and_pool() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let charles = world.path(&format!("/users/{}", world.charles.username));
    assert_eq!(
        world
            .send(&token, "DELETE", &charles, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        slug(&world.send(&token, "DELETE", &charles, &Value::Null).await),
        (404, "unknown-user")
    );
    let reader = world.region.tenants.reader();
    assert_eq!(
        reader.load_user(world.charles.username).await.unwrap(),
        None
    );
    let account = world
        .people
        .identity
        .create_proved(
            world.charles.username,
            &world.charles.email,
            &PASSWORD.parse().unwrap(),
        )
        .await;
    assert_eq!(
        account,
        Ok(identity::Account::Created),
        "the account was gone"
    );
    let entry = world
        .trail(world.tenant())
        .await
        .into_iter()
        .find(|entry| entry.action == AuditAction::RemoveUser);
    assert_eq!(
        entry.unwrap().target,
        Some(world.charles.username.to_string())
    );
}

/// Interrupted, or without the pool's answer, after its first steps: the same request completes a
/// removal.
#[tokio::test]
async fn an_interrupted_removal_is_completed() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let mary = world
        .region
        .add_user(&world.ada, "mary@engines.example", Role::Admin, earlier())
        .await;
    world.make_account(&mary).await;
    let path = world.path(&format!("/users/{}", mary.username));
    let payload = request("DELETE", &path, &token, &Value::Null);
    let failed = invoke(world.api(Without::Accounts), &payload).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    let reader = world.region.tenants.reader();
    assert_eq!(
        reader.load_user(mary.username).await.unwrap().unwrap().role,
        Role::Member,
        "no administrator any more"
    );
    world
        .people
        .identity
        .delete_account(&mary.account_name())
        .await
        .unwrap();
    assert_eq!(
        invoke(world.api(Without::Nothing), &payload).await.status,
        204
    );
    let tenant = world.region.tenant(world.tenant()).await;
    assert_eq!((tenant.admins, tenant.users), (1, 2));
}
