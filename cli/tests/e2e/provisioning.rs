//! An application plane makes the tenants' resources: shared ones, own ones, late ones, none at
//! all.

use crate::faults::{fault_in, under};
use crate::life::{administrator, look_after_tenants};
use crate::listener::Listener;
use crate::onboarding::SHARED as REGION;
use crate::quiet::quiet_about;
use crate::redelivery::soon;
use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use journey::journey;
use local_aws::{Action, Stack};
use meridian::client::signup::{self, Operation, confirm, mailed_code, sign_up};
use meridian::demo::{Person, enter, wait_until_done};

/// More calls than any of the functions makes.
const CALLS_MAX: u64 = 12;

/// Signs up and confirms; the application has not answered yet.
async fn confirmed(stack: &Stack, plan: &str) -> Result<(Person, Operation)> {
    let region = stack.deployment().region(REGION)?;
    let person = Person::invent(REGION, plan);
    let operation = sign_up(&region.api_url, &person.idempotency_key, &person.details).await?;
    let code = mailed_code(
        &stack.local().region(REGION)?.mail_url,
        &person.details.email,
    )
    .await?;
    let operation = confirm(&region.api_url, &operation.id, &code).await?;
    Ok((person, operation))
}

/// A pool tenant gets an item in the table of all, a silo tenant a table of its own; both sign in.
#[journey]
async fn the_application_makes_pool_and_silo_tenants(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    for (plan, has_table) in [("starter", false), ("enterprise", true)] {
        let (person, operation) = confirmed(stack, plan).await?;
        let done = wait_until_done(api_url, &operation.id).await?;
        let tenant = enter(stack, person, &done.alias).await?.tenant;
        ensure!(
            own_table(stack, &tenant).await? == has_table,
            "{plan}: another tier"
        );
    }
    Ok(())
}

/// While the application listens to nothing, the deadline turns silence into a failure that can be
/// repeated.
#[journey(
    alone = "silences the application, and moves the clock of a region's tenants",
    region = "us-west-2"
)]
async fn silence_is_a_visible_failure(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let events = aws_sdk_eventbridge::Client::new(&stack.emulator_sdk(REGION)?);
    let bus = stack
        .deployment()
        .region(REGION)?
        .buses
        .get("regional")
        .context("a region has its bus")?;
    let rules = events.list_rules().event_bus_name(bus).send().await?;
    let named = rules.rules().iter().filter_map(|rule| rule.name());
    let rule = named
        .into_iter()
        .find(|name| name.contains("Application"))
        .context("the example has its rule")?;
    events
        .disable_rule()
        .event_bus_name(bus)
        .name(rule)
        .send()
        .await?;
    let failed = meet_silence(stack).await;
    // Whatever came of it: the journeys after this one need the application.
    events
        .enable_rule()
        .event_bus_name(bus)
        .name(rule)
        .send()
        .await?;
    let (person, operation) = failed?;
    signup::retry_provisioning(api_url, &operation.id).await?;
    wait_until_done(api_url, &operation.id).await?;
    enter(stack, person, &operation.alias).await?;
    Ok(())
}

/// Signs up and confirms, and sees the deadline pass without an answer.
async fn meet_silence(stack: &Stack) -> Result<(Person, Operation)> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let (person, operation) = confirmed(stack, "starter").await?;
    ensure!(
        (operation.state.as_str(), operation.next.as_str()) == ("waiting", "wait"),
        "{operation:?}"
    );
    quiet_about(stack, &[&operation.tenant, &operation.alias]).await?;
    look_after_tenants(
        stack,
        REGION,
        meridian::now() + SignedDuration::from_mins(61),
    )
    .await?;
    let silent = signup::read(api_url, &operation.id).await?;
    ensure!(
        (silent.state.as_str(), silent.next.as_str()) == ("failed", "retry-provisioning"),
        "{silent:?}"
    );
    ensure!(
        silent.steps[3].reason.as_deref() == Some("no-answer"),
        "{silent:?}"
    );
    Ok((person, operation))
}

/// An application plane of AWS SaaS Builder Toolkit hears of tenants by the names that it knows.
#[journey]
async fn the_builder_toolkit_hears_of_tenants(stack: &Stack) -> Result<()> {
    let listener = Listener::new(
        stack,
        REGION,
        "toolkit",
        r#"{"source":["sbt.control.plane"]}"#,
    )
    .await?;
    let hear = async {
        let host = administrator(stack, REGION).await?;
        // The tenants of earlier journeys may be heard of, too.
        let is_enough = |heard: &str| {
            heard.contains("sbt_aws_onboardingRequest") && heard.contains(&host.customer.tenant)
        };
        let heard = listener.hear_until(is_enough).await?;
        anyhow::Ok((host, heard))
    };
    let result = hear.await;
    listener.end().await?;
    let (host, heard) = result?;
    ensure!(
        heard.contains("sbt_aws_onboardingRequest"),
        "nothing is heard"
    );
    ensure!(
        heard.contains(&host.customer.tenant),
        "it is another tenant"
    );
    let details = &host.customer.person.details;
    ensure!(
        !heard.contains(&details.email) && !heard.contains(&details.organisation),
        "it is personal"
    );
    Ok(())
}

/// Kills the application and the function that takes its answer at each of their calls: the queue
/// brings what they had in hand again, and the tenant becomes active.
#[journey(
    alone = "kills functions that other journeys use",
    region = "us-west-2"
)]
async fn a_killed_provisioning_is_completed(stack: &Stack) -> Result<()> {
    for (function, queue) in [
        ("application-example", "application"),
        ("provisioning-apply", "provisioning"),
    ] {
        let boundaries = soon(stack, REGION, queue, killed_at_each_call(stack, function)).await?;
        ensure!(
            (2..CALLS_MAX).contains(&boundaries),
            "{function}: {boundaries} boundaries"
        );
    }
    Ok(())
}

/// Makes a tenant for each call of a function, at which that is killed. Returns how many calls
/// there are.
async fn killed_at_each_call(stack: &Stack, function: &str) -> Result<u64> {
    let mut boundaries = 0;
    for after in 0..CALLS_MAX {
        let fault = fault_in(stack, REGION, function, after, Action::KillAfter, 1)?;
        let (made, met) = under(stack, &fault, made(stack)).await?;
        let (person, operation) = made.with_context(|| format!("{function} after {after}"))?;
        enter(stack, person, &operation.alias).await?;
        if !met {
            break;
        }
        boundaries += 1;
    }
    Ok(boundaries)
}

/// A sign-up of which everything is done that concerns it.
async fn made(stack: &Stack) -> Result<(Person, Operation)> {
    let (person, operation) = confirmed(stack, "starter").await?;
    let api_url = &stack.deployment().region(REGION)?.api_url;
    wait_until_done(api_url, &operation.id).await?;
    quiet_about(stack, &[&operation.tenant, &operation.alias]).await?;
    Ok((person, operation))
}

/// Whether a tenant has a table of its own.
async fn own_table(stack: &Stack, tenant: &str) -> Result<bool> {
    let tables = aws_sdk_dynamodb::Client::new(&stack.emulator_sdk(REGION)?)
        .list_tables()
        .send()
        .await?;
    Ok(tables
        .table_names()
        .iter()
        .any(|name| name.contains(tenant)))
}
