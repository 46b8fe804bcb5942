//! The authorization of every route, and the audit trail of refusals.

mod foreign;

use super::*;
use crate::access::{LifecyclePhase, Permission, authorize, is_of, reject};
use kernel::{StatusReason, Suspension, TenantStatus};
use tenancy::{Bearer, Change, Origin, decide_change};
use tenant_store::{LoadOptions, Membership};

/// Every route with a valid body; `{user}` and `{invitation}` stand for ids.
const ROUTES: [(&str, &str, &str, AuditAction); 24] = [
    ("GET", "", "", AuditAction::ReadTenant),
    (
        "PATCH",
        "",
        r#"{"organisation":"Taken Over Ltd"}"#,
        AuditAction::ChangeProfile,
    ),
    ("GET", "/users", "", AuditAction::ListUsers),
    (
        "PATCH",
        "/users/{user}",
        r#"{"role":"admin"}"#,
        AuditAction::ChangeRole,
    ),
    ("DELETE", "/users/{user}", "", AuditAction::RemoveUser),
    ("GET", "/invitations", "", AuditAction::ListInvitations),
    (
        "POST",
        "/invitations",
        r#"{"email":"mary@engines.example","role":"admin"}"#,
        AuditAction::Invite,
    ),
    (
        "POST",
        "/invitations/{invitation}/resend",
        "",
        AuditAction::ResendInvitation,
    ),
    (
        "DELETE",
        "/invitations/{invitation}",
        "",
        AuditAction::WithdrawInvitation,
    ),
    (
        "POST",
        "/plan-changes",
        r#"{"plan":"pro"}"#,
        AuditAction::RequestPlan,
    ),
    (
        "GET",
        "/alert-thresholds",
        "",
        AuditAction::ReadAlertThresholds,
    ),
    (
        "PUT",
        "/alert-thresholds",
        r#"{"thresholds":[]}"#,
        AuditAction::SetAlertThresholds,
    ),
    (
        "PUT",
        "/address",
        r#"{"subdomain":"acme"}"#,
        AuditAction::ReserveSubdomain,
    ),
    ("DELETE", "/address", "", AuditAction::ReleaseAddress),
    ("GET", "/clients", "", AuditAction::ListClients),
    (
        "POST",
        "/clients",
        r#"{"scopes":["usage/write"]}"#,
        AuditAction::CreateClient,
    ),
    ("DELETE", "/clients/{client}", "", AuditAction::RevokeClient),
    (
        "POST",
        "/clients/{client}/rotation",
        "",
        AuditAction::RotateClient,
    ),
    (
        "GET",
        "/identity-provider",
        "",
        AuditAction::ReadIdentityProvider,
    ),
    (
        "PUT",
        "/identity-provider",
        PROVIDER,
        AuditAction::SetIdentityProvider,
    ),
    (
        "DELETE",
        "/identity-provider",
        "",
        AuditAction::RemoveIdentityProvider,
    ),
    ("POST", "/closure", "", AuditAction::Close),
    ("POST", "/closure/undo", "{}", AuditAction::UndoClosure),
    ("GET", "/audit", "", AuditAction::ReadAudit),
];

/// A body that sets an identity provider.
const PROVIDER: &str =
    r#"{"issuer":"https://login.engines.example","client_id":"meridian","client_secret":"s3cret"}"#;
/// A client id that does not exist.
const CLIENT: &str = "5b62e069-cb2b-5d42-a9bb-cad80b704827";

/// A route's path with ids in it.
fn path(tenant: &str, rest: &str, user: &str, invitation: &str) -> String {
    let path = format!("/tenants/{tenant}{rest}").replace("{user}", user);
    path.replace("{invitation}", invitation)
        .replace("{client}", CLIENT)
}

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The responses of every route to a token, with the ids of the world's own tenant.
async fn answers(world: &World, token: &str) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    let (tenant, user) = (
        world.tenant().to_string(),
        world.ada.user.username.to_string(),
    );
    for (method, rest, text, _) in ROUTES {
        let path = path(&tenant, rest, &user, &world.grace.to_string());
        let answer = world.send(token, method, &path, &body(text)).await;
        let (status, slug) = slug(&answer);
        answers.push((status, slug.to_owned()));
    }
    answers
}

/// The same response from every route, except for those that are listed with their own.
fn everywhere(answer: (u16, &str), except: &[(&str, &str, (u16, &str))]) -> Vec<(u16, String)> {
    let of_route = |method: &str, rest: &str| {
        let own = except.iter().find(|(m, r, _)| *m == method && *r == rest);
        own.map_or(answer, |(_, _, own)| *own)
    };
    ROUTES
        .iter()
        .map(|(method, rest, ..)| of_route(method, rest))
        .map(|(status, slug)| (status, slug.to_owned()))
        .collect()
}

