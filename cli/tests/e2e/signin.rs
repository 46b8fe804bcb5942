//! Sign-in with a third-party library, in every way that the user pool offers, and with every
//! refusal.

use crate::books::{ledger_items, text_of};
use crate::clients::Library;
use crate::life::{Signed, administrator};
use crate::quiet::quiet_for;
use crate::routing::alias_of;
use anyhow::{Context, Result, ensure};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use journey::journey;
use kernel::Alias;
use local_aws::Stack;
use local_aws::sdk::Mail;
use meridian::client::operator::Operator;
use meridian::client::signup::Details;
use meridian::demo::{Customer, Person};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tenancy::{Login, Username};

pub(crate) const REGION: &str = "eu-central-1";
/// The pool ends sessions with a resolution of a second, so a new session has to begin in a later
/// one.
const SIGN_OUT_RESOLUTION: Duration = Duration::from_millis(1_100);

/// A person who uses the library at the user pool of a region.
pub(crate) struct Visitor {
    client: Library,
    job: Value,
}

impl Visitor {
    pub(crate) fn new(stack: &Stack, username: &str) -> Result<Self> {
        let region = stack.deployment().region(REGION)?;
        let (pool, endpoint) = (
            &region.user_pool_id,
            &stack.local().region(REGION)?.aws_endpoint_url,
        );
        let job = json!({
            "user_pool_id": pool,
            "client_id": region.client_id,
            "jwks_uri": format!("{endpoint}/{pool}/.well-known/jwks.json"),
            "username": username,
        });
        Ok(Self {
            client: Library::start(stack, REGION)?,
            job,
        })
    }

    pub(crate) async fn step(&self, step: &str, more: Value) -> Result<Value> {
        let mut job = self.job.clone();
        for (name, value) in more.as_object().into_iter().flatten() {
            job[name] = value.clone();
        }
        self.client
            .step(step, &job)
            .await
            .with_context(|| step.to_owned())
    }

    /// Takes a step that has to return tokens.
    pub(crate) async fn tokens(&self, step: &str, more: Value) -> Result<Value> {
        let answer = self.step(step, more).await?;
        ensure!(
            answer["access_token"].is_string(),
            "{step}: {}",
            shown(&answer)
        );
        Ok(answer)
    }

    /// Takes a step that has to be refused. Returns the name and the message of the exception.
    pub(crate) async fn refused(&self, step: &str, more: Value) -> Result<(String, String)> {
        let answer = self.step(step, more).await?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        ensure!(
            answer["error"].is_string(),
            "{step} is not refused: {}",
            shown(&answer)
        );
        Ok((text("error"), text("message")))
    }
}

/// An answer without its tokens, for messages.
fn shown(answer: &Value) -> Value {
    json!({ "challenge": answer["challenge"], "error": answer["error"], "message": answer["message"] })
}

/// The alias and the user name of the administrator's account.
pub(crate) fn account(host: &Signed) -> Result<(Alias, Username)> {
    let alias: Alias = host.customer.claims["alias"]
        .as_str()
        .context("a token names the alias")?
        .parse()?;
    let username = Username::of(&alias, &host.customer.person.details.email.parse()?);
    Ok((alias, username))
}

/// A third-party library signs in by SRP and by password, refreshes, meets refusals for another
/// tenant's alias, uses an authenticator, replaces a forgotten password and signs out everywhere.
/// Each sign-in is metered once.
#[journey]
async fn a_third_party_library_signs_in(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (alias, username) = account(&host)?;
    let (email, password) = (
        &host.customer.person.details.email,
        &host.customer.person.details.password,
    );
    let visitor = Visitor::new(stack, &username.to_string())?;
    let_retries_end(stack, &host.customer).await?;
    let before = logins(stack, &host.customer.tenant).await?;

    let input = json!({ "password": password, "metadata": { "alias": alias } });
    let signed_in = visitor.tokens("srp", input).await?;
    let claims = &signed_in["claims"];
    ensure!(
        claims["tenant_id"] == json!(host.customer.tenant) && claims["region"] == REGION,
        "{claims}"
    );
    ensure!(
        claims["role"] == "admin" && claims["entitlements"].is_array(),
        "{claims}"
    );
    let_retries_end(stack, &host.customer).await?;
    visitor
        .tokens("password", json!({ "password": password }))
        .await?;
    let refreshed = visitor
        .tokens(
            "refresh",
            json!({ "refresh_token": signed_in["refresh_token"] }),
        )
        .await?;
    ensure!(
        refreshed["claims"]["tenant_id"] == json!(host.customer.tenant),
        "{}",
        refreshed["claims"]
    );

    nothing_is_disclosed_of_others(stack, &visitor, &host).await?;

    let enrolled = visitor
        .step(
            "enrol",
            json!({ "access_token": signed_in["access_token"] }),
        )
        .await?;
    ensure!(
        enrolled["verified"] == true,
        "the authenticator is not accepted: {}",
        shown(&enrolled)
    );
    let answer = visitor.step("srp", json!({ "password": password })).await?;
    ensure!(
        answer["challenge"] == "SOFTWARE_TOKEN_MFA",
        "{}",
        shown(&answer)
    );
    let totp = &enrolled["totp_secret"];
    let_retries_end(stack, &host.customer).await?;
    visitor
        .tokens("srp", json!({ "password": password, "totp_secret": totp }))
        .await?;

    let another = format!("{password}-A2");
    reset_password(stack, &visitor, email, (password, &another)).await?;
    let_retries_end(stack, &host.customer).await?;
    let session = visitor
        .tokens("srp", json!({ "password": another, "totp_secret": totp }))
        .await?;

    sign_out(&visitor, &session).await?;

    // The sign-ins are by SRP, by password, with the authenticator and with the new password. A
    // refresh is not a sign-in.
    quiet_for(stack, &[&host.customer]).await?;
    let metered = logins(stack, &host.customer.tenant).await? - before;
    ensure!(metered == 4, "{metered} sign-ins are metered");
    Ok(())
}

