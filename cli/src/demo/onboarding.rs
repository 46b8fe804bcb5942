//! Every path of onboarding: in the region, through home, with and without resources from an
//! application, and by invitation.

use super::{Customer, Person};
use crate::client::entrance::Entrance;
use crate::client::login::shown_claims;
use crate::client::onboarding::onboard;
use crate::client::operator::scheduled_event;
use crate::client::signup::{Operation, confirm, mailed_code, read, sign_up};
use crate::client::tenant::{Administrator, accept_invitation};
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use local_aws::canary::Canary;
use local_aws::{Progress, Stack};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the application may take to provision a tenant's resources, including the retry of a
/// failed attempt.
const DONE_MAX: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The longest wait for the regions' heartbeats to reach home.
const DESCRIBED_MAX: Duration = Duration::from_secs(60);

/// The onboarding of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Onboarded {
    /// The region.
    pub(super) region: String,
    /// The plan.
    pub(super) plan: String,
    /// Whether home handed the sign-up over to the region.
    pub(super) through_home: bool,
    /// The region's operation, at its end.
    pub(super) operation: Operation,
}

/// A person who joined a tenant by invitation.
#[derive(Debug, Clone)]
pub(super) struct Colleague {
    /// The person.
    pub(super) person: Person,
    /// The claims of the person's token.
    pub(super) claims: Value,
}

impl Colleague {
    /// The personal values of the person.
    pub(super) fn canaries(&self) -> Vec<Canary> {
        let Person {
            region, details, ..
        } = &self.person;
        let canary = |field, value: &String| Canary {
            region: region.clone(),
            field,
            value: value.clone(),
        };
        vec![
            canary("name", &details.name),
            canary("email", &details.email),
        ]
    }
}

/// Onboards every demo tenant, all at the same time.
pub(super) async fn onboard_all(
    stack: &Stack,
    progress: &Progress,
) -> Result<(Vec<Customer>, Vec<Onboarded>)> {
    let step = progress.step("onboarding");
    // Home hands sign-ups over only to regions whose heartbeat it has received.
    let beat = scheduled_event(crate::now());
    let regions = stack.deployment().regions.keys();
    try_join_all(regions.map(async |code| stack.invoke(code, "heartbeat", &beat).await)).await?;
    stack.wait_until_quiet(DESCRIBED_MAX).await?;
    let people = super::people::invent(stack.deployment());
    let onboarded =
        try_join_all(people.into_iter().map(|person| onboard_one(stack, person))).await?;
    let (customers, onboardings): (Vec<Customer>, Vec<Onboarded>) = onboarded.into_iter().unzip();
    let handed = onboardings
        .iter()
        .filter(|onboarded| onboarded.through_home)
        .count();
    let count = stack.deployment().regions.len();
    step.done(format!(
        "{} tenants in {count} regions, {handed} of them through home",
        customers.len()
    ));
    Ok((customers, onboardings))
}

/// Takes one person from the form to the first token.
///
/// # Errors
/// When a step is refused.
pub async fn become_customer(stack: &Stack, person: Person) -> Result<Customer> {
    onboard_one(stack, person)
        .await
        .map(|(customer, _)| customer)
}

