//! The accounts of a tenant's users in the user pool, and the validity of their tokens there.

use super::*;
use futures::future::join_all;
use std::time::Duration;
use tenancy::{Context, Federation, ProviderName};
use tenant_store::{LoadOptions, TenantView};

impl World {
    /// Creates an account that Meridian has not created.
    async fn plant(&self, name: &str, email: &str) {
        let email = aws_sdk_cognitoidentityprovider::types::AttributeType::builder()
            .name("email")
            .value(email);
        let planted = self
            .cognito()
            .admin_create_user()
            .user_pool_id(&self.people.pool.id)
            .username(name);
        planted
            .user_attributes(email.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    async fn accounts(&self) -> Vec<String> {
        let listed = self
            .cognito()
            .list_users()
            .user_pool_id(&self.people.pool.id)
            .send()
            .await
            .unwrap();
        let mut names: Vec<_> = listed
            .users()
            .iter()
            .map(|user| user.username().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    async fn delete_own_account(&self, token: &str) {
        self.cognito()
            .delete_user()
            .access_token(token)
            .send()
            .await
            .unwrap();
    }
}

/// Requests that need a session: an administrator's read, a change, and the closure.
const REQUESTS: [(&str, &str); 3] = [("GET", "/users"), ("PATCH", ""), ("POST", "/closure")];

async fn ask(world: &World, token: &str) -> Vec<u16> {
    let body = |method: &str| {
        if method == "PATCH" {
            json!({ "organisation": "Engines Ltd" })
        } else {
            Value::Null
        }
    };
    let statuses = REQUESTS.iter().map(async |(method, rest)| {
        world
            .send(token, method, &world.path(rest), &body(method))
            .await
            .status
    });
    join_all(statuses).await
}

#[tokio::test]
async fn a_sign_out_from_everywhere_ends_a_token() {
    let world = World::new().await;
    let (tenant, token) = (
        world.region.tenant(world.tenant()).await,
        world.admin_token().await,
    );
    world
        .cognito()
        .global_sign_out()
        .access_token(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(ask(&world, &token).await, [401; 3]);
    assert_eq!(world.region.tenant(world.tenant()).await, tenant);
    // The local AWS compares sign-outs and tokens by the second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let token = world.admin_token().await;
    assert_eq!(
        world
            .send(&token, "GET", &world.path("/users"), &Value::Null)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_disabled_account_administers_nothing() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let name = world.ada.user.username.to_string();
    world
        .cognito()
        .admin_disable_user()
        .user_pool_id(&world.people.pool.id)
        .username(name)
        .send()
        .await
        .unwrap();
    assert_eq!(ask(&world, &token).await, [401; 3]);
}

#[tokio::test]
async fn nobody_administers_while_the_pool_does_not_answer() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let mut adapters = world.adapters(Without::Nothing);
    let gone = world
        .region
        .aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    adapters.identity = Identity::new(
        &gone,
        world.people.pool.id.clone(),
        world.people.pool.client_id.clone(),
    );
    let api = runtime::http::with_fallbacks(router(adapters));
    let users = invoke(
        api.clone(),
        &request("GET", &world.path("/users"), &token, &Value::Null),
    )
    .await;
    assert_eq!(slug(&users), (503, "identity-unavailable"));
    let profile = invoke(api, &request("GET", &world.path(""), &token, &Value::Null)).await;
    assert_eq!(
        (profile.status, &profile.body["admins"]),
        (200, &json!(1)),
        "what is stored is shown"
    );
}

/// Cognito lets people delete their own accounts without asking Meridian, so the tenant's rule of a
/// last administrator cannot hold there.
#[tokio::test]
async fn a_last_administrator_whose_account_is_deleted_is_removed_from_the_profile() {
    let world = World::new().await;
    let (ada, charles) = (
        world.admin_token().await,
        world.token(world.charles.username).await,
    );
    world.delete_own_account(&ada).await;
    assert_eq!(
        ask(&world, &ada).await,
        [401; 3],
        "the token ends with the account"
    );
    let profile = world
        .send(&charles, "GET", &world.path(""), &Value::Null)
        .await;
    assert_eq!(
        (&profile.body["admins"], &profile.body["users"]),
        (&json!(0), &json!(1)),
        "{}",
        profile.body
    );
    let reader = world.region.tenants.reader();
    assert_eq!(
        reader.load_user(world.ada.user.username).await.unwrap(),
        None
    );
    let entry = world
        .trail(world.tenant())
        .await
        .into_iter()
        .find(|entry| entry.action == AuditAction::LoseAccount);
    let entry = entry.unwrap();
    assert_eq!(
        (entry.actor, entry.target),
        (
            Actor::IdentityProvider,
            Some(world.ada.user.username.to_string())
        )
    );
    let again = world.send(&ada, "GET", &world.path(""), &Value::Null).await;
    assert_eq!(slug(&again), (403, "unknown-bearer"));
}

#[tokio::test]
async fn a_list_of_users_leaves_out_users_without_an_account() {
    let world = World::new().await;
    let token = world.admin_token().await;
    world
        .delete_own_account(&world.token(world.charles.username).await)
        .await;
    let listed = world
        .send(&token, "GET", &world.path("/users"), &Value::Null)
        .await;
    let ids: Vec<_> = listed.body["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].clone())
        .collect();
    assert_eq!(ids, [json!(world.ada.user.username)]);
    let tenant = world.region.tenant(world.tenant()).await;
    assert_eq!((tenant.admins, tenant.users), (1, 1));
    // A removed person can be invited again.
    let invited = json!({ "email": "charles@engines.example", "role": "member" });
    assert_eq!(
        world
            .send(&token, "POST", &world.path("/invitations"), &invited)
            .await
            .status,
        201
    );
}

/// The pool is checked once a minute for what is shown, and at once where an administrator gives up
/// the role.
#[tokio::test]
async fn an_administrator_without_an_account_does_not_count_as_another_administrator() {
    let world = World::new().await;
    let mary = world
        .region
        .add_user(&world.ada, "mary@engines.example", Role::Admin, earlier())
        .await;
    world.make_account(&mary).await;
    let api = world.api(Without::Nothing);
    let token = world.admin_token().await;
    let show = async || {
        let answer = invoke(
            api.clone(),
            &request("GET", &world.path(""), &token, &Value::Null),
        )
        .await;
        answer.body["admins"].clone()
    };
    assert_eq!(show().await, 2);
    world
        .delete_own_account(&world.token(mary.username).await)
        .await;
    assert_eq!(show().await, 2, "the pool was checked in this minute");
    let oneself = world.path(&format!("/users/{}", world.ada.user.username));
    for (method, body) in [
        ("PATCH", json!({ "role": "member" })),
        ("DELETE", Value::Null),
    ] {
        let refused = invoke(api.clone(), &request(method, &oneself, &token, &body)).await;
        assert_eq!(slug(&refused), (409, "last-admin"), "{method}");
    }
    assert_eq!(show().await, 1);
}

/// The account of a user who has just joined may not exist yet, and those of a tenant from another
/// pool follow one by one.
#[tokio::test]
async fn an_account_that_is_still_to_be_created_is_not_missing() {
    let world = World::new().await;
    let name = ProviderName::of(&world.ada.tenant.alias);
    let federation = Federation {
        client_id: "1example".to_owned(),
        identity_provider: name.clone(),
        trusts_unverified_email: false,
    };
    let join = async |subject: &str, at: &str| {
        let account: tenancy::AccountName = format!("{name}_{subject}").parse().unwrap();
        let username = Username::of_account(account.expose());
        let email = format!("{subject}@engines.example").parse().unwrap();
        let person = tenancy::Newcomer {
            account,
            email,
            is_verified: true,
        };
        world
            .region
            .change(
                world.tenant(),
                LoadOptions {
                    user: Some(username),
                    ..LoadOptions::TENANT
                },
                moment(at),
                |loaded, context| {
                    tenancy::decide_newcomer(
                        &loaded.state,
                        &person,
                        tenancy::JoinConditions::default(),
                        context,
                    )
                },
            )
            .await;
        username
    };
    let federate = |loaded: &TenantView, _: &Context| {
        Ok(tenancy::decide_federation(&loaded.state, &federation))
    };
    world
        .region
        .change(world.tenant(), LoadOptions::TENANT, earlier(), federate)
        .await;
    let gone = join("gone", "2026-11-20T09:49:00Z").await;
    let new = join("new", "2026-11-20T09:51:00Z").await;
    let list = async || {
        let token = world.admin_token().await;
        world
            .send(&token, "GET", &world.path("/users"), &Value::Null)
            .await
    };
    let listed = list().await;
    let ids = listed.body["users"].to_string();
    assert!(
        ids.contains(&new.to_string()) && !ids.contains(&gone.to_string()),
        "{ids}"
    );

    world.region.make_previous(world.tenant()).await;
    world
        .people
        .identity
        .delete_account(&world.charles.account_name())
        .await
        .unwrap();
    let listed = list().await;
    assert!(
        listed.body["users"]
            .to_string()
            .contains(&world.charles.username.to_string()),
        "{}",
        listed.body
    );
}

/// Every account with the person's address is deleted, also under other usernames, and no other
/// user's.
#[tokio::test]
async fn a_removal_deletes_every_account_with_the_address() {
    let world = World::new().await;
    let (uuid, email) = (
        world.charles.username.to_string(),
        world.charles.email.expose(),
    );
    let alias = &world.ada.tenant.alias;
    for name in [
        uuid.replace('-', ""),
        format!("{{{uuid}}}"),
        uuid.to_uppercase(),
        format!("oidc-{alias}_stray"),
    ] {
        world.plant(&name, email).await;
    }
    // The same person, in another tenant.
    let other = Newcomer {
        email: email.to_owned(),
        ..Newcomer::somebody()
    };
    let other = world.region.activate(&other).await;
    world.make_account(&other.user).await;
    let token = world.admin_token().await;
    let removed = world
        .send(
            &token,
            "DELETE",
            &world.path(&format!("/users/{uuid}")),
            &Value::Null,
        )
        .await;
    assert_eq!(removed.status, 204, "{}", removed.body);
    let mut left = vec![
        world.ada.user.username.to_string(),
        other.user.username.to_string(),
    ];
    left.sort();
    assert_eq!(world.accounts().await, left);
}