#[test]
fn every_route_is_in_the_list() {
    let document: Value =
        serde_json::from_str(include_str!("../../../../../docs/openapi/regional.json")).unwrap();
    let mut declared = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        // The one route that takes no person's token.
        if !path.starts_with("/tenants/") || path.ends_with("/administrators") {
            continue;
        }
        declared.extend(
            operations
                .as_object()
                .unwrap()
                .keys()
                .map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    for (method, rest, ..) in ROUTES {
        let route = format!("{method} /tenants/{{tenant}}{rest}");
        assert!(declared.contains(&route), "{route}");
    }
    assert_eq!(declared.len(), ROUTES.len());
}

#[tokio::test]
async fn without_a_token_nothing_is_disclosed_and_nothing_recorded() {
    let world = World::new().await;
    let trail = world.trail(world.tenant()).await;
    assert_eq!(
        answers(&world, "").await,
        everywhere((401, "unauthorized"), &[])
    );
    let service =
        testkit::machine_token(&world.region.aws, &world.people.pool, "usage/write").await;
    assert_eq!(
        answers(&world, &service).await,
        everywhere((401, "unauthorized"), &[])
    );
    assert_eq!(world.trail(world.tenant()).await, trail);
}

#[tokio::test]
async fn a_member_reads_the_profile_and_may_leave() {
    let world = World::new().await;
    let tenant = world.region.tenant(world.tenant()).await;
    let token = world.token(world.charles.username).await;
    let expected = everywhere(
        (403, "admins-only"),
        &[
            ("GET", "", (200, "")),
            ("GET", "/alert-thresholds", (200, "")),
        ],
    );
    assert_eq!(answers(&world, &token).await, expected);
    assert_eq!(world.region.tenant(world.tenant()).await, tenant);
    let noted = world.refusals().await;
    assert_eq!(noted.len(), ROUTES.len() - 2);
    assert!(noted.iter().all(|(_, _, slug)| slug == "admins-only"));

    let oneself = world.path(&format!("/users/{}", world.charles.username));
    assert_eq!(
        world
            .send(&token, "DELETE", &oneself, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        answers(&world, &token).await,
        everywhere((403, "unknown-bearer"), &[]),
        "the token is of nobody now"
    );
}

#[tokio::test]
async fn a_suspended_tenant_shows_its_profile_and_can_be_closed() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let now = moment("2026-11-20T09:45:00Z");
    let tenant = world
        .region
        .publish(world.tenant(), "starter", Some(Suspension::Operator), now)
        .await;
    assert_eq!(tenant.status, TenantStatus::Suspended);
    let may = [
        ("GET", "", (200, "")),
        ("POST", "/closure", (202, "")),
        ("POST", "/closure/undo", (200, "")),
        ("DELETE", "/clients/{client}", (404, "unknown-client")),
        (
            "DELETE",
            "/identity-provider",
            (404, "no-identity-provider"),
        ),
    ];
    assert_eq!(
        answers(&world, &token).await,
        everywhere((403, "tenant-suspended"), &may)
    );
    assert_eq!(world.refusals().await.len(), ROUTES.len() - 3);
    assert_eq!(
        world.region.tenant(world.tenant()).await.status,
        TenantStatus::Suspended,
        "undone, it is as before"
    );
}

#[tokio::test]
async fn a_closing_tenant_shows_profile_and_trail_and_can_be_reopened() {
    let world = World::new().await;
    let token = world.admin_token().await;
    world
        .region
        .close(world.tenant(), &digest("code"), earlier())
        .await;
    let mut expected = everywhere(
        (409, "tenant-closing"),
        &[
            ("GET", "", (200, "")),
            ("POST", "/closure", (202, "")),
            ("POST", "/closure/undo", (200, "")),
            ("GET", "/audit", (200, "")),
            ("DELETE", "/clients/{client}", (404, "unknown-client")),
            (
                "DELETE",
                "/identity-provider",
                (404, "no-identity-provider"),
            ),
        ],
    );
    let mut answered = answers(&world, &token).await;
    assert_eq!(
        (answered.pop(), expected.pop()),
        (Some((200, String::new())), Some((200, String::new())))
    );
    assert_eq!(answered, expected);
    assert_eq!(
        world.region.tenant(world.tenant()).await.status,
        TenantStatus::Active
    );
}

/// The user's stored role counts, not the one in the token.
#[tokio::test]
async fn a_changed_role_applies_at_once() {
    let world = World::new().await;
    let (admin, member) = (
        world.admin_token().await,
        world.token(world.charles.username).await,
    );
    let charles = world.path(&format!("/users/{}", world.charles.username));
    assert_eq!(
        world
            .send(&member, "GET", &world.path("/users"), &Value::Null)
            .await
            .status,
        403
    );
    assert_eq!(
        world
            .send(&admin, "PATCH", &charles, &json!({ "role": "admin" }))
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .send(&member, "GET", &world.path("/users"), &Value::Null)
            .await
            .status,
        200
    );
}

#[test]
fn a_token_is_valid_for_a_confirmed_user_of_its_own_tenant() {
    let (own, other) = (Newcomer::ada().tenant, Newcomer::somebody().tenant);
    let username: Username = "5b62e069-cb2b-5d42-a9bb-cad80b704827".parse().unwrap();
    let check = |tenant_id: Option<TenantId>, confirmed_at: Option<Timestamp>, expected: bool| {
        let origin = Origin::Signup(Newcomer::ada().signup);
        let membership = Membership {
            tenant: own,
            origin,
            role: Role::Admin,
            confirmed_at,
        };
        assert_eq!(
            is_of(
                &Bearer {
                    tenant_id,
                    username
                },
                &membership
            ),
            expected,
            "{tenant_id:?} {confirmed_at:?}"
        );
    };
    check(Some(own), Some(earlier()), true);
    check(None, Some(earlier()), true);
    check(Some(other), Some(earlier()), false);
    check(Some(own), None, false);
    check(None, None, false);
}

#[tokio::test]
async fn the_tenants_status_decides_which_actions_are_allowed() {
    use TenantStatus::{Active, Closed, Closing, Pending, Provisioning, Relocating, Suspended};
    let made = Newcomer::ada().sign_up(&tenantkit::region().await);
    let check = |status, suspension, expected: [&str; 4]| {
        let mut tenant = made.tenant.clone();
        (tenant.status, tenant.policy.suspension) = (status, suspension);
        let found = [
            LifecyclePhase::Always,
            LifecyclePhase::UseAndEnd,
            LifecyclePhase::Use,
            LifecyclePhase::Change,
        ]
        .map(|during| {
            let permission = Permission {
                action: AuditAction::ReadTenant,
                role: Role::Admin,
                during,
            };
            authorize(Role::Admin, &tenant, Some(made.tenant.id), permission)
                .map_or_else(|problem| problem.slug(), |()| "")
        });
        assert_eq!(found, expected, "{status} {suspension:?}");
    };
    let not = |slug: &'static str| ["", slug, slug, slug];
    check(Active, None, [""; 4]);
    check(Active, Some(Suspension::Dunning), not("tenant-suspended"));
    check(
        Suspended,
        Some(Suspension::Dunning),
        not("tenant-suspended"),
    );
    check(Relocating, None, ["", "", "", "tenant-relocating"]);
    check(
        Relocating,
        Some(Suspension::Operator),
        not("tenant-suspended"),
    );
    check(Closing, None, ["", "", "tenant-closing", "tenant-closing"]);
    check(Closed, None, ["", "", "tenant-closing", "tenant-closing"]);
    check(Pending, None, not("tenant-not-ready"));
    check(Provisioning, None, not("tenant-not-ready"));
}

/// A username that leads to another tenant by mistake gives no access to it.
#[tokio::test]
async fn a_username_that_leads_to_another_tenant_gives_no_access() {
    let world = World::new().await;
    let (theirs, ..) = world.other().await;
    let token = world.admin_token().await;
    assert_eq!(
        world
            .send(&token, "GET", &world.path(""), &Value::Null)
            .await
            .status,
        200
    );
    let name = format!("USER#{}", world.ada.user.username);
    world.region.mislead(&name, "USER", theirs.tenant.id).await;
    for tenant in [world.tenant(), theirs.tenant.id] {
        let refused = world
            .send(&token, "GET", &format!("/tenants/{tenant}"), &Value::Null)
            .await;
        assert_eq!(slug(&refused), (403, "unknown-bearer"), "{tenant}");
    }
}

/// A removed user's attempts are recorded in the audit trail of the tenant that the token names, as
/// long as the tenant exists.
#[tokio::test]
async fn a_former_user_is_rejected() {
    let world = World::new().await;
    let adapters = world.adapters(Without::Nothing);
    let permission = Permission {
        action: AuditAction::ListUsers,
        role: Role::Admin,
        during: LifecyclePhase::Use,
    };
    let username: Username = "e081e61e-144c-57b3-b5a7-e48c59e80546".parse().unwrap();
    for tenant_id in [
        None,
        Some(Newcomer::somebody().tenant),
        Some(world.tenant()),
    ] {
        assert_eq!(world.refusals().await, []);
        let refused = reject(
            &adapters,
            &Bearer {
                tenant_id,
                username,
            },
            permission,
            earlier(),
        )
        .await;
        assert_eq!(refused.unwrap_err().slug(), "unknown-bearer");
    }
    let noted = [(json!("list-users"), None, "unknown-bearer".to_owned())];
    assert_eq!(world.refusals().await, noted);

    world
        .region
        .close(world.tenant(), &digest("code"), earlier())
        .await;
    let ended = world.region.change(
        world.tenant(),
        LoadOptions::TENANT,
        earlier(),
        |loaded, context| {
            let (reason, settings) = (StatusReason::GraceEnded, &world.region.settings);
            decide_change(
                &loaded.state,
                Change::End,
                reason,
                Actor::Clock,
                settings,
                context,
            )
            .map(Some)
        },
    );
    assert_eq!(ended.await.tenant.status, TenantStatus::Closed);
    let tenant_id = Some(world.tenant());
    reject(
        &adapters,
        &Bearer {
            tenant_id,
            username,
        },
        permission,
        earlier(),
    )
    .await
    .unwrap_err();
    assert_eq!(
        world.refusals().await,
        noted,
        "nothing is added to what will be erased"
    );
}