async fn onboard_one(stack: &Stack, person: Person) -> Result<(Customer, Onboarded)> {
    let region = stack.deployment().region(&person.region)?;
    let details = &person.details;
    let operation = if person.through_home {
        let home = stack.deployment().region(&stack.deployment().home)?;
        let placement = json!({ "region": person.region });
        let started = onboard(home, &person.idempotency_key, &placement, details)
            .await
            .context("the onboarding")?;
        started
            .signup
            .context("the onboarding has no operation of its region")?
            .operation
    } else {
        sign_up(&region.api_url, &person.idempotency_key, details)
            .await
            .context("the sign-up")?
    };
    let code = mailed_code(
        &stack.local().region(&person.region)?.mail_url,
        &details.email,
    )
    .await?;
    confirm(&region.api_url, &operation.id, &code)
        .await
        .context("the confirmation")?;
    let done = wait_until_done(&region.api_url, &operation.id).await;
    let operation = done.with_context(|| format!("in {}", person.region))?;
    let alias = operation.alias.clone();
    let (plan, through_home) = (details.plan.clone(), person.through_home);
    let onboarded = Onboarded {
        region: person.region.clone(),
        plan,
        through_home,
        operation,
    };
    Ok((enter(stack, person, &alias).await?, onboarded))
}
///
/// # Errors
/// When a step fails, or the sign-up is not done in time; the message holds its steps.
pub async fn wait_until_done(api_url: &str, signup: &str) -> Result<Operation> {
    let deadline = Instant::now() + DONE_MAX;
    loop {
        let operation = read(api_url, signup).await?;
        match operation.state.as_str() {
            "done" => return Ok(operation),
            "waiting" if Instant::now() < deadline => tokio::time::sleep(POLL_INTERVAL).await,
            state => bail!(
                "a confirmed sign-up is {state}, not done: {:?}",
                operation.steps
            ),
        }
    }
}

/// Signs in for the first time, at the tenant's own address.
///
/// # Errors
/// When the address leads to another region, the user pool refuses, or the token has no tenant.
pub async fn enter(stack: &Stack, person: Person, alias: &str) -> Result<Customer> {
    let entrance = entrance(stack, alias).await?;
    ensure!(
        entrance.region == person.region,
        "{alias} leads to {}, not to {}",
        entrance.region,
        person.region
    );
    let session = entrance
        .sign_in(&person.details.email, &person.details.password)
        .await?;
    let claims = shown_claims(&session.id_token)?;
    let tenant = claims
        .get("tenant_id")
        .and_then(Value::as_str)
        .context("the token has no tenant")?
        .to_owned();
    Ok(Customer {
        person,
        tenant,
        claims,
        access_token: session.access_token,
    })
}

/// The sign-in page of a tenant, found by its address alone.
async fn entrance(stack: &Stack, alias: &str) -> Result<Entrance> {
    let address = stack
        .deployment()
        .tenant_address(alias)
        .context("tenants have no addresses here")?;
    Entrance::find(&address).await
}

/// The first administrator who signed up in a region invites a colleague, who joins and signs in.
pub(super) async fn invite_a_colleague(
    stack: &Stack,
    customers: &[Customer],
    progress: &Progress,
) -> Result<Colleague> {
    let step = progress.step("invitation");
    let inviter = customers
        .iter()
        .find(|customer| !customer.person.through_home)
        .context("there are no customers")?;
    let region = stack.deployment().region(&inviter.person.region)?;
    let entrance = entrance(
        stack,
        inviter.claims["alias"]
            .as_str()
            .context("the token has no alias")?,
    )
    .await?;
    let (api_url, tenant) = (region.api_url.clone(), inviter.tenant.clone());
    // The token of the first sign-in is reused: the pool may report a sign-in twice, so the region
    // counts two within seconds as one.
    let admin = Administrator {
        api_url,
        token: inviter.access_token.clone(),
        tenant,
    };
    let person = Person::invent(&inviter.person.region, &inviter.person.details.plan);
    let details = &person.details;
    admin
        .invite(&details.email, "member")
        .await
        .context("the invitation")?;
    let mails = stack.mailbox(&inviter.person.region).await?;
    let mail = mails
        .iter()
        .rev()
        .find(|mail| mail.is_to(&details.email))
        .context("the invitation was not mailed")?;
    let code = mail
        .text()
        .lines()
        .find_map(|line| line.trim().strip_prefix("Code: "));
    let code = code.context("the mail has no code")?;
    accept_invitation(&region.api_url, code, &details.name, &details.password).await?;
    let session = entrance.sign_in(&details.email, &details.password).await?;
    let claims = shown_claims(&session.access_token)?;
    step.done(format!("one more user in {}", person.region));
    Ok(Colleague { person, claims })
}
