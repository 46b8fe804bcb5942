//! Owed mails.

use super::fixtures::{MAILS, SENDER, World, world};
use identity::Identity;
use kernel::{InvitationId, Role, TenantStatus};
use local_aws::sdk::{Mail, mailbox};
use mail::Mailer;
use tenancy::{
    Asker, InvitationCode, Invite, OwedMail, SignUp, TaskKind, Username, decide_code_mail,
    decide_invitation,
};
use tenant_store::{LoadOptions, MailTally};
use tenantkit::{Newcomer, moment};

const HOUR: &str = "2026-11-20T10:00:00Z";
const NEXT_HOUR: &str = "2026-11-20T11:00:00Z";

async fn mails(world: &World, to: &str) -> Vec<Mail> {
    let sent = mailbox(&format!(
        "{}/_ministack/ses/messages",
        world.region.aws.endpoint
    ))
    .await
    .unwrap();
    sent.into_iter().filter(|mail| mail.is_to(to)).collect()
}

async fn ready(region: tenantkit::Region) -> World {
    let ses = aws_sdk_sesv2::Client::new(&region.aws.config);
    // Another test may have created it.
    let _ = ses
        .create_email_identity()
        .email_identity(SENDER)
        .send()
        .await;
    world(region).await
}

fn asker() -> Asker {
    Asker::network("203.0.113.5")
}

/// Uses up an address's mails of an hour, requested by somebody else.
async fn use_up(world: &World, email: &str, hour: &str) {
    let tally = MailTally::new(world.region.tenants.reader().clone(), MAILS);
    for n in 0..MAILS {
        let by = Asker::network(&format!("198.51.{n}.1"));
        let mark = tenancy::KeyDigest::of("stranger", &n.to_string());
        let taken = tally
            .take(&email.parse().unwrap(), &by, &mark, moment(hour))
            .await
            .unwrap();
        assert_eq!(taken, tenant_store::Taken::Yes);
    }
}

/// A sign-up whose code is owed until eleven.
async fn owed(world: &World, newcomer: &Newcomer) -> SignUp {
    let made = world.region.register(newcomer).await;
    world
        .region
        .make_account(&world.people, &made, &newcomer.password, newcomer.at)
        .await;
    let owed = OwedMail {
        asker: asker(),
        after: moment(HOUR),
    };
    let noted = world.region.change(
        made.tenant.id,
        LoadOptions::SIGNUP,
        newcomer.at,
        |loaded, _| Ok(decide_code_mail(&loaded.state, Some(owed.clone()))),
    );
    noted.await;
    made
}

#[tokio::test]
async fn an_owed_code_is_mailed_once_when_it_is_due() {
    let world = ready(tenantkit::region().await).await;
    let somebody = Newcomer::somebody();
    let made = owed(&world, &somebody).await;
    let before = mails(&world, &somebody.email).await.len();
    world.run("2026-11-20T09:59:59Z").await.unwrap();
    assert_eq!(
        mails(&world, &somebody.email).await.len(),
        before,
        "not yet"
    );
    for _ in 0..2 {
        world.run(HOUR).await.unwrap();
        assert_eq!(mails(&world, &somebody.email).await.len(), before + 1);
    }
    assert_eq!(
        world.region.signup(made.tenant.id).await.unwrap().code_owed,
        None
    );
    assert_eq!(
        world.scheduled().await,
        [TaskKind::Expiry],
        "the mail is looked at no more"
    );
}

/// Strangers may have used up the next hour as well.
#[tokio::test]
async fn a_code_stays_owed_while_the_address_is_at_its_limit() {
    let world = ready(tenantkit::region().await).await;
    let somebody = Newcomer::somebody();
    let made = owed(&world, &somebody).await;
    let before = mails(&world, &somebody.email).await.len();
    use_up(&world, &somebody.email, HOUR).await;
    world.run(HOUR).await.unwrap();
    assert_eq!(mails(&world, &somebody.email).await.len(), before);
    let signup = world.region.signup(made.tenant.id).await.unwrap();
    assert_eq!(
        signup.code_owed,
        Some(OwedMail {
            asker: asker(),
            after: moment(NEXT_HOUR)
        })
    );
    world.run(NEXT_HOUR).await.unwrap();
    assert_eq!(mails(&world, &somebody.email).await.len(), before + 1);
}

/// A pool that does not answer neither loses the mail nor holds up the others.
#[tokio::test]
async fn a_code_that_the_pool_does_not_mail_is_retried() {
    let mut world = ready(tenantkit::region().await).await;
    let somebody = Newcomer::somebody();
    let made = owed(&world, &somebody).await;
    let before = mails(&world, &somebody.email).await.len();
    let config = world
        .region
        .aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let pool = &world.people.pool;
    let nowhere = Identity::new(&config, pool.id.clone(), pool.client_id.clone());
    let reached = std::mem::replace(&mut world.adapters.identity, nowhere);
    world.run(HOUR).await.unwrap();
    assert!(
        world
            .region
            .signup(made.tenant.id)
            .await
            .unwrap()
            .code_owed
            .is_some()
    );
    world.adapters.identity = reached;
    world.run("2026-11-20T10:05:00Z").await.unwrap();
    assert_eq!(mails(&world, &somebody.email).await.len(), before + 1);
}

