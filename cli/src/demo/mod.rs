//! The demo: onboarding, usage and billing on regions of every mode, and the proof that no event
//! was lost or counted twice, and no personal data left its region.

mod generate;
mod month;
mod onboarding;
mod people;
mod proof;
pub mod report;

pub use generate::{Expected, Recipe, write as write_usage};
pub use month::billable_period;
pub use onboarding::{become_customer, enter, wait_until_done};
pub use people::{Person, canaries};

use crate::client::login::machine_token;
use crate::client::operator::{Fleet, Operator, scheduled_event};
use crate::client::usage::{self, Sending, Sent};
use anyhow::{Context, Result};
use billing::Invoice;
use futures::future::try_join_all;
use jiff::ToSpan as _;
use kernel::{BillingPeriod, Timestamp};
use local_aws::canary::{self, Canary};
use local_aws::{Progress, Stack, UpOptions};
use proof::Check;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The longest wait for all usage to reach a ledger.
const ROLLED_UP_MAX: Duration = Duration::from_secs(120);
/// The longest wait for a billing run.
const BILLED_MAX: Duration = Duration::from_secs(60);
/// How far back the demo's usage goes, in seconds, within the period that it bills.
const SPAN_S_MAX: i64 = 6 * 86_400;
/// How late an event may be sent after it happened, in seconds.
const LATE_S_MAX: i64 = 3_600;

/// Options of the demo.
#[derive(Debug, Clone)]
pub struct Options {
    /// The checkout.
    pub checkout: PathBuf,
    /// Whether to leave the stack running.
    pub keep: bool,
    /// The number of events to send, over all regions.
    pub events: usize,
    /// The seed of the usage; the same seed generates the same events.
    pub seed: u64,
    /// Where progress is shown.
    pub progress: Progress,
}

/// A tenant of the demo.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The person who signed up, and the region.
    pub person: Person,
    /// The tenant's id from its token.
    pub tenant: String,
    /// The claims of the administrator's token.
    pub claims: Value,
    /// The administrator's access token, valid for an hour after the sign-in.
    pub access_token: String,
}

/// The result of the demo.
#[derive(Debug)]
pub struct Outcome {
    /// Whether every check held.
    pub is_proved: bool,
    /// The report for people.
    pub report: String,
}

/// Runs the demo.
///
/// # Errors
/// When a step cannot be done at all. A wrong result of a step is in the report instead.
pub async fn run(options: &Options) -> Result<Outcome> {
    let began = Instant::now();
    let up = UpOptions {
        reset: true,
        progress: options.progress.clone(),
        ..UpOptions::new(&options.checkout)
    };
    let stack = Stack::up(up).await?;
    let outcome = run_on(&stack, options).await;
    let mut outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            if !options.keep
                && let Err(running) = Stack::down(&options.checkout).await
            {
                return Err(error.context(format!("the stack does not stop either: {running:#}")));
            }
            return Err(error);
        }
    };
    outcome.report.push_str(&format!(
        "\nThe demo took {:.0} s.\n",
        began.elapsed().as_secs_f32()
    ));
    Ok(outcome)
}

async fn run_on(stack: &Stack, options: &Options) -> Result<Outcome> {
    let period = billable_period(&options.progress).await;
    let now = crate::now();
    let (customers, onboardings) = onboarding::onboard_all(stack, &options.progress).await?;
    let colleague = onboarding::invite_a_colleague(stack, &customers, &options.progress).await?;
    let (expected, sent) = send_usage(stack, options, &customers, period, now).await?;
    roll_up(stack, &options.progress).await?;
    let invoices = bill(stack, period, customers.len(), &options.progress).await?;
    let fleet = observe_fleet(stack, &options.progress).await?;
    let dead = dead_letters(stack).await?;
    let mut planted = canaries(&customers);
    planted.extend(colleague.canaries());
    let strays = search(stack, &planted, options).await?;

    let mut checks = proof::usage(&expected, &sent, &fleet, &invoices, stack.deployment())?;
    checks.push(Check::equal("events in dead-letter queues", dead, 0));
    let healthy = fleet
        .regions
        .iter()
        .filter(|region| region.status == "healthy")
        .count();
    checks.push(Check::equal(
        "healthy regions",
        healthy,
        stack.deployment().regions.len(),
    ));
    checks.push(proof::residency(&strays));
    let mut report = report::onboardings(&onboardings, &colleague, stack.deployment())?;
    report += &report::tokens(&customers, stack.deployment());
    report += &report::fleet(&fleet, stack.deployment())?;
    report += &report::invoices(&invoices)?;
    report += &report::checks(&checks);
    report += &report::addresses(stack, options.keep)?;
    Ok(Outcome {
        is_proved: checks.iter().all(|check| check.holds),
        report,
    })
}

