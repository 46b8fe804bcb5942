//! What is lost between a region and the ledger is noticed, asked for and made good.

use crate::books::{customer, ledger, usage_file, wanted};
use crate::exactly_once::send_all;
use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::Client;
use jiff::SignedDuration;
use kernel::Timestamp;
use meridian::client::operator::{Operator, scheduled_event};
use meridian::local::Stack;
use std::time::Duration;

const QUIET: Duration = Duration::from_secs(120);

/// Every fact about a tenant's usage is lost on its way into the ledger, of a region that home bills and of one that
/// bills itself. Its days are sealed, and what the seal speaks of is asked for and stated again.
pub(crate) async fn what_is_lost_is_stated_again(stack: &Stack) -> Result<()> {
    let home = stack.state().home.clone();
    for (region, biller) in [("eu-central-1", home.as_str()), ("ap-south-1", "ap-south-1")] {
        made_good(stack, region, biller).await.with_context(|| format!("{region}, billed by {biller}"))?;
    }
    Ok(())
}

async fn made_good(stack: &Stack, region: &str, biller: &str) -> Result<()> {
    let tenant = customer(stack, region).await?.tenant;
    let file = usage_file(vec![tenant.clone()], 500, 31)?;
    let road = Road::of_usage(stack, biller).await?;
    // What is said of the tenant itself arrives.
    stack.wait_until_quiet(QUIET).await?;
    road.close().await?;
    send_all(stack, region, &file.path).await?;
    stack.wait_until_quiet(QUIET).await?;
    let lost = ledger(stack, biller, std::slice::from_ref(&tenant)).await?;
    road.open().await?;
    ensure!(lost.is_empty(), "nothing was lost: {lost:?}");

    let now = meridian::now();
    let in_hours = |hours: i64| now + SignedDuration::from_hours(hours);
    run(stack, region, "usage-rollup", in_hours(100)).await?;
    stack.wait_until_quiet(QUIET).await?;
    run(stack, biller, "billing-reconcile", in_hours(1)).await?;
    stack.wait_until_quiet(QUIET).await?;
    let found = ledger(stack, biller, std::slice::from_ref(&tenant)).await?;
    ensure!(found == wanted(&file.expected), "found {found:?}\nwanted {:?}", wanted(&file.expected));

    // The second look finds that all is there.
    run(stack, biller, "billing-reconcile", in_hours(3)).await?;
    let operator = Operator::connect(stack.state().region(biller)?).await?;
    let incidents = operator.usage_incidents().await?.incidents;
    let of_tenant: Vec<_> = incidents.iter().filter(|incident| incident.tenant.to_string() == tenant).collect();
    ensure!(of_tenant.is_empty(), "there are incidents: {of_tenant:?}");
    let dead = stack.dead_letters(biller).await? + stack.dead_letters(region).await?;
    ensure!(dead == 0, "there are {dead} dead letters");
    Ok(())
}

async fn run(stack: &Stack, region: &str, function: &str, at: Timestamp) -> Result<()> {
    stack.invoke(region, function, &scheduled_event(at)).await.map(|_| ())
}

/// The rule that brings usage into a ledger.
struct Road {
    client: Client,
    bus: String,
    rule: String,
}

impl Road {
    async fn of_usage(stack: &Stack, biller: &str) -> Result<Self> {
        let client = Client::new(&stack.emulator_sdk(biller)?);
        for bus in client.list_event_buses().send().await?.event_buses() {
            let Some(bus) = bus.name() else { continue };
            for rule in client.list_rules().event_bus_name(bus).send().await?.rules() {
                let takes_seals = rule.event_pattern().is_some_and(|pattern| pattern.contains("UsageSealed"));
                let Some(name) = rule.name().filter(|_| takes_seals) else { continue };
                let targets = client.list_targets_by_rule().event_bus_name(bus).rule(name).send().await?;
                // To the ledger's queue, and not on to home.
                if targets.targets().iter().any(|target| target.arn().contains(":sqs:")) {
                    return Ok(Self { bus: bus.to_owned(), rule: name.to_owned(), client });
                }
            }
        }
        anyhow::bail!("no rule brings usage into the ledger of {biller}")
    }

    async fn close(&self) -> Result<()> {
        self.client.disable_rule().event_bus_name(&self.bus).name(&self.rule).send().await?;
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        self.client.enable_rule().event_bus_name(&self.bus).name(&self.rule).send().await?;
        Ok(())
    }
}
