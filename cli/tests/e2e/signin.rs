//! Signing in, by a library that others maintain: every way that the user pool offers, and every
//! refusal.

use crate::books::{scan, text_of};
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
/// The pool ends sessions to the second.
const SIGN_OUT_RESOLUTION: Duration = Duration::from_millis(1_100);

/// A person at the user pool of a region, with the library in hand.
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

    /// A step that leads to tokens.
    pub(crate) async fn tokens(&self, step: &str, more: Value) -> Result<Value> {
        let answer = self.step(step, more).await?;
        ensure!(
            answer["access_token"].is_string(),
            "{step}: {}",
            shown(&answer)
        );
        Ok(answer)
    }

    /// A step that is refused: the exception's name and what it says.
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

/// An answer without its tokens.
fn shown(answer: &Value) -> Value {
    json!({ "challenge": answer["challenge"], "error": answer["error"], "message": answer["message"] })
}

/// The label and the name of the administrator's account.
pub(crate) fn account(host: &Signed) -> Result<(Alias, Username)> {
    let alias: Alias = host.customer.claims["alias"]
        .as_str()
        .context("a token names the alias")?
        .parse()?;
    let username = Username::of(&alias, &host.customer.person.details.email.parse()?);
    Ok((alias, username))
}

/// SRP, password, refresh, another tenant's label, an authenticator, a forgotten password, signing
/// out everywhere; and what of it is metered.
#[journey]
async fn a_library_of_others_signs_in(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (alias, username) = account(&host)?;
    let (email, password) = (
        &host.customer.person.details.email,
        &host.customer.person.details.password,
    );
    let visitor = Visitor::new(stack, &username.to_string())?;
    let_retries_end(stack, &host.customer).await?;
    let before = logins(stack, &host.customer.tenant).await?;

    let said = json!({ "password": password, "metadata": { "alias": alias } });
    let signed_in = visitor.tokens("srp", said).await?;
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

    nothing_is_told_of_others(stack, &visitor, &host).await?;

    let enrolled = visitor
        .step(
            "enrol",
            json!({ "access_token": signed_in["access_token"] }),
        )
        .await?;
    ensure!(
        enrolled["verified"] == true,
        "the authenticator is not taken: {}",
        shown(&enrolled)
    );
    let asked = visitor.step("srp", json!({ "password": password })).await?;
    ensure!(
        asked["challenge"] == "SOFTWARE_TOKEN_MFA",
        "{}",
        shown(&asked)
    );
    let totp = &enrolled["totp_secret"];
    let_retries_end(stack, &host.customer).await?;
    visitor
        .tokens("srp", json!({ "password": password, "totp_secret": totp }))
        .await?;

    let another = format!("{password}-A2");
    choose_anew(stack, &visitor, email, (password, &another)).await?;
    let_retries_end(stack, &host.customer).await?;
    let session = visitor
        .tokens("srp", json!({ "password": another, "totp_secret": totp }))
        .await?;

    sign_out(&visitor, &session).await?;

    // By SRP, by password, with the authenticator, with the new password; a refresh is no sign-in.
    quiet_for(stack, &[&host.customer]).await?;
    let metered = logins(stack, &host.customer.tenant).await? - before;
    ensure!(metered == 4, "{metered} sign-ins are metered");
    Ok(())
}

/// Another tenant's label is refused, and an account that is not there like a wrong password.
async fn nothing_is_told_of_others(stack: &Stack, visitor: &Visitor, host: &Signed) -> Result<()> {
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
    let said = json!({ "password": password, "metadata": { "alias": other, "email": email } });
    let wrong = visitor.refused("password", said).await?;
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
        "{wrong:?} tells that the account exists: {nobody:?}"
    );
    Ok(())
}

/// Who has forgotten a password chooses another by a mailed code, and the former one is none.
async fn choose_anew(
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

/// Signs out everywhere: no session is refreshed afterwards.
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

/// Once what was told is metered, forgets when the sign-in began, as time does: within seconds of
/// one, another sign-in at the same client counts as the pool telling of the first again.
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
async fn a_new_password_is_required(stack: &Stack) -> Result<()> {
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
    let asked = visitor
        .step("password", json!({ "password": "Temporary-Password-1" }))
        .await?;
    ensure!(
        asked["challenge"] == "NEW_PASSWORD_REQUIRED",
        "{}",
        shown(&asked)
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

/// Nobody gets a token of a suspended tenant, by a password or by a refresh, and everybody does
/// afterwards.
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
        "what was refused is metered"
    );
    visitor
        .tokens(
            "refresh",
            json!({ "refresh_token": session["refresh_token"] }),
        )
        .await?;
    Ok(())
}

/// The mails with a code are in the tenant's language, and name the tenant's own address.
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
        "the language is another"
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

/// How many sign-ins of a tenant are in the ledger of whoever bills it.
async fn logins(stack: &Stack, tenant: &str) -> Result<u64> {
    let home = &stack.deployment().home;
    let table = stack
        .deployment()
        .region(home)?
        .tables
        .get("billing")
        .context("home has a ledger")?;
    let mut total = 0;
    for item in scan(stack, home, table, "LEDGER#").await? {
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

/// The newest mail to an address.
pub(crate) async fn newest(stack: &Stack, address: &str) -> Result<Mail> {
    let mails = stack.mailbox(REGION).await?;
    mails
        .into_iter()
        .rev()
        .find(|mail| mail.is_to(address))
        .context("no mail to this address")
}
