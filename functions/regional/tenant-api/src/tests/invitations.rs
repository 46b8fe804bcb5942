//! Invitations and their mails.

use super::*;
use aws_sdk_dynamodb::types::AttributeValue;
use tenancy::{INVITATIONS_MAX, InvitationCode, KeyDigest};

/// An address that no other test uses.
fn somebody() -> String {
    format!("mary-{}@engines.example", runtime::new_uuid().simple())
}

/// The code in a mail, on a line of its own.
fn code(mail: &Mail) -> InvitationCode {
    let text = mail.body_text.as_deref().unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("Code: "))
        .unwrap()
        .parse()
        .unwrap()
}

/// The digest of an invitation's current code.
async fn holding(world: &World, invitation: InvitationId) -> KeyDigest {
    world
        .region
        .tenants
        .reader()
        .load_invitation(invitation)
        .await
        .unwrap()
        .unwrap()
        .code
}

#[tokio::test]
async fn an_invitation_is_mailed_with_its_code_and_accepted_by_it() {
    let world = World::new().await;
    let (token, email) = (world.admin_token().await, somebody());
    let answer = world
        .send(
            &token,
            "POST",
            &world.path("/invitations"),
            &json!({ "email": email, "role": "admin" }),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.body["email"], &answer.body["role"]),
        (201, &json!(email), &json!("admin"))
    );
    assert_eq!(answer.body["valid_until"], "2026-11-27T10:00:00Z");
    let mails = world.mails_to(&email).await;
    let [mail] = mails.as_slice() else {
        panic!("{} mails", mails.len())
    };
    let text = mail.body_text.as_deref().unwrap();
    assert!(
        text.contains("Analytical Engines Ltd") && text.contains("an administrator"),
        "{text}"
    );
    assert!(
        !text.contains("Ada") && !text.contains("Lovelace"),
        "who invites is not named: {text}"
    );
    assert!(
        !answer.body.to_string().contains(&code(mail).reveal()),
        "the code is in the mail only"
    );
    let user = world
        .region
        .join(
            world.tenant(),
            &code(mail),
            "Mary Somerville",
            moment("2026-11-21T10:00:00Z"),
        )
        .await;
    assert_eq!(user.role, Role::Admin);
}