/// Another tenant's alias is refused, and a missing account is refused like a wrong password.
async fn nothing_is_disclosed_of_others(
    stack: &Stack,
    visitor: &Visitor,
    host: &Signed,
) -> Result<()> {
    let (alias, _) = account(host)?;
    let Details {
        email, password, ..
    } = &host.customer.person.details;
    let other = Alias::from_random([9; 16]);
    let wrong = visitor
        .refused(
            "srp",
            json!({ "password": password, "metadata": { "alias": other } }),
        )
        .await?;
    ensure!(
        wrong.1 == "PreTokenGeneration failed with error other-tenant.",
        "{wrong:?}"
    );
    let input = json!({ "password": password, "metadata": { "alias": other, "email": email } });
    let wrong = visitor.refused("password", input).await?;
    ensure!(
        wrong.1 == "PreAuthentication failed with error other-tenant.",
        "{wrong:?}"
    );
    let wrong = visitor
        .refused("srp", json!({ "password": "Wrong-Password-1" }))
        .await?;
    let unknown = Visitor::new(
        stack,
        &Username::of(&alias, &"nobody@customer.example".parse()?).to_string(),
    )?;
    let nobody = unknown
        .refused("password", json!({ "password": "Wrong-Password-1" }))
        .await?;
    ensure!(
        wrong == nobody,
        "{wrong:?} discloses that the account exists: {nobody:?}"
    );
    Ok(())
}

/// A person who has forgotten a password sets another one by a mailed code, and the former password
/// is refused.
async fn reset_password(
    stack: &Stack,
    visitor: &Visitor,
    email: &str,
    (password, another): (&str, &str),
) -> Result<()> {
    visitor.step("forgot", json!({})).await?;
    let code = newest(stack, email)
        .await?
        .code()
        .context("the mail holds no code")?;
    let done = visitor
        .step(
            "confirm-forgot",
            json!({ "code": code, "new_password": another }),
        )
        .await?;
    ensure!(done["error"].is_null(), "{}", shown(&done));
    let wrong = visitor
        .refused("srp", json!({ "password": password }))
        .await?;
    ensure!(wrong.0 == "NotAuthorizedException", "{wrong:?}");
    Ok(())
}

/// Signs out everywhere, and checks that no session is refreshed afterwards.
async fn sign_out(visitor: &Visitor, session: &Value) -> Result<()> {
    tokio::time::sleep(SIGN_OUT_RESOLUTION).await;
    visitor
        .step(
            "sign-out",
            json!({ "access_token": session["access_token"] }),
        )
        .await?;
    let dead = visitor
        .refused(
            "refresh",
            json!({ "refresh_token": session["refresh_token"] }),
        )
        .await?;
    ensure!(dead.0 == "NotAuthorizedException", "{dead:?}");
    Ok(())
}

/// Waits until the sign-in is metered, and deletes the time at which it began, as expiry would.
/// Within seconds of a sign-in, another one at the same client counts as a repeated report of the
/// first.
async fn let_retries_end(stack: &Stack, customer: &Customer) -> Result<()> {
    quiet_for(stack, &[customer]).await?;
    let region = stack.deployment().region(REGION)?;
    let table = region.tables.get("regional");
    let login = Login {
        account: Username::of(
            &alias_of(customer)?.parse()?,
            &customer.person.details.email.parse()?,
        ),
        client: region.client_id.clone(),
        at: meridian::now(),
    };
    let text = |value: &str| AttributeValue::S(value.to_owned());
    aws_sdk_dynamodb::Client::new(&stack.emulator_sdk(REGION)?)
        .delete_item()
        .table_name(table.context("a region has tenants")?)
        .key("pk", text(&format!("LIMIT#{}", login.key().as_str())))
        .key("sk", text("BEGAN"))
        .send()
        .await?;
    Ok(())
}

