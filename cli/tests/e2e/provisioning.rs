//! An application plane provisions the tenants' resources: in a pool, in a silo, late, or never.

use crate::faults::{fault_in, under};
use crate::life::{administrator, run_lifecycle};
use crate::listener::Listener;
use crate::onboarding::SHARED as REGION;
use crate::quiet::quiet_about;
use crate::redelivery::with_short_timeout;
use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use journey::journey;
use local_aws::{Action, Stack};
use meridian::client::signup::{self, Operation, confirm, mailed_code, sign_up};
use meridian::demo::{Person, enter, wait_until_done};

/// More calls than any of these functions makes.
const CALLS_MAX: u64 = 12;

/// Signs up and confirms. The application has not answered yet.
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

/// A pool tenant gets an item in the shared table, and a silo tenant gets its own table. Both sign
/// in.
#[journey]
async fn the_application_provisions_pool_and_silo_tenants(stack: &Stack) -> Result<()> {
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

/// While the application receives nothing, the deadline ends the provisioning with a failure that
/// can be retried.
#[journey(
    alone = "silences the application, and moves the clock of a region's tenants",
    region = "us-west-2"
)]
async fn a_silent_application_is_reported_as_a_failure(stack: &Stack) -> Result<()> {
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
    // The rule is enabled whatever the result, because the following journeys need the application.
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

/// Signs up and confirms, and lets the deadline pass without an answer.
async fn meet_silence(stack: &Stack) -> Result<(Person, Operation)> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let (person, operation) = confirmed(stack, "starter").await?;
    ensure!(
        (operation.state.as_str(), operation.next.as_str()) == ("waiting", "wait"),
        "{operation:?}"
    );
    quiet_about(stack, &[&operation.tenant, &operation.alias]).await?;
    run_lifecycle(
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

/// An application plane of the AWS SaaS Builder Toolkit receives tenants' events by the toolkit's
/// own event names.
#[journey]
async fn the_builder_toolkit_receives_tenant_events(stack: &Stack) -> Result<()> {
    let listener = Listener::new(
        stack,
        REGION,
        "toolkit",
        r#"{"source":["sbt.control.plane"]}"#,
    )
    .await?;
    let receive = async {
        let host = administrator(stack, REGION).await?;
        // Events about the tenants of earlier journeys may be received, too.
        let is_enough = |received: &str| {
            received.contains("sbt_aws_onboardingRequest")
                && received.contains(&host.customer.tenant)
        };
        let received = listener.receive_until(is_enough).await?;
        anyhow::Ok((host, received))
    };
    let result = receive.await;
    listener.end().await?;
    let (host, received) = result?;
    ensure!(
        received.contains("sbt_aws_onboardingRequest"),
        "nothing is received"
    );
    ensure!(
        received.contains(&host.customer.tenant),
        "it is another tenant"
    );
    let details = &host.customer.person.details;
    ensure!(
        !received.contains(&details.email) && !received.contains(&details.organisation),
        "it is personal"
    );
    Ok(())
}

/// Kills the application and the function that takes its answer at each of their calls. The queue
/// delivers their messages again, and the tenant becomes active.
#[journey(
    alone = "kills functions that other journeys use",
    region = "us-west-2"
)]
async fn a_killed_provisioning_is_completed(stack: &Stack) -> Result<()> {
    for (function, queue) in [
        ("application-example", "application"),
        ("provisioning-apply", "provisioning"),
    ] {
        let boundaries =
            with_short_timeout(stack, REGION, queue, killed_at_each_call(stack, function)).await?;
        ensure!(
            (2..CALLS_MAX).contains(&boundaries),
            "{function}: {boundaries} boundaries"
        );
    }
    Ok(())
}

/// Makes a tenant for each call of a function, and kills the function at that call. Returns the
/// number of calls.
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

/// Signs up and confirms a tenant, and waits until nothing about it is under way.
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