#[tokio::test]
async fn a_resent_invitation_has_another_code() {
    let world = World::new().await;
    let (token, email) = (world.admin_token().await, somebody());
    let invite = |role: &str| json!({ "email": email, "role": role });
    let first = world
        .send(
            &token,
            "POST",
            &world.path("/invitations"),
            &invite("member"),
        )
        .await;
    let id: InvitationId = first.body["id"].as_str().unwrap().parse().unwrap();
    let again = world
        .send(
            &token,
            "POST",
            &world.path(&format!("/invitations/{id}/resend")),
            &Value::Null,
        )
        .await;
    assert_eq!(
        (again.status, &again.body["sendings"], &again.body["role"]),
        (200, &json!(2), &json!("member"))
    );
    let third = world
        .send(
            &token,
            "POST",
            &world.path("/invitations"),
            &invite("admin"),
        )
        .await;
    assert_eq!((third.status, &third.body["id"]), (201, &first.body["id"]));
    assert_eq!(
        (&third.body["sendings"], &third.body["role"]),
        (&json!(3), &json!("admin"))
    );
    let codes: Vec<_> = world.mails_to(&email).await.iter().map(code).collect();
    let holds = holding(&world, id).await;
    assert_eq!(
        codes
            .iter()
            .map(|code| code.digest() == holds)
            .collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(world.region.tenant(world.tenant()).await.invitations, 2);
}

#[tokio::test]
async fn a_withdrawn_invitation_is_gone() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let path = world.path(&format!("/invitations/{}", world.grace));
    assert_eq!(
        world
            .send(&token, "DELETE", &path, &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        slug(&world.send(&token, "DELETE", &path, &Value::Null).await),
        (404, "unknown-invitation")
    );
    let again = world
        .send(&token, "POST", &format!("{path}/resend"), &Value::Null)
        .await;
    assert_eq!(slug(&again), (404, "unknown-invitation"));
    let list = world
        .send(&token, "GET", &world.path("/invitations"), &Value::Null)
        .await;
    assert_eq!(list.body, json!({ "invitations": [], "next_cursor": null }));
    assert_eq!(world.region.tenant(world.tenant()).await.invitations, 0);
}

/// The stored invitation stays, and can be resent once mails go out.
#[tokio::test]
async fn a_failed_mail_keeps_the_invitation() {
    let world = World::new().await;
    let (token, email) = (world.admin_token().await, somebody());
    let payload = request(
        "POST",
        &world.path("/invitations"),
        &token,
        &json!({ "email": email, "role": "member" }),
    );
    let failed = invoke(world.api(Without::Mail), &payload).await;
    assert_eq!(slug(&failed), (503, "mail-unavailable"));
    assert!(
        failed.headers.contains_key("retry-after") && !failed.body.to_string().contains(&email)
    );
    let id = failed.body["invitation"].as_str().unwrap();
    assert_eq!(world.mails_to(&email).await, []);
    let again = world
        .send(
            &token,
            "POST",
            &world.path(&format!("/invitations/{id}/resend")),
            &Value::Null,
        )
        .await;
    assert_eq!((again.status, &again.body["email"]), (200, &json!(email)));
    let mails = world.mails_to(&email).await;
    assert_eq!(
        code(&mails[0]).digest(),
        holding(&world, id.parse().unwrap()).await
    );
}

#[tokio::test]
async fn without_a_sender_nobody_is_invited() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let tenant = world.region.tenant(world.tenant()).await;
    let resend = format!("/invitations/{}/resend", world.grace);
    for (rest, body) in [
        (
            "/invitations",
            json!({ "email": somebody(), "role": "member" }),
        ),
        (&resend, Value::Null),
    ] {
        let payload = request("POST", &world.path(rest), &token, &body);
        assert_eq!(
            slug(&invoke(world.api(Without::Sender), &payload).await),
            (409, "mail-not-configured")
        );
    }
    assert_eq!(world.region.tenant(world.tenant()).await, tenant);
}