/// A temporary password, as an operator of the pool would set it, has to be replaced.
#[journey]
async fn a_temporary_password_has_to_be_replaced(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (_, username) = account(&host)?;
    let state = stack.deployment().region(REGION)?;
    Client::new(&stack.sdk(REGION)?)
        .admin_set_user_password()
        .user_pool_id(&state.user_pool_id)
        .username(username.to_string())
        .password("Temporary-Password-1")
        .permanent(false)
        .send()
        .await?;
    let visitor = Visitor::new(stack, &username.to_string())?;
    let answer = visitor
        .step("password", json!({ "password": "Temporary-Password-1" }))
        .await?;
    ensure!(
        answer["challenge"] == "NEW_PASSWORD_REQUIRED",
        "{}",
        shown(&answer)
    );
    let chosen =
        json!({ "password": "Temporary-Password-1", "new_password": "Permanent-Password-1" });
    let session = visitor.tokens("new-password", chosen).await?;
    ensure!(
        session["claims"]["tenant_id"] == json!(host.customer.tenant),
        "{}",
        session["claims"]
    );
    visitor
        .tokens("srp", json!({ "password": "Permanent-Password-1" }))
        .await?;
    Ok(())
}

/// Nobody gets a token of a suspended tenant, neither by a password nor by a refresh. After the
/// suspension everybody does.
#[journey]
async fn a_suspended_tenant_signs_nobody_in(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (_, username) = account(&host)?;
    let password = &host.customer.person.details.password;
    let visitor = Visitor::new(stack, &username.to_string())?;
    let session = visitor
        .tokens("srp", json!({ "password": password }))
        .await?;
    quiet_for(stack, &[&host.customer]).await?;
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    operator.suspend(&host.customer.tenant, "operator").await?;
    quiet_for(stack, &[&host.customer]).await?;
    let before = logins(stack, &host.customer.tenant).await?;
    let refused = "PreTokenGeneration failed with error tenant-suspended.";
    for (step, more) in [
        ("srp", json!({ "password": password })),
        ("password", json!({ "password": password })),
        (
            "refresh",
            json!({ "refresh_token": session["refresh_token"] }),
        ),
    ] {
        let answer = visitor.refused(step, more).await?;
        ensure!(
            answer
                == (
                    "UserLambdaValidationException".to_owned(),
                    refused.to_owned()
                ),
            "{step}: {answer:?}"
        );
    }
    operator
        .reactivate(&host.customer.tenant, "operator")
        .await?;
    quiet_for(stack, &[&host.customer]).await?;
    ensure!(
        logins(stack, &host.customer.tenant).await? == before,
        "a refused sign-in is metered"
    );
    visitor
        .tokens(
            "refresh",
            json!({ "refresh_token": session["refresh_token"] }),
        )
        .await?;
    Ok(())
}

/// The mails with a code are in the tenant's language, and have the tenant's own address.
#[journey]
async fn mails_are_worded_for_the_tenant(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (alias, username) = account(&host)?;
    let details = &host.customer.person.details;
    let address = stack
        .deployment()
        .tenant_address(alias.as_str())
        .context("tenants have no address")?;
    let visitor = Visitor::new(stack, &username.to_string())?;

    let first = newest(stack, &details.email).await?;
    ensure!(
        first.subject == "Confirm your e-mail address",
        "{}",
        first.subject
    );
    ensure!(
        first.text().contains(&address) && first.code().is_some(),
        "the mail of the sign-up is not worded"
    );
    visitor.step("forgot", json!({})).await?;
    ensure!(
        newest(stack, &details.email).await?.subject == "Choose a new password",
        "the default language is not English"
    );

    host.admin
        .ask(Method::PATCH, "", Some(&json!({ "language": "de" })))
        .await?;
    visitor.step("forgot", json!({})).await?;
    let german = newest(stack, &details.email).await?;
    ensure!(
        german.subject == "Wählen Sie ein neues Passwort",
        "{}",
        german.subject
    );
    ensure!(
        german.text().contains(&address) && german.code().is_some(),
        "the German mail lacks something"
    );
    let invited = Person::invent(REGION, "pro");
    host.admin.invite(&invited.details.email, "member").await?;
    let invitation = newest(stack, &invited.details.email).await?;
    ensure!(
        invitation.subject == "Sie sind eingeladen",
        "{}",
        invitation.subject
    );
    ensure!(
        invitation.text().contains(&address),
        "the invitation lacks the address"
    );
    for mail in [&first, &german] {
        ensure!(
            !mail.text().contains(&details.organisation) && !mail.text().contains(&details.name),
            "it names people"
        );
    }
    Ok(())
}

/// Counts the sign-ins of a tenant in the ledger of the region that bills it.
async fn logins(stack: &Stack, tenant: &str) -> Result<u64> {
    let home = &stack.deployment().home;
    let mut total = 0;
    for item in ledger_items(stack, home, "LEDGER#").await? {
        let text = |name: &str| text_of(&item, name);
        let of_tenant = text("pk").and_then(|pk| pk.split('#').nth(1)) == Some(tenant);
        if of_tenant && text("meter") == Some("logins") {
            total += text("value")
                .context("a window has a value")?
                .parse::<u64>()?;
        }
    }
    Ok(total)
}

/// Reads the newest mail to an address.
pub(crate) async fn newest(stack: &Stack, address: &str) -> Result<Mail> {
    let mails = stack.mailbox(REGION).await?;
    mails
        .into_iter()
        .rev()
        .find(|mail| mail.is_to(address))
        .context("no mail to this address")
}
