use crate::handler::{Adapters, handle};
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::{Role, Suspension};
use local_aws::sdk::{self, Mail};
use mail::Mailer;
use serde_json::{Value, json};
use tenancy::{Asker, SignUp};
use tenant_store::{MailTally, TenantReader};
use tenantkit::{Newcomer, Region, moment};
use testkit::Case;

const SENDER: &str = "hello@provider.example";
const PATTERN: &str = "https://{alias}.app.example.com";

struct World {
    region: Region,
    adapters: Adapters,
    made: SignUp,
    /// The person of the list: no other test uses the address.
    email: String,
}

/// A region where a person is the administrator of an organisation.
async fn world() -> World {
    world_with(SENDER, PATTERN).await
}

async fn world_with(sender: &str, addresses: &str) -> World {
    let region = tenantkit::region().await;
    let ses = aws_sdk_sesv2::Client::new(&region.aws.config);
    // Another test may have created it.
    let _ = ses
        .create_email_identity()
        .email_identity(SENDER)
        .send()
        .await;
    let email = format!("ada-{}@engines.example", runtime::new_uuid().simple());
    let made = region
        .activate(&Newcomer {
            email: email.clone(),
            ..Newcomer::ada()
        })
        .await;
    let tenants = TenantReader::new(&region.aws.config, region.regional_table.clone());
    let adapters = Adapters {
        mails: MailTally::new(tenants.clone(), 9),
        tenants,
        mailer: Mailer::new(&region.aws.config, sender.parse().unwrap()),
        addresses: addresses.parse().unwrap(),
    };
    World {
        region,
        adapters,
        made,
        email,
    }
}

impl World {
    /// Delivers a batch, and returns the ids of its failed messages.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        let Ok(response) = handle(
            &self.adapters,
            serde_json::from_value(batch.clone()).unwrap(),
        )
        .await;
        response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect()
    }

    /// Delivers a request of the person, each as a message of its own.
    async fn ask(&self, language: Value) {
        let id = runtime::new_uuid().to_string();
        assert!(
            self.deliver(&request(
                &id,
                &json!({ "email": self.email, "language": language })
            ))
            .await
            .is_empty()
        );
    }

    /// The mails to an address.
    async fn mails(&self, email: &str) -> Vec<Mail> {
        let mails = sdk::mailbox(&format!(
            "{}/_ministack/ses/messages",
            self.region.aws.endpoint
        ))
        .await
        .unwrap();
        mails.into_iter().filter(|mail| mail.is_to(email)).collect()
    }
}

