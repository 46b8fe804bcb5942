//! The appointment of an administrator by the provider's operator.

use super::*;
use crate::invitations::mail_limits;
use kernel::Suspension;
use tenancy::{AdministratorNotice, InvitationCode};

impl World {
    pub(super) async fn operator_token(&self) -> String {
        let (id, secret) = &self.operator;
        testkit::client_token(&self.region.aws, id, secret, crate::administrators::SCOPE).await
    }

    async fn give(&self, without: Without, email: &str) -> Answer {
        let payload = request(
            "POST",
            &self.path("/administrators"),
            &self.operator_token().await,
            &json!({ "email": email }),
        );
        invoke(self.api(without), &payload).await
    }

    /// Receives the queued notices, and removes them from the queue.
    async fn notices(&self) -> Vec<AdministratorNotice> {
        let queue = aws_sdk_sqs::Client::new(&self.region.aws.config);
        let mut notices = Vec::new();
        loop {
            let receive = queue
                .receive_message()
                .queue_url(&self.notices)
                .max_number_of_messages(10);
            let received = receive.send().await.unwrap().messages.unwrap_or_default();
            if received.is_empty() {
                return notices;
            }
            for message in received {
                notices.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let handle = message.receipt_handle().unwrap();
                queue
                    .delete_message()
                    .queue_url(&self.notices)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    /// The code in the last mail.
    async fn code(&self, email: &str) -> InvitationCode {
        let mails = self.mails_to(email).await;
        let text = mails.last().unwrap().text();
        text.lines()
            .find_map(|line| line.strip_prefix("Code: "))
            .unwrap()
            .parse()
            .unwrap()
    }
}

fn somebody() -> String {
    format!("mary-{}@engines.example", runtime::new_uuid().simple())
}

#[tokio::test]
async fn a_tenant_without_administrators_gets_a_new_administrator() {
    let world = World::new().await;
    world
        .people
        .identity
        .delete_account(&world.ada.user.account_name())
        .await
        .unwrap();
    let (mary, charles) = (somebody(), world.token(world.charles.username).await);
    let profile = world
        .send(&charles, "GET", &world.path(""), &Value::Null)
        .await;
    assert_eq!(profile.body["admins"], 0);
    let given = world.give(Without::Nothing, &mary).await;
    assert_eq!(
        (given.status, &given.body["state"]),
        (201, &json!("invited")),
        "{}",
        given.body
    );
    assert!(!given.text.contains(&mary), "the answer names nobody");
    assert_eq!(
        world.notices().await,
        [AdministratorNotice {
            tenant: world.tenant(),
            after: None
        }]
    );
    let trail = world.trail(world.tenant()).await;
    let entry = trail
        .iter()
        .find(|entry| entry.actor == Actor::Operator)
        .unwrap();
    assert_eq!(
        (entry.action, entry.refused.as_ref()),
        (AuditAction::Invite, None)
    );
    assert_eq!(entry.target.as_deref(), given.body["invitation"].as_str());

    let code = world.code(&mary).await;
    let user = world
        .region
        .join(
            world.tenant(),
            &code,
            "Mary Shelley",
            moment("2026-11-20T10:01:00Z"),
        )
        .await;
    world.make_account(&user).await;
    let token = world.token(user.username).await;
    let listed = world
        .send(&token, "GET", &world.path("/users"), &Value::Null)
        .await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    assert_eq!(world.region.tenant(world.tenant()).await.admins, 1);
}

/// An open invitation shows who invited: a user, or the operator.
#[tokio::test]
async fn the_tenant_sees_the_operators_invitations() {
    let world = World::new().await;
    let mary = somebody();
    assert_eq!(world.give(Without::Nothing, &mary).await.status, 201);
    let token = world.admin_token().await;
    let listed = world
        .send(&token, "GET", &world.path("/invitations"), &Value::Null)
        .await;
    let by = |email: &str| {
        let invitations = listed.body["invitations"].as_array().unwrap();
        invitations
            .iter()
            .find(|invitation| invitation["email"] == email)
            .unwrap()["invited_by"]
            .clone()
    };
    assert_eq!(by(&mary), "operator");
    assert_eq!(
        by("grace@compilers.example"),
        json!({ "user": world.ada.user.username })
    );
}

#[tokio::test]
async fn a_user_of_the_tenant_becomes_its_administrator_at_once() {
    let world = World::new().await;
    for _ in 0..2 {
        let given = world
            .give(Without::Nothing, "charles@engines.example")
            .await;
        assert_eq!(
            (given.status, &given.body["state"]),
            (200, &json!("appointed")),
            "{}",
            given.body
        );
        assert_eq!(world.region.tenant(world.tenant()).await.admins, 2);
        assert_eq!(
            world.notices().await.len(),
            1,
            "notified again, since the first notice may have been lost"
        );
    }
    let trail = world.trail(world.tenant()).await;
    let changes = trail.iter().filter(|entry| entry.actor == Actor::Operator);
    assert_eq!(
        changes.map(|entry| entry.action).collect::<Vec<_>>(),
        [AuditAction::ChangeRole]
    );
}

#[tokio::test]
async fn a_user_without_an_account_is_invited_anew() {
    let world = World::new().await;
    world
        .people
        .identity
        .delete_account(&world.charles.account_name())
        .await
        .unwrap();
    let given = world
        .give(Without::Nothing, "charles@engines.example")
        .await;
    assert_eq!(
        (given.status, &given.body["state"]),
        (201, &json!("invited")),
        "{}",
        given.body
    );
}

#[tokio::test]
async fn a_suspended_tenant_can_get_an_administrator_and_a_closing_one_cannot() {
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
    assert_eq!(world.give(Without::Nothing, &somebody()).await.status, 201);
    world
        .region
        .close(
            world.tenant(),
            &digest("0123456789abcdef0123456789abcdef"),
            earlier(),
        )
        .await;
    assert_eq!(
        slug(&world.give(Without::Nothing, &somebody()).await),
        (409, "tenant-closing")
    );
}

/// Nobody becomes an administrator unnoticed: without the notices the code is not mailed.
#[tokio::test]
async fn no_code_is_mailed_before_the_people_of_the_tenant_are_notified() {
    let world = World::new().await;
    let mary = somebody();
    assert_eq!(
        slug(&world.give(Without::Notices, &mary).await),
        (503, "notice-not-sent")
    );
    assert!(world.mails_to(&mary).await.is_empty());
    assert_eq!(world.give(Without::Nothing, &mary).await.status, 201);
    assert_eq!(world.mails_to(&mary).await.len(), 1);
}

/// Mails that a tenant's people request leave the operator's share of an address. A mail beyond
/// that share is owed and sent later, so the people of the tenant are notified before it is stored.
#[tokio::test]
async fn an_operator_has_a_share_of_the_mails_and_an_owed_mail_is_announced_first() {
    let world = World::new().await;
    let (mary, admin, operator) = (
        somebody(),
        world.admin_token().await,
        world.operator_token().await,
    );
    let ask = async |without: Without, token: &str, path: &str| {
        let mut adapters = world.adapters(without);
        adapters.mails = MailTally::new(world.region.tenants.reader().clone(), 3);
        let payload = request(
            "POST",
            &world.path(path),
            token,
            &match path {
                "/invitations" => json!({ "email": mary, "role": "member" }),
                _ => json!({ "email": mary }),
            },
        );
        invoke(runtime::http::with_fallbacks(router(adapters)), &payload).await
    };
    let stored = async || {
        let id =
            tenancy::Username::of(&world.ada.tenant.alias, &mary.parse().unwrap()).invitation();
        world
            .region
            .tenants
            .reader()
            .load_invitation(id)
            .await
            .unwrap()
            .unwrap()
    };
    for _ in 0..2 {
        assert_eq!(
            ask(Without::Nothing, &admin, "/invitations").await.status,
            201
        );
    }
    assert_eq!(
        world.mails_to(&mary).await.len(),
        1,
        "the share of one network"
    );
    assert_eq!(
        ask(Without::Nothing, &operator, "/administrators")
            .await
            .status,
        201
    );
    let mailed = stored().await;
    assert_eq!(
        (
            world.mails_to(&mary).await.len(),
            &mailed.owed,
            world.notices().await.len()
        ),
        (2, &None, 1)
    );

    let unannounced = ask(Without::Notices, &operator, "/administrators").await;
    assert_eq!(
        (slug(&unannounced), stored().await),
        ((503, "notice-not-sent"), mailed.clone()),
        "nothing is stored without the notices"
    );
    assert_eq!(
        ask(Without::Nothing, &operator, "/administrators")
            .await
            .status,
        201
    );
    let owed = stored().await;
    assert_eq!((owed.owed.is_some(), &owed.code), (true, &mailed.code));
    assert_eq!(
        (
            world.mails_to(&mary).await.len(),
            world.notices().await.len()
        ),
        (2, 1)
    );
}

/// One notice for each page of people.
#[tokio::test]
async fn a_large_tenant_is_notified_in_pages() {
    let world = World::new().await;
    for n in 0..usize::from(AdministratorNotice::PEOPLE_MAX) {
        world
            .region
            .add_user(
                &world.ada,
                &format!("user-{n}@engines.example"),
                Role::Member,
                earlier(),
            )
            .await;
    }
    assert_eq!(world.give(Without::Nothing, &somebody()).await.status, 201);
    let notices = world.notices().await;
    assert_eq!(notices.len(), 2);
    assert!(notices.iter().all(|notice| notice.tenant == world.tenant()));
    assert_eq!(
        notices
            .iter()
            .filter(|notice| notice.after.is_none())
            .count(),
        1
    );
}

/// Administrators of tenants, tenants' machine clients and the provider's other services are
/// refused.
#[tokio::test]
async fn only_the_operators_client_appoints_administrators() {
    let world = World::new().await;
    let pool = &world.people.pool;
    let service =
        testkit::machine_token(&world.region.aws, pool, crate::administrators::SCOPE).await;
    for token in [String::new(), world.admin_token().await, service] {
        let answer = world
            .send(
                &token,
                "POST",
                &world.path("/administrators"),
                &json!({ "email": somebody() }),
            )
            .await;
        assert_eq!(slug(&answer), (401, "unauthorized"));
    }
    let before = world.region.tenant(world.tenant()).await;
    assert_eq!((before.admins, before.invitations), (1, 1));
    assert!(world.notices().await.is_empty());
}

/// A malicious administrator cannot keep the operator out, nor can an operator use up the tenant's
/// own limits.
#[tokio::test]
async fn operators_and_the_tenant_have_separate_limits() {
    for (spends, spends_up) in [
        ("tenant", true),
        ("operator", true),
        ("tenant", false),
        ("operator", false),
    ] {
        let world = World::new().await;
        let (mary, admin) = (somebody(), world.admin_token().await);
        let of_tenant = async || {
            let invite = json!({ "email": mary, "role": "member" });
            world
                .send(&admin, "POST", &world.path("/invitations"), &invite)
                .await
        };
        let of_operator = async || world.give(Without::Nothing, &mary).await;
        if spends_up {
            // Reaches every limit by requests to the same address: those of a day, and of an
            // invitation that
            for _ in 0..10 {
                let answer = if spends == "tenant" {
                    of_tenant().await
                } else {
                    of_operator().await
                };
                assert_eq!(answer.status, 201, "{}", answer.body);
            }
        } else {
            let by = if spends == "tenant" {
                Actor::User(world.ada.user.username)
            } else {
                Actor::Operator
            };
            let id =
                tenancy::Username::of(&world.ada.tenant.alias, &mary.parse().unwrap()).invitation();
            let [of_hour, _] = mail_limits(by, world.tenant(), id);
            for n in 0..of_hour.times_max {
                let mark = tenancy::KeyDigest::of("request", &n.to_string());
                world
                    .region
                    .tenants
                    .take(&of_hour, &mark, moment("2026-11-20T10:00:00Z"))
                    .await
                    .unwrap();
            }
        }
        let (tenant, operator) = (of_tenant().await, of_operator().await);
        let (used_up, other) = if spends == "tenant" {
            (tenant, operator)
        } else {
            (operator, tenant)
        };
        assert_eq!(slug(&used_up), (429, "too-many-requests"), "{spends}");
        assert_eq!(other.status, 201, "{spends}: {}", other.body);
    }
}
