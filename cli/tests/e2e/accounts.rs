//! Requests that people can send to the user pool directly, past the region's own API.

use crate::life::{Signed, administrator, guest, mailed_invitation};
use crate::quiet::quiet_for;
use crate::residency::stays_in;
use anyhow::{Context, Result, bail, ensure};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};
use journey::journey;
use local_aws::Stack;
use meridian::client::login::sign_in;
use meridian::client::operator::Operator;
use meridian::client::tenant::{Administrator, accept_invitation, refusal};
use meridian::demo::Person;
use reqwest::Method;
use serde_json::json;
use tenancy::Username;

const REGION: &str = "eu-central-1";

/// With the public client anybody can request an account from the pool: under the name of a user,
/// under another spelling of it, or under an unknown name. Every request gets the same answer, and
/// no account is created. An account that an administrator of the pool created nevertheless is
/// removed together with the user whose address it has.
#[journey]
async fn a_second_account_cannot_be_created(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (person, member, ..) = guest(stack, &host, "member").await?;
    let alias = host.customer.claims["alias"]
        .as_str()
        .context("a token names the alias")?
        .parse()?;
    let nobody = Username::of(&alias, &"nobody@customer.example".parse()?).to_string();
    let simple = member.replace('-', "");
    let spellings = [
        simple.clone(),
        format!("{{{member}}}"),
        format!("urn:uuid:{member}"),
        member.to_uppercase(),
    ];
    let mut answers = Vec::new();
    for name in spellings.iter().chain([&member, &nobody]) {
        answers.push(refused_sign_up(stack, name, &person.details.email).await?);
    }
    ensure!(
        answers.iter().all(|answer| *answer == answers[0]),
        "the answers differ by name: {answers:?}"
    );
    ensure!(
        answers[0].1 == "PreSignUp failed with error not-registered.",
        "{answers:?}"
    );
    ensure!(
        accounts_with(stack, &person.details.email).await? == [member.clone()],
        "an account was created"
    );

    for name in [&simple, &member.to_uppercase()] {
        plant(stack, name, &person.details.email).await?;
    }
    ensure!(
        accounts_with(stack, &person.details.email).await?.len() == 3,
        "nothing was planted"
    );
    host.admin
        .ask_nothing(Method::DELETE, &format!("/users/{member}"))
        .await?;
    let left = accounts_with(stack, &person.details.email).await?;
    ensure!(left.is_empty(), "{} accounts are left", left.len());
    Ok(())
}

/// The pool lets the last administrator delete their own account. The tenant's view is right within
/// a minute, an operator gives the tenant another administrator, and every member is notified.
#[journey]
async fn a_tenant_without_administrators_gets_a_new_one(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (person, _, session, _) = guest(stack, &host, "member").await?;
    let member = Administrator {
        token: session.access_token,
        ..host.admin.clone()
    };
    let cognito = Client::new(&stack.sdk(REGION)?);
    cognito
        .delete_user()
        .access_token(&host.session.access_token)
        .send()
        .await?;
    ensure!(
        host.admin.ask(Method::GET, "/users", None).await.is_err(),
        "the token outlives the account"
    );
    wait_for_administrators(&member, 0).await?;

    let state = stack.deployment().region(REGION)?;
    let successor = Person::invent(REGION, "pro");
    let email = &successor.details.email;
    let by_member = member
        .ask(
            Method::POST,
            "/administrators",
            Some(&json!({ "email": email })),
        )
        .await;
    let Err(error) = by_member else {
        bail!("a member gives the tenant an administrator")
    };
    ensure!(
        refusal(error)?.status == 401,
        "a person's token is accepted"
    );
    let given = Operator::give_administrator(state, &host.customer.tenant, email).await?;
    ensure!(
        given["state"] == "invited" && !given.to_string().contains(email.as_str()),
        "{given}"
    );
    quiet_for(stack, &[&host.customer]).await?;
    let notice = "A new administrator for your workspace";
    let mails = stack.mailbox(REGION).await?;
    let notices = mails
        .iter()
        .filter(|mail| mail.is_to(&person.details.email) && mail.subject == notice)
        .count();
    ensure!(notices == 1, "the member is notified {notices} times");

    let code = mailed_invitation(stack, REGION, email).await?;
    let (name, password) = (&successor.details.name, &successor.details.password);
    let username = accept_invitation(&state.api_url, &code, name, password).await?;
    let session = sign_in(&stack.sdk(REGION)?, &state.client_id, &username, password).await?;
    let successor = Administrator {
        token: session.access_token,
        ..host.admin.clone()
    };
    let trail = successor
        .audit()
        .await
        .context("the new administrator administers")?;
    let has = |actor: &str, action: &str| {
        trail
            .iter()
            .any(|e| e["actor"] == actor && e["action"] == action)
    };
    ensure!(
        has("operator", "invite") && has("identity_provider", "lose-account"),
        "the trail lacks an entry"
    );
    let Signed { customer, .. } = host;
    stays_in(
        REGION,
        &[("email", email), ("email", &customer.person.details.email)],
    );
    Ok(())
}

/// Waits until the tenant has so many administrators. The region caches what it read from the pool
/// for a minute, so this may take longer than that.
async fn wait_for_administrators(member: &Administrator, wanted: u64) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(70);
    loop {
        let admins = member.profile().await?["admins"].clone();
        if admins == wanted {
            return Ok(());
        }
        ensure!(
            std::time::Instant::now() < deadline,
            "after more than a minute the tenant has {admins} administrators"
        );
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
}

/// Signs up at the pool by its public client. Returns the name and the message of the exception.
async fn refused_sign_up(stack: &Stack, username: &str, email: &str) -> Result<(String, String)> {
    let client_id = &stack.deployment().region(REGION)?.client_id;
    let email = AttributeType::builder()
        .name("email")
        .value(email)
        .build()?;
    let request = Client::new(&stack.sdk(REGION)?)
        .sign_up()
        .client_id(client_id)
        .username(username);
    let answer = request
        .password("Another-Password-1")
        .user_attributes(email)
        .send()
        .await;
    let Err(error) = answer else {
        bail!("an account is created")
    };
    let error = error.into_service_error();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok((text(error.code()), text(error.message())))
}

/// Creates an account as an administrator of the pool can, past its triggers.
async fn plant(stack: &Stack, username: &str, email: &str) -> Result<()> {
    let email = AttributeType::builder()
        .name("email")
        .value(email)
        .build()?;
    let planted = Client::new(&stack.emulator_sdk(REGION)?)
        .admin_create_user()
        .user_pool_id(&stack.deployment().region(REGION)?.user_pool_id)
        .username(username)
        .user_attributes(email)
        .message_action(MessageActionType::Suppress);
    planted.send().await.map(|_| ()).context("AdminCreateUser")
}

/// Lists the names of all accounts with an address.
async fn accounts_with(stack: &Stack, email: &str) -> Result<Vec<String>> {
    let pool = &stack.deployment().region(REGION)?.user_pool_id;
    let listed = Client::new(&stack.emulator_sdk(REGION)?)
        .list_users()
        .user_pool_id(pool);
    let listed = listed.filter(format!("email = \"{email}\"")).send().await?;
    Ok(listed
        .users()
        .iter()
        .filter_map(|user| user.username().map(str::to_owned))
        .collect())
}
