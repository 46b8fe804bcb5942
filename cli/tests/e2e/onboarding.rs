//! Onboarding through home: home passes the form to a region and stores nothing of it.

use crate::books::scan;
use crate::faults::{fault_in, under};
use crate::quiet::quiet_about;
use crate::streams::bring_back;
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use journey::journey;
use local_aws::{Action, Stack};
use meridian::client::onboarding::{Onboarding, onboard, read, regions};
use meridian::client::signup::{confirm, mailed_code};
use meridian::client::tenant::refusal;
use meridian::demo::{Person, enter, wait_until_done};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A region in mode `shared` that is not home.
pub(crate) const SHARED: &str = "us-west-2";
/// Longer than a region's events take to home, a refused attempt at each queue included.
const FOLLOWED_MAX: Duration = Duration::from_secs(90);
/// More calls than any of these functions makes.
const CALLS_MAX: u64 = 20;

/// Everybody can list the regions. Home chooses one by the requested placement, hands the sign-up
/// over, and follows it.
#[journey]
async fn home_hands_a_sign_up_over(stack: &Stack) -> Result<()> {
    beat_everywhere(stack).await?;
    let home = stack.deployment().region(&stack.deployment().home)?;
    let listed = regions(home).await?;
    let codes: Vec<&str> = listed.iter().map(|region| region.code.as_str()).collect();
    ensure!(
        codes == ["ap-south-1", "eu-central-1", "us-east-1", "us-west-2"],
        "the regions are {codes:?}"
    );
    for region in &listed {
        let served = &stack.deployment().region(&region.code)?.api_url;
        ensure!(
            region.signup_url == *served && region.accepts_new_tenants,
            "{region:?}"
        );
    }
    for placement in [
        json!({ "region": SHARED }),
        json!({ "jurisdiction": "us" }),
        json!({ "nearest_to": { "latitude": 45.5, "longitude": -122.6 } }),
    ] {
        let person = Person::invent(SHARED, "starter");
        let started = onboard(home, &person.idempotency_key, &placement, &person.details).await?;
        let person = Person {
            region: started.region.clone(),
            ..person
        };
        finish(stack, person, &started)
            .await
            .with_context(|| placement.to_string())?;
    }
    for (code, slug) in [
        ("eu-central-1", "region-forbids-central-onboarding"),
        ("sa-east-1", "unknown-region"),
    ] {
        let person = Person::invent(code, "starter");
        let refused = onboard(
            home,
            &person.idempotency_key,
            &json!({ "region": code }),
            &person.details,
        )
        .await
        .map(|_| ());
        let problem = refusal(refused.err().with_context(|| format!("{code} is taken"))?)?;
        ensure!(problem.slug() == slug, "{code}: {problem}");
        let named = problem.problem["signup_url"].as_str();
        ensure!(
            code != "eu-central-1" || named == Some(&stack.deployment().region(code)?.api_url),
            "{problem:?}"
        );
    }
    Ok(())
}

/// Twenty clients with one key make one tenant. A region that is down takes the sign-up later,
/// under the same key.
#[journey(alone = "stops a region, and counts all tenants of it")]
async fn an_idempotency_key_makes_one_onboarding(stack: &Stack) -> Result<()> {
    beat_everywhere(stack).await?;
    let home = stack.deployment().region(&stack.deployment().home)?;
    let person = Person::invent(SHARED, "starter");
    let before = tenants(stack).await?;
    let placement = json!({ "region": SHARED });
    let answers = (0..20).map(async |_| repeat(stack, &person, &placement).await);
    let answers: Vec<Onboarding> = try_join_all(answers).await?;
    ensure!(
        answers.iter().all(|answer| answer.id == answers[0].id),
        "one key made several onboardings"
    );
    ensure!(
        tenants(stack).await? == before + 1,
        "one key made several tenants"
    );

    let person = Person::invent(SHARED, "starter");
    stack.stop_region(SHARED).await?;
    let away = onboard(home, &person.idempotency_key, &placement, &person.details).await;
    let problem = refusal(away.err().context("a region that is down takes sign-ups")?)?;
    ensure!(problem.status.as_u16() == 503, "{problem}");
    bring_back(stack, SHARED).await?;
    let started = repeat(stack, &person, &placement).await?;
    finish(stack, person, &started).await
}

