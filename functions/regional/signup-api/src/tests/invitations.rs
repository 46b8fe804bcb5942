//! Invited people join.

use super::*;
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use kernel::Role;
use tenancy::InvitationCode;

const EMAIL: &str = "charles@engines.example";

fn acceptance(code: &InvitationCode) -> Value {
    json!({
        "code": code.reveal(),
        "name": "Charles Babbage",
        "password": "Analytical-Engine-3",
        "terms": "1",
        "data_processing": "1",
    })
}

async fn accept(api: Router, body: &Value, token: Option<&str>) -> Answer {
    let mut payload = request("POST", "/invitations/acceptance", None, body);
    // The fixtures invite now, so the request has to be of now as well.
    payload["requestContext"]["timeEpoch"] = json!(runtime::now().as_millisecond());
    if let Some(token) = token {
        payload["headers"]["authorization"] = json!(format!("Bearer {token}"));
    }
    invoke(api, &payload).await
}

/// An active tenant that invited Charles.
async fn invited(world: &World) -> (SignUp, InvitationCode) {
    let made = world.region.activate(&Newcomer::ada()).await;
    let now = runtime::now();
    let code = world
        .region
        .invite(made.tenant.id, made.user.username, EMAIL, Role::Member, now)
        .await;
    (made, code)
}

async fn sign_in(world: &World, username: &str, password: &str) -> Option<String> {
    let signed_in = world
        .cognito()
        .initiate_auth()
        .client_id(&world.people.pool.client_id);
    let signed_in = signed_in
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", username);
    let answer = signed_in
        .auth_parameters("PASSWORD", password)
        .send()
        .await
        .ok()?;
    answer.authentication_result?.access_token
}