/// Repeated new invitations do not get an address more mails.
#[tokio::test]
async fn mails_to_one_address_are_limited() {
    let world = World::new().await;
    let (token, email) = (world.admin_token().await, somebody());
    for _ in 0..10 {
        let invite = json!({ "email": email, "role": "member" });
        let made = world
            .send(&token, "POST", &world.path("/invitations"), &invite)
            .await;
        let path = world.path(&format!(
            "/invitations/{}",
            made.body["id"].as_str().unwrap()
        ));
        assert_eq!(
            world
                .send(&token, "DELETE", &path, &Value::Null)
                .await
                .status,
            204
        );
    }
    let refused = world
        .send(
            &token,
            "POST",
            &world.path("/invitations"),
            &json!({ "email": email, "role": "member" }),
        )
        .await;
    assert_eq!(slug(&refused), (429, "too-many-requests"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(world.mails_to(&email).await.len(), 10);
}

/// Expired invitations leave the table by themselves, which makes room again.
#[tokio::test]
async fn open_invitations_are_recounted_when_the_tenant_seems_full() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let count = |most: u64| {
        let client = aws_sdk_dynamodb::Client::new(&world.region.aws.config);
        let update = client
            .update_item()
            .table_name(&world.region.regional_table);
        update
            .key(
                "pk",
                AttributeValue::S(format!("TENANT#{}", world.tenant())),
            )
            .key("sk", AttributeValue::S("TENANT".to_owned()))
            .update_expression("SET invitations = :most")
            .expression_attribute_values(":most", AttributeValue::N(most.to_string()))
            .send()
    };
    count(INVITATIONS_MAX).await.unwrap();
    let invite = json!({ "email": somebody(), "role": "member" });
    assert_eq!(
        world
            .send(&token, "POST", &world.path("/invitations"), &invite)
            .await
            .status,
        201
    );
    assert_eq!(
        world.region.tenant(world.tenant()).await.invitations,
        2,
        "Grace's and this one"
    );
}

#[tokio::test]
async fn a_tenant_without_room_refuses() {
    let world = World::new().await;
    let token = world.admin_token().await;
    for n in 1..INVITATIONS_MAX {
        let by = world.ada.user.username;
        world
            .region
            .invite(
                world.tenant(),
                by,
                &format!("guest-{n}@engines.example"),
                Role::Member,
                earlier(),
            )
            .await;
    }
    let invite = json!({ "email": somebody(), "role": "member" });
    assert_eq!(
        slug(
            &world
                .send(&token, "POST", &world.path("/invitations"), &invite)
                .await
        ),
        (409, "tenant-full")
    );
    let resend = world.path(&format!("/invitations/{}/resend", world.grace));
    assert_eq!(
        world
            .send(&token, "POST", &resend, &Value::Null)
            .await
            .status,
        200
    );
    let page = world
        .send(
            &token,
            "GET",
            &world.path("/invitations?limit=100"),
            &Value::Null,
        )
        .await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = world
        .send(
            &token,
            "GET",
            &world.path(&format!("/invitations?limit=100&cursor={cursor}")),
            &Value::Null,
        )
        .await;
    let count = |page: &Answer| page.body["invitations"].as_array().unwrap().len() as u64;
    assert_eq!(count(&page) + count(&rest), INVITATIONS_MAX);
}

/// All tenants share the limit of an address. The inviter learns nothing of the others: the
/// response is the usual one, and the mail is sent later.
#[tokio::test]
async fn an_address_has_one_limit_for_all_tenants() {
    let world = World::new().await;
    let (other, ..) = world.other().await;
    let email = somebody();
    let tokens = [
        world.admin_token().await,
        world.token(other.user.username).await,
    ];
    let tenants = [world.tenant(), other.tenant.id];
    let mut answers = Vec::new();
    for turn in 0..6 {
        let mut adapters = world.adapters(Without::Nothing);
        adapters.mails = MailTally::new(world.region.tenants.reader().clone(), 3);
        let (token, tenant) = (&tokens[turn % 2], tenants[turn % 2]);
        let path = format!("/tenants/{tenant}/invitations");
        let mut payload = request(
            "POST",
            &path,
            token,
            &json!({ "email": email, "role": "member" }),
        );
        payload["requestContext"]["http"]["sourceIp"] = json!(format!("198.51.{turn}.1"));
        answers.push(invoke(runtime::http::with_fallbacks(router(adapters)), &payload).await);
    }
    assert_eq!(world.mails_to(&email).await.len(), 3);
    let members = |answer: &Answer| {
        answer
            .body
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    for (turn, answer) in answers.iter().enumerate() {
        assert_eq!(
            (answer.status, members(answer)),
            (201, members(&answers[0])),
            "{turn}"
        );
        assert_eq!(answer.body["sendings"], turn / 2 + 1, "{turn}");
    }
    let id = answers[0].body["id"].as_str().unwrap().parse().unwrap();
    let open = world
        .region
        .tenants
        .reader()
        .load_invitation(id)
        .await
        .unwrap()
        .unwrap();
    let latest = world
        .mails_to(&email)
        .await
        .iter()
        .map(code)
        .rfind(|code| code.invitation() == id)
        .unwrap();
    assert_eq!(
        open.code,
        latest.digest(),
        "the mailed code stays valid while the next mail is owed"
    );
    let due = world
        .region
        .tenants
        .reader()
        .load_due_tasks(moment("2100-01-01T00:00:00Z"), 100)
        .await
        .unwrap();
    let owed = due
        .iter()
        .filter(|due| due.kind == tenancy::TaskKind::Mail)
        .map(|due| due.tenant);
    assert!(open.owed.is_some() && owed.clone().any(|tenant| tenant == world.tenant()));
    assert!(owed.clone().any(|tenant| tenant == other.tenant.id));
}