#[tokio::test]
async fn a_confirmed_address_is_not_mailed_an_owed_code() {
    let world = ready(tenantkit::region().await).await;
    let somebody = Newcomer::somebody();
    let made = owed(&world, &somebody).await;
    let before = mails(&world, &somebody.email).await.len();
    world.region.confirm(made.tenant.id, somebody.at).await;
    world.run(HOUR).await.unwrap();
    assert_eq!(mails(&world, &somebody.email).await.len(), before);
    assert_eq!(
        world.region.tenant(made.tenant.id).await.status,
        TenantStatus::Active
    );
}

/// Invites a person to whose address the mail is owed.
async fn invite(world: &World, made: &SignUp, email: &str) -> InvitationId {
    let email = email.parse().unwrap();
    let id = Username::of(&made.tenant.alias, &email).invitation();
    let code = InvitationCode::from_random(id, [7; 16]);
    let owed = Some(OwedMail {
        asker: asker(),
        after: moment(HOUR),
    });
    let reach = LoadOptions {
        invitation: Some(id),
        ..LoadOptions::TENANT
    };
    let invited = world.region.change(
        made.tenant.id,
        reach,
        Newcomer::ada().at,
        |loaded, context| {
            let by = made.user.username;
            let invite = Invite {
                email: &email,
                role: Role::Member,
                code: &code,
                by: tenancy::Actor::User(by),
                owed: owed.clone(),
            };
            decide_invitation(
                &loaded.state,
                &invite,
                loaded.invitation.as_ref(),
                false,
                context,
            )
            .map(Some)
        },
    );
    invited.await;
    id
}

#[tokio::test]
async fn an_owed_invitation_is_mailed_with_a_valid_code() {
    let world = ready(tenantkit::region().await).await;
    let made = world.region.activate(&Newcomer::somebody()).await;
    let email = Newcomer::somebody().email;
    let id = invite(&world, &made, &email).await;
    for _ in 0..2 {
        world.run(HOUR).await.unwrap();
    }
    let sent = mails(&world, &email).await;
    let [mail] = sent.as_slice() else {
        panic!("{} mails", sent.len())
    };
    let code: InvitationCode = mail
        .body_text
        .as_deref()
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("Code: "))
        .unwrap()
        .parse()
        .unwrap();
    let stored = world
        .region
        .tenants
        .reader()
        .load_invitation(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.code, stored.owed), (code.digest(), None));
    let user = world
        .region
        .join(made.tenant.id, &code, "Mary Somerville", moment(HOUR))
        .await;
    assert_eq!(user.email.expose(), email);
}

/// SES may be unavailable, or the address may accept no mail at all.
#[tokio::test]
async fn a_failed_invitation_mail_is_retried_and_holds_up_nothing() {
    let mut world = ready(tenantkit::region().await).await;
    let made = world.region.activate(&Newcomer::somebody()).await;
    let email = Newcomer::somebody().email;
    let id = invite(&world, &made, &email).await;
    let unverified = Mailer::new(
        &world.region.aws.config,
        "stranger@unverified.example".parse().unwrap(),
    );
    let taken = std::mem::replace(&mut world.adapters.mailer, unverified);
    world.run(HOUR).await.unwrap();
    let stored = world
        .region
        .tenants
        .reader()
        .load_invitation(id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.owed.unwrap().after, moment("2026-11-20T10:05:00Z"));
    world.adapters.mailer = taken;
    world.run("2026-11-20T10:05:00Z").await.unwrap();
    assert_eq!(mails(&world, &email).await.len(), 1);
    assert_eq!(world.scheduled().await, []);
}

#[tokio::test]
async fn a_withdrawn_invitation_is_not_mailed() {
    let world = ready(tenantkit::region().await).await;
    let made = world.region.activate(&Newcomer::somebody()).await;
    let email = Newcomer::somebody().email;
    let id = invite(&world, &made, &email).await;
    let reach = LoadOptions {
        invitation: Some(id),
        ..LoadOptions::TENANT
    };
    let withdrawn = world.region.change(
        made.tenant.id,
        reach,
        Newcomer::ada().at,
        |loaded, context| {
            let open = loaded.invitation.as_ref().unwrap();
            Ok(Some(tenancy::decide_withdrawal(
                &loaded.state,
                open,
                made.user.username,
                context,
            )))
        },
    );
    withdrawn.await;
    world.run(HOUR).await.unwrap();
    assert!(mails(&world, &email).await.is_empty());
    assert_eq!(world.scheduled().await, []);
}