#[tokio::test]
async fn an_invited_person_joins_once_and_signs_in() {
    let world = World::new().await;
    let (made, code) = invited(&world).await;
    let joined = accept(world.api(), &acceptance(&code), None).await;
    assert_eq!(
        (joined.status, &joined.body["alias"]),
        (201, &json!(made.tenant.alias)),
        "{}",
        joined.body
    );
    let username = joined.body["username"].as_str().unwrap();
    assert!(
        sign_in(&world, username, "Analytical-Engine-3")
            .await
            .is_some()
    );
    let user = world
        .region
        .tenants
        .reader()
        .load_user(username.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (user.role, user.consents.len(), user.confirmed_at.is_some()),
        (Role::Member, 2, true)
    );
    let mut other = acceptance(&code);
    other["password"] = json!("Somebody-Elses-4");
    assert_eq!(
        slug(&accept(world.api(), &other, None).await),
        (404, "no-invitation"),
        "used twice"
    );
    assert!(
        sign_in(&world, username, "Somebody-Elses-4")
            .await
            .is_none()
    );
    assert_eq!(
        (
            world.region.tenant(made.tenant.id).await.users,
            world.accounts().await
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn a_replaced_or_guessed_code_is_refused() {
    let world = World::new().await;
    let (made, old) = invited(&world).await;
    let now = runtime::now();
    let code = world
        .region
        .invite(made.tenant.id, made.user.username, EMAIL, Role::Member, now)
        .await;
    assert_ne!(old.reveal(), code.reveal());
    let guessed = InvitationCode::from_random(code.invitation(), [0; 16]);
    for wrong in [&old, &guessed] {
        assert_eq!(
            slug(&accept(world.api(), &acceptance(wrong), None).await),
            (404, "no-invitation")
        );
    }
    assert_eq!(
        (
            world.region.tenant(made.tenant.id).await.users,
            world.accounts().await
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_weak_password_or_an_outdated_document_does_not_use_up_the_code() {
    let world = World::new().await;
    let (_, code) = invited(&world).await;
    for (member, value, refused) in [
        ("password", "weak", "weak-password"),
        ("terms", "0", "invalid-fields"),
    ] {
        let mut body = acceptance(&code);
        body[member] = json!(value);
        assert_eq!(
            slug(&accept(world.api(), &body, None).await),
            (422, refused)
        );
    }
    assert_eq!(
        accept(world.api(), &acceptance(&code), None).await.status,
        201
    );
}

/// The inviter is not a user any more.
#[tokio::test]
async fn the_invitation_of_a_removed_administrator_is_void() {
    let world = World::new().await;
    let made = world.region.activate(&Newcomer::ada()).await;
    let now = runtime::now();
    let rogue = world
        .region
        .add_user(&made, "rogue@engines.example", Role::Admin, now)
        .await;
    let code = world
        .region
        .invite(made.tenant.id, rogue.username, EMAIL, Role::Admin, now)
        .await;
    let reach = tenant_store::LoadOptions {
        user: Some(rogue.username),
        ..tenant_store::LoadOptions::TENANT
    };
    world
        .region
        .change(made.tenant.id, reach, now, |loaded, context| {
            let rogue = loaded.user.as_ref().unwrap();
            tenancy::decide_removal(&loaded.state, rogue, made.user.username, context).map(Some)
        })
        .await;
    assert_eq!(
        slug(&accept(world.api(), &acceptance(&code), None).await),
        (404, "no-invitation")
    );
    assert_eq!(world.accounts().await, 0);
}

/// The user is stored and the account is not created, or it is created and that is not stored.
#[tokio::test]
async fn an_interrupted_acceptance_is_completed_by_its_code() {
    for with_account in [false, true] {
        let world = World::new().await;
        let (made, code) = invited(&world).await;
        let cut = accept(world.api_without_pool(), &acceptance(&code), None).await;
        assert_eq!(slug(&cut), (503, "identity-unavailable"));
        let reader = world.region.tenants.reader();
        let listed = reader
            .list_users(made.tenant.id, None, 10)
            .await
            .unwrap()
            .entries;
        let charles = listed
            .into_iter()
            .find(|user| user.email.expose() == EMAIL)
            .unwrap();
        assert_eq!(charles.confirmed_at, None);
        if with_account {
            let password = "Analytical-Engine-3".parse().unwrap();
            world
                .people
                .identity
                .create_proved(charles.username, &charles.email, &password)
                .await
                .unwrap();
        }
        assert_eq!(
            accept(world.api(), &acceptance(&code), None).await.status,
            201,
            "{with_account}"
        );
        assert!(
            sign_in(&world, &charles.username.to_string(), "Analytical-Engine-3")
                .await
                .is_some()
        );
        assert_eq!(world.region.tenant(made.tenant.id).await.users, 2);
    }
}

/// A user of another tenant of the region need not send a name again, and only an invitation to the
/// user's own address counts.
#[tokio::test]
async fn a_person_known_in_the_region_joins_with_a_token() {
    let world = World::new().await;
    let (made, code) = invited(&world).await;
    let other = Newcomer {
        email: EMAIL.to_owned(),
        name: "Charles B.".to_owned(),
        ..Newcomer::somebody()
    };
    let stranger = Newcomer::somebody();
    let mut tokens = Vec::new();
    for newcomer in [&other, &stranger] {
        let theirs = world.region.activate(newcomer).await;
        let (name, password) = (theirs.user.username, newcomer.password.parse().unwrap());
        world
            .people
            .identity
            .create_proved(name, &theirs.user.email, &password)
            .await
            .unwrap();
        tokens.push(
            sign_in(&world, &name.to_string(), &newcomer.password)
                .await
                .unwrap(),
        );
    }
    let body = json!({ "code": code.reveal(), "password": "Analytical-Engine-3" });
    assert_eq!(
        slug(&accept(world.api(), &body, None).await),
        (422, "invalid-fields"),
        "without a token"
    );
    let refused = accept(world.api(), &body, Some(&tokens[1])).await;
    assert_eq!(
        slug(&refused),
        (404, "no-invitation"),
        "somebody else's invitation"
    );
    assert_eq!(
        slug(&accept(world.api(), &body, Some("a.b.c")).await),
        (401, "unauthorized")
    );
    let joined = accept(world.api(), &body, Some(&tokens[0])).await;
    assert_eq!(
        (joined.status, &joined.body["alias"]),
        (201, &json!(made.tenant.alias)),
        "{}",
        joined.body
    );
    let username = joined.body["username"].as_str().unwrap().parse().unwrap();
    let user = world
        .region
        .tenants
        .reader()
        .load_user(username)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((user.name.expose(), user.consents.len()), ("Charles B.", 2));
}