/// Sends each region's usage of a period from a file, in batches, all regions at the same time.
async fn send_usage(
    stack: &Stack,
    options: &Options,
    customers: &[Customer],
    period: BillingPeriod,
    now: Timestamp,
) -> Result<(BTreeMap<String, Expected>, BTreeMap<String, Sent>)> {
    let mut tenants: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for customer in customers {
        tenants
            .entry(customer.person.region.clone())
            .or_default()
            .push(customer.tenant.clone());
    }
    let bar = options.progress.bar("usage", options.events as u64);
    let mut expected = BTreeMap::new();
    let mut sending = Vec::new();
    for (number, (region, tenants)) in tenants.into_iter().enumerate() {
        let recipe = Recipe {
            seed: options.seed + number as u64,
            events: options.events / stack.deployment().regions.len(),
            tenants,
            now,
            span_s: SPAN_S_MAX.min(now.as_second() - period.start().as_second()),
            late_s_max: LATE_S_MAX,
        };
        let file = options
            .checkout
            .join(".meridian/demo")
            .join(format!("usage-{region}.jsonl"));
        expected.insert(region.clone(), generate::write(&file, &recipe)?);
        sending.push(send_file(stack, region, file, |done| bar.advance(done)));
    }
    let sent: BTreeMap<String, Sent> = try_join_all(sending).await?.into_iter().collect();
    let total: u64 = sent.values().map(|sent| sent.events).sum();
    bar.done(format!("{total} events sent"));
    Ok((expected, sent))
}

async fn send_file(
    stack: &Stack,
    region: String,
    file: PathBuf,
    advance: impl Fn(u64),
) -> Result<(String, Sent)> {
    let deployed = stack.deployment().region(&region)?;
    let token = machine_token(&deployed.token_url, &deployed.service_client, usage::SCOPE).await?;
    let sending = Sending {
        api_url: deployed.api_url.clone(),
        token,
        batch: 500,
        parallel: 2,
    };
    let events = usage::read(&file)?;
    let sent = usage::send(&sending, &events, advance).await?;
    Ok((region, sent))
}

/// Waits until every event is rolled up, forwarded and entered into a ledger.
async fn roll_up(stack: &Stack, progress: &Progress) -> Result<()> {
    let step = progress.step("rollup, outbox, bus, ledger");
    stack.wait_until_quiet(ROLLED_UP_MAX).await?;
    step.done("nothing left in flight");
    Ok(())
}

/// Moves the billing clock past the period and runs billing, at home and in each sovereign region.
async fn bill(
    stack: &Stack,
    period: BillingPeriod,
    tenants: usize,
    progress: &Progress,
) -> Result<BTreeMap<String, Vec<Invoice>>> {
    let step = progress.step("billing");
    let clock = period.end() + 14.hours();
    let billing = stack
        .deployment()
        .regions
        .iter()
        .filter(|(_, region)| region.operator_api_url.is_some());
    let runs = billing.map(async |(code, region)| {
        stack
            .invoke(code, "billing-run", &scheduled_event(clock))
            .await?;
        let operator = Operator::connect(region).await?;
        operator
            .wait_for_run(period, BILLED_MAX)
            .await
            .with_context(|| format!("billing in {code}"))?;
        anyhow::Ok((code.clone(), operator.invoices(period).await?))
    });
    let invoices: BTreeMap<_, _> = try_join_all(runs).await?.into_iter().collect();
    let count: usize = invoices.values().map(Vec::len).sum();
    step.done(format!(
        "{count} invoices for {tenants} tenants, period {period}"
    ));
    Ok(invoices)
}

/// Makes every region send a heartbeat, and reads the fleet at home.
async fn observe_fleet(stack: &Stack, progress: &Progress) -> Result<Fleet> {
    let step = progress.step("heartbeats");
    let beat = scheduled_event(crate::now());
    let regions = stack.deployment().regions.keys();
    try_join_all(regions.map(async |code| stack.invoke(code, "heartbeat", &beat).await)).await?;
    stack.wait_until_quiet(ROLLED_UP_MAX).await?;
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    let fleet = operator.fleet().await?;
    step.done(format!("{} regions reported", fleet.regions.len()));
    Ok(fleet)
}

async fn dead_letters(stack: &Stack) -> Result<u64> {
    let regions = stack.deployment().regions.keys();
    let counts = try_join_all(regions.map(async |code| stack.dead_letters(code).await)).await?;
    Ok(counts.into_iter().sum())
}

/// Stops every region, so that it writes its state to disk, and searches that for personal data of
/// other regions.
async fn search(stack: &Stack, planted: &[Canary], options: &Options) -> Result<canary::Search> {
    let step = options.progress.step("search for personal data");
    let found = stack.search(planted, options.keep).await?;
    step.done(format!(
        "{} files, {} MB",
        found.files,
        found.bytes / 1_000_000
    ));
    Ok(found)
}