fn case(name: &str) -> Value {
    testkit::cases("workspace-mailer")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

/// A batch of one message.
fn request(id: &str, body: &Value) -> Value {
    let mut batch = case("valid-lookup");
    let (message, mut body) = (&mut batch["Records"][0], body.clone());
    if body.get("email").is_some() && body["asker"].is_null() {
        body["asker"] = json!(Asker::network("192.0.2.1"));
    }
    (message["messageId"], message["body"]) = (json!(id), json!(body.to_string()));
    batch
}

#[tokio::test]
async fn every_event_gets_its_response() {
    let world = world().await;
    for Case { name, payload } in testkit::cases("workspace-mailer") {
        let failed = world.deliver(&payload).await;
        let all = payload["Records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["messageId"].as_str().unwrap());
        let expected: Vec<_> = if name.starts_with("valid-") {
            Vec::new()
        } else {
            all.collect()
        };
        assert_eq!(failed, expected, "{name}");
    }
    let mails = world.mails(&world.email).await;
    // The person gets mail only as one of the people of the tenant in the files.
    assert!(
        !mails.is_empty() && mails.iter().all(|mail| mail.subject != "Your workspaces"),
        "nobody is the person"
    );
}

#[tokio::test]
async fn a_person_is_mailed_the_own_list_in_the_requested_language() {
    let world = world().await;
    let other = Newcomer {
        organisation: "Compilers".to_owned(),
        email: world.email.to_uppercase(),
        ..Newcomer::somebody()
    };
    let stranger = Newcomer {
        organisation: "Strangers".to_owned(),
        ..Newcomer::somebody()
    };
    let (other, stranger) = (
        world.region.activate(&other).await,
        world.region.activate(&stranger).await,
    );
    for (language, subject, words, [opening, closing]) in [
        (
            json!("en"),
            "Your workspaces",
            "where you sign in",
            ['“', '”'],
        ),
        (
            json!("de"),
            "Ihre Arbeitsbereiche",
            "Ort der Anmeldung",
            ['„', '“'],
        ),
        (
            Value::Null,
            "Your workspaces",
            "where you sign in",
            ['“', '”'],
        ),
    ] {
        let before = world.mails(&world.email).await.len();
        world.ask(language).await;
        let mails = world.mails(&world.email).await;
        assert_eq!(mails.len(), before + 1);
        let mail = mails.iter().rfind(|mail| mail.subject == subject).unwrap();
        let text = mail.text();
        assert!(text.contains(words), "{text}");
        for (organisation, made) in [
            ("Analytical Engines Ltd", &world.made),
            ("Compilers", &other),
        ] {
            let entry = format!(
                "\n{opening}{organisation}{closing}\nhttps://{}.app.example.com\n",
                made.tenant.alias
            );
            assert!(text.contains(&entry), "{text}");
        }
        assert!(
            !text.contains("Strangers") && !text.contains(stranger.tenant.alias.as_str()),
            "{text}"
        );
    }
    assert!(world.mails(stranger.user.email.expose()).await.is_empty());
}

#[tokio::test]
async fn without_addresses_the_subdomains_are_mailed() {
    let world = world_with(SENDER, "").await;
    world.ask(json!("en")).await;
    let mails = world.mails(&world.email).await;
    let [mail] = mails.as_slice() else {
        panic!("{} mails", mails.len())
    };
    assert!(mail.text().contains(&format!(
        "\n“Analytical Engines Ltd”\n{}\n",
        world.made.tenant.alias
    )));
}

/// A person who never proved to read the address does not belong to the workspace.
#[tokio::test]
async fn a_person_without_workspaces_gets_no_mail() {
    let world = world().await;
    let pending = Newcomer {
        email: format!("pending-{}", world.email),
        ..Newcomer::somebody()
    };
    world.region.register(&pending).await;
    let invited = format!("invited-{}", world.email);
    let (tenant, by) = (world.made.tenant.id, world.made.user.username);
    world
        .region
        .invite(
            tenant,
            by,
            &invited,
            Role::Member,
            moment("2026-11-20T09:30:00Z"),
        )
        .await;
    let nobody = format!("nobody-{}", world.email);
    for email in [&pending.email, &invited, &nobody] {
        let id = runtime::new_uuid().to_string();
        assert!(
            world
                .deliver(&request(&id, &json!({ "email": email, "language": "en" })))
                .await
                .is_empty()
        );
        assert!(world.mails(email).await.is_empty());
    }
    let client = aws_sdk_dynamodb::Client::new(&world.region.aws.config);
    let scanned = client
        .scan()
        .table_name(&world.region.regional_table)
        .send()
        .await
        .unwrap();
    let is_limit = |value: &AttributeValue| value.as_s().unwrap().starts_with("LIMIT#");
    assert!(
        !scanned.items().iter().any(|item| is_limit(&item["pk"])),
        "nothing is written of them either"
    );
}

/// People of a suspended organisation may still see its workspace.
#[tokio::test]
async fn a_suspended_workspace_is_on_the_list() {
    let world = world().await;
    let now = moment("2026-11-20T09:30:00Z");
    world
        .region
        .publish(
            world.made.tenant.id,
            "starter",
            Some(Suspension::Operator),
            now,
        )
        .await;
    world.ask(json!("en")).await;
    assert_eq!(world.mails(&world.email).await.len(), 1);
}

#[tokio::test]
async fn an_address_gets_a_few_lists_an_hour_and_a_message_counts_once() {
    let world = world().await;
    let body = json!({ "email": world.email, "language": "en" });
    for _ in 0..5 {
        assert!(
            world
                .deliver(&request("the-same-message", &body))
                .await
                .is_empty()
        );
    }
    assert_eq!(
        world.mails(&world.email).await.len(),
        5,
        "one message, which came five times"
    );
    for _ in 0..4 {
        world.ask(json!("en")).await;
    }
    assert_eq!(
        world.mails(&world.email).await.len(),
        7,
        "two more messages: the requester's share"
    );
    let asker = Asker::network("198.51.100.1");
    assert!(
        world
            .deliver(&request(
                "another",
                &json!({ "email": world.email, "asker": asker })
            ))
            .await
            .is_empty()
    );
    assert_eq!(
        world.mails(&world.email).await.len(),
        8,
        "somebody else has a share of their own"
    );
}

/// Without a sender no attempt can succeed, so the request is not retried.
#[tokio::test]
async fn without_a_sender_the_request_is_dropped() {
    let world = world_with("", PATTERN).await;
    world.ask(json!("en")).await;
    assert!(world.mails(&world.email).await.is_empty());
}

#[tokio::test]
async fn only_failed_messages_are_redelivered() {
    let world = world_with("stranger@unverified.example", PATTERN).await;
    let mut batch = request("mine", &json!({ "email": world.email, "language": "en" }));
    let nobody =
        request("nobodys", &json!({ "email": "nobody@engines.example" }))["Records"][0].clone();
    batch["Records"].as_array_mut().unwrap().push(nobody);
    assert_eq!(world.deliver(&batch).await, ["mine"]);
}

/// Each person who has proved to read the address gets one mail in the tenant's language.
#[tokio::test]
async fn all_people_of_a_workspace_are_notified_of_a_new_administrator() {
    let world = world().await;
    let now = moment("2026-11-20T09:30:00Z");
    let member = format!("member-{}", world.email);
    world
        .region
        .add_user(&world.made, &member, Role::Member, now)
        .await;
    let invited = format!("invited-{}", world.email);
    world
        .region
        .invite(
            world.made.tenant.id,
            world.made.user.username,
            &invited,
            Role::Member,
            now,
        )
        .await;
    let other = Newcomer {
        email: format!("other-{}", world.email),
        ..Newcomer::somebody()
    };
    world.region.activate(&other).await;
    let notice = json!({ "tenant": world.made.tenant.id });
    assert!(world.deliver(&request("notice", &notice)).await.is_empty());
    for (email, expected) in [
        (&world.email, 1),
        (&member, 1),
        (&invited, 0),
        (&other.email, 0),
    ] {
        let mails = world.mails(email).await;
        assert_eq!(mails.len(), expected, "{email}");
        for mail in mails {
            assert_eq!(mail.subject, "A new administrator for your workspace");
            assert!(mail.text().contains(&format!(
                "https://{}.app.example.com",
                world.made.tenant.alias
            )));
        }
    }
    // A later page of people begins after the first.
    let first = world.made.user.username.to_string();
    let rest = json!({ "tenant": world.made.tenant.id, "after": "ffffffff" });
    assert!(world.deliver(&request("rest", &rest)).await.is_empty() && first.as_str() < "ffffffff");
    assert_eq!(
        world.mails(&world.email).await.len(),
        1,
        "nobody comes after the last"
    );
}

#[tokio::test]
async fn nobody_is_notified_for_a_workspace_that_is_gone() {
    let world = world().await;
    let gone = json!({ "tenant": Newcomer::somebody().tenant });
    assert!(world.deliver(&request("gone", &gone)).await.is_empty());
    assert!(world.mails(&world.email).await.is_empty());
}

#[tokio::test]
async fn a_failed_notice_is_redelivered() {
    let world = world_with("stranger@unverified.example", PATTERN).await;
    assert_eq!(
        world
            .deliver(&request(
                "notice",
                &json!({ "tenant": world.made.tenant.id })
            ))
            .await,
        ["notice"]
    );
}