/// Kills home's function and the region's at each of their calls. A retry makes exactly one tenant.
#[journey(alone = "kills functions that all journeys use", region = "us-west-2")]
async fn a_killed_onboarding_is_completed_by_a_retry(stack: &Stack) -> Result<()> {
    beat_everywhere(stack).await?;
    let home_code = stack.deployment().home.clone();
    let home = stack.deployment().region(&home_code)?;
    let placement = json!({ "region": SHARED });
    for (region, function) in [
        (home_code.as_str(), "fleet-onboarding"),
        (SHARED, "signup-api"),
    ] {
        let mut boundaries = 0;
        'calls: for after in 0..CALLS_MAX {
            for action in [Action::Kill, Action::KillAfter] {
                let person = Person::invent(SHARED, "starter");
                let before = tenants(stack).await?;
                let at = format!("{function} after {after}, {action:?}");
                let fault = fault_in(stack, region, function, after, action, 1)?;
                let lost = onboard(home, &person.idempotency_key, &placement, &person.details);
                let (_lost, met) = under(stack, &fault, lost).await?;
                let started = repeat(stack, &person, &placement)
                    .await
                    .with_context(|| at.clone())?;
                ensure!(tenants(stack).await? == before + 1, "{at}: not one tenant");
                if !met {
                    finish(stack, person, &started).await.with_context(|| at)?;
                    break 'calls;
                }
                boundaries += 1;
            }
        }
        ensure!(
            boundaries >= 4,
            "{function}: only {boundaries} boundaries were met"
        );
    }
    Ok(())
}

/// Makes every region send a heartbeat, so that home knows the regions to choose from.
pub(crate) async fn beat_everywhere(stack: &Stack) -> Result<()> {
    let beat = meridian::client::operator::scheduled_event(meridian::now());
    let regions = stack.deployment().regions.keys();
    try_join_all(regions.map(async |code| stack.invoke(code, "heartbeat", &beat).await)).await?;
    quiet_about(stack, &["HeartbeatReported"]).await
}

/// Repeats an onboarding until it is answered, as a client with a key does.
async fn repeat(stack: &Stack, person: &Person, placement: &Value) -> Result<Onboarding> {
    let home = stack.deployment().region(&stack.deployment().home)?;
    let mut last = None;
    for _ in 0..10 {
        match onboard(home, &person.idempotency_key, placement, &person.details).await {
            Ok(started) => return Ok(started),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(last
        .context("never sent")?
        .context("the onboarding is never answered"))
}

/// Confirms and signs in at the region, and checks that home receives every step.
async fn finish(stack: &Stack, person: Person, started: &Onboarding) -> Result<()> {
    let handed = started
        .signup
        .as_ref()
        .context("the answer lacks the region's operation")?;
    let region = stack.deployment().region(&started.region)?;
    let operation = &handed.operation;
    ensure!(
        handed.url == format!("{}/signups/{}", region.api_url, operation.id),
        "{}",
        handed.url
    );
    let code = mailed_code(
        &stack.local().region(&started.region)?.mail_url,
        &person.details.email,
    )
    .await?;
    confirm(&region.api_url, &operation.id, &code).await?;
    wait_until_done(&region.api_url, &operation.id).await?;
    let customer = enter(stack, person, &operation.alias).await?;
    ensure!(
        customer.claims["region"] == started.region.as_str(),
        "{}",
        customer.claims
    );
    let home = stack.deployment().region(&stack.deployment().home)?;
    let deadline = Instant::now() + FOLLOWED_MAX;
    loop {
        let followed = read(home, &started.id).await?;
        if followed.state == "done" {
            let steps: Vec<&str> = followed
                .steps
                .iter()
                .map(|step| step.name.as_str())
                .collect();
            let all = [
                "registration",
                "identity",
                "confirmation",
                "provisioning",
                "routing",
                "activation",
            ];
            ensure!(
                steps == all && followed.steps.iter().all(|step| step.state == "done"),
                "{followed:?}"
            );
            ensure!(followed.signup.is_none(), "home stores the region's handle");
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("home does not receive the end: {followed:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn tenants(stack: &Stack) -> Result<usize> {
    let table = stack
        .deployment()
        .region(SHARED)?
        .tables
        .get("regional")
        .context("a region has its table")?;
    Ok(scan(stack, SHARED, table, "ALIAS#").await?.len())
}
