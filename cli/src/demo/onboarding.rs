//! Every way into the system: in the region, through home, with and without an application that
//! makes resources, and by invitation.

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

/// How long the application may take for a tenant's resources, and for making up for an attempt
/// that failed.
const DONE_MAX: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const DESCRIBED_MAX: Duration = Duration::from_secs(60);

/// How one tenant was onboarded.
#[derive(Debug, Clone)]
pub(super) struct Onboarded {
    /// The region.
    pub(super) region: String,
    /// The plan.
    pub(super) plan: String,
    /// Whether home handed the sign-up over.
    pub(super) through_home: bool,
    /// The region's operation when it was done.
    pub(super) operation: Operation,
}

/// Somebody who joined a tenant by invitation.
#[derive(Debug, Clone)]
pub(super) struct Colleague {
    /// Who joined.
    pub(super) person: Person,
    /// What the person's token says.
    pub(super) claims: Value,
}

impl Colleague {
    /// What is personal of somebody who joined.
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

/// Onboards every demo tenant, all at once, as people would.
pub(super) async fn onboard_all(
    stack: &Stack,
    progress: &Progress,
) -> Result<(Vec<Customer>, Vec<Onboarded>)> {
    let step = progress.step("onboarding");
    // Home hands sign-ups over to regions that it has heard of.
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

/// One person's way from the form to the first token.
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
            .context("who onboards gets the region's operation")?
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

/// Waits until the application has made what a tenant needs, where it has to.
///
/// # Errors
/// When a step fails, or the sign-up is not done in time; the message holds its steps.
pub async fn wait_until_done(api_url: &str, signup: &str) -> Result<Operation> {
    let deadline = Instant::now() + DONE_MAX;
    loop {
        let operation = read(api_url, signup).await?;
        match operation.state.as_str() {
            "done" => return Ok(operation),
            "waiting" if Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
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
/// When the address leads elsewhere, the user pool refuses, or the token names no tenant.
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
        .context("the token names no tenant")?
        .to_owned();
    Ok(Customer {
        person,
        tenant,
        claims,
        access_token: session.access_token,
    })
}

/// Where the people of a tenant sign in: all that is needed is its address.
async fn entrance(stack: &Stack, alias: &str) -> Result<Entrance> {
    let address = stack
        .deployment()
        .tenant_address(alias)
        .context("tenants have no addresses here")?;
    Entrance::find(&address).await
}

/// The first administrator who signed up in a region invites somebody, who joins and signs in.
pub(super) async fn invite_a_colleague(
    stack: &Stack,
    customers: &[Customer],
    progress: &Progress,
) -> Result<Colleague> {
    let step = progress.step("invitation");
    let host = customers
        .iter()
        .find(|customer| !customer.person.through_home)
        .context("there are customers")?;
    let region = stack.deployment().region(&host.person.region)?;
    let entrance = entrance(
        stack,
        host.claims["alias"]
            .as_str()
            .context("a token names its tenant's label")?,
    )
    .await?;
    let (api_url, tenant) = (region.api_url.clone(), host.tenant.clone());
    // Another sign-in within seconds of the first would be taken for the pool telling of that one
    // again.
    let admin = Administrator {
        api_url,
        token: host.access_token.clone(),
        tenant,
    };
    let person = Person::invent(&host.person.region, &host.person.details.plan);
    let details = &person.details;
    admin
        .invite(&details.email, "member")
        .await
        .context("the invitation")?;
    let mails = stack.mailbox(&host.person.region).await?;
    let mail = mails
        .iter()
        .rev()
        .find(|mail| mail.is_to(&details.email))
        .context("the invitation is not mailed")?;
    let code = mail
        .text()
        .lines()
        .find_map(|line| line.trim().strip_prefix("Code: "));
    let code = code.context("the mail holds no code")?;
    accept_invitation(&region.api_url, code, &details.name, &details.password).await?;
    let session = entrance.sign_in(&details.email, &details.password).await?;
    let claims = shown_claims(&session.access_token)?;
    step.done(format!("one more user in {}", person.region));
    Ok(Colleague { person, claims })
}
