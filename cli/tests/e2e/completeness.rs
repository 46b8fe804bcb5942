//! Usage that is lost between a region and the ledger is detected, requested and published again.

use crate::books::{Totals, customer, ledger, usage_file, wanted};
use crate::dead_letters::dead_letters;
use crate::exactly_once::send_all;
use crate::quiet::quiet;
use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::Client;
use jiff::SignedDuration;
use journey::journey;
use kernel::Timestamp;
use local_aws::Stack;
use meridian::client::operator::{Operator, scheduled_event};

/// The interval between two runs of the reconciliation, in seconds.
const RUN_S: i64 = 15 * 60;

/// Every event about a tenant's usage is lost on its way into the ledger, for a region that home
/// bills and for one that bills itself. Then the tenant's days are sealed. The seals show the gap,
/// and the ledger requests the missing usage, which the region publishes again.
#[journey(alone = "blocks all usage on its way to the ledger, and moves the rollup's clock")]
async fn lost_usage_is_published_again(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    for (region, biller) in [
        ("eu-central-1", home.as_str()),
        ("ap-south-1", "ap-south-1"),
    ] {
        without_dead_letters(
            stack,
            region,
            biller,
            gap_before_a_seal(stack, region, biller),
        )
        .await?;
    }
    Ok(())
}

/// The last events about a tenant's usage are lost, totals and seals, and no later event shows the
/// gap. The ledger asks the region where the usage ends, and requests the gap before that end like
/// any other.
#[journey(alone = "blocks all usage on its way to the ledger, and moves the rollup's clock")]
async fn lost_usage_at_the_end_is_detected(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    for (region, biller) in [
        ("eu-central-1", home.as_str()),
        ("ap-south-1", "ap-south-1"),
    ] {
        without_dead_letters(stack, region, biller, gap_at_the_end(stack, region, biller)).await?;
    }
    Ok(())
}

/// Runs something, and checks that it leaves no new dead letters in the two regions.
async fn without_dead_letters(
    stack: &Stack,
    region: &str,
    biller: &str,
    what: impl Future<Output = Result<()>>,
) -> Result<()> {
    let before = dead_letters(stack, &[region, biller]).await?;
    what.await
        .with_context(|| format!("{region}, billed by {biller}"))?;
    let dead = dead_letters(stack, &[region, biller]).await?;
    ensure!(
        dead == before,
        "{region}, billed by {biller}: {dead} dead letters, and {before} before"
    );
    Ok(())
}

async fn gap_before_a_seal(stack: &Stack, region: &str, biller: &str) -> Result<()> {
    let (tenant, expected) = lose(stack, region, biller, async || Ok(())).await?;
    run(stack, region, "usage-rollup", sealed_at()).await?;
    quiet(stack).await?;
    ensure_mended(stack, biller, &tenant, &expected).await
}

async fn gap_at_the_end(stack: &Stack, region: &str, biller: &str) -> Result<()> {
    let (tenant, expected) = lose(stack, region, biller, async || {
        run(stack, region, "usage-rollup", sealed_at()).await
    })
    .await?;
    run(stack, biller, "billing-reconcile", in_hours(1)).await?;
    quiet(stack).await?;
    let unnoticed = ledger(stack, biller, std::slice::from_ref(&tenant)).await?;
    ensure!(
        unnoticed.is_empty(),
        "the gap was detected without the end: {unnoticed:?}"
    );
    run(stack, biller, "billing-reconcile", slot_of(&tenant)?).await?;
    quiet(stack).await?;
    ensure_mended(stack, biller, &tenant, &expected).await
}

/// Reports usage of a new tenant, and loses every event about it on its way into the ledger, with
/// those that `more` causes. Returns the tenant and the expected totals.
async fn lose(
    stack: &Stack,
    region: &str,
    biller: &str,
    more: impl AsyncFnOnce() -> Result<()>,
) -> Result<(String, Totals)> {
    let tenant = customer(stack, region).await?.tenant;
    let file = usage_file(vec![tenant.clone()], 500, 31)?;
    let rule = LedgerRule::of_usage(stack, biller).await?;
    // Events about the tenant itself must arrive.
    quiet(stack).await?;
    rule.disable().await?;
    let lost = async {
        send_all(stack, region, &file.path).await?;
        quiet(stack).await?;
        more().await?;
        quiet(stack).await?;
        ledger(stack, biller, std::slice::from_ref(&tenant)).await
    };
    let lost = lost.await;
    // The rule is enabled whatever the result, because the following journeys need it.
    rule.enable().await?;
    let lost = lost?;
    ensure!(lost.is_empty(), "nothing was lost: {lost:?}");
    Ok((tenant, wanted(&file.expected)))
}

/// Checks that the ledger requests the missing usage, and then has all of it without an incident.
async fn ensure_mended(stack: &Stack, biller: &str, tenant: &str, expected: &Totals) -> Result<()> {
    run(stack, biller, "billing-reconcile", in_hours(1)).await?;
    quiet(stack).await?;
    let found = ledger(stack, biller, &[tenant.to_owned()]).await?;
    ensure!(found == *expected, "found {found:?}\nwanted {expected:?}");

    // After a second run the tenant has no incident, because nothing is missing any more.
    run(stack, biller, "billing-reconcile", in_hours(3)).await?;
    let operator = Operator::connect(stack.deployment().region(biller)?).await?;
    let incidents = operator.usage_incidents().await?.incidents;
    let of_tenant: Vec<_> = incidents
        .iter()
        .filter(|incident| incident.tenant.to_string() == tenant)
        .collect();
    ensure!(of_tenant.is_empty(), "there are incidents: {of_tenant:?}");
    Ok(())
}

fn in_hours(hours: i64) -> Timestamp {
    meridian::now() + SignedDuration::from_hours(hours)
}

/// A time at which every day up to now is sealed.
fn sealed_at() -> Timestamp {
    in_hours(100)
}

/// The time of the tenant's next run. Each tenant has one run a day, chosen by the last byte of its
/// id.
fn slot_of(tenant: &str) -> Result<Timestamp> {
    let last_byte = i64::from(u8::from_str_radix(&tenant[tenant.len() - 2..], 16)?);
    let this_run = in_hours(0).as_second() / RUN_S;
    let ahead = (last_byte - this_run).rem_euclid(24 * 3_600 / RUN_S);
    Ok(Timestamp::from_second((this_run + ahead) * RUN_S)?)
}

async fn run(stack: &Stack, region: &str, function: &str, at: Timestamp) -> Result<()> {
    stack
        .invoke(region, function, &scheduled_event(at))
        .await
        .map(|_| ())
}

/// The EventBridge rule that carries usage into a ledger.
struct LedgerRule {
    client: Client,
    bus: String,
    rule: String,
}

impl LedgerRule {
    async fn of_usage(stack: &Stack, biller: &str) -> Result<Self> {
        let client = Client::new(&stack.emulator_sdk(biller)?);
        for bus in client.list_event_buses().send().await?.event_buses() {
            let Some(bus) = bus.name() else { continue };
            for rule in client
                .list_rules()
                .event_bus_name(bus)
                .send()
                .await?
                .rules()
            {
                let takes_seals = rule
                    .event_pattern()
                    .is_some_and(|pattern| pattern.contains("UsageSealed"));
                let Some(name) = rule.name().filter(|_| takes_seals) else {
                    continue;
                };
                let targets = client
                    .list_targets_by_rule()
                    .event_bus_name(bus)
                    .rule(name)
                    .send()
                    .await?;
                // The rule that leads to the ledger's queue is meant, not one that forwards to
                // home.
                if targets
                    .targets()
                    .iter()
                    .any(|target| target.arn().contains(":sqs:"))
                {
                    return Ok(Self {
                        bus: bus.to_owned(),
                        rule: name.to_owned(),
                        client,
                    });
                }
            }
        }
        anyhow::bail!("no rule carries usage into the ledger of {biller}")
    }

    async fn disable(&self) -> Result<()> {
        self.client
            .disable_rule()
            .event_bus_name(&self.bus)
            .name(&self.rule)
            .send()
            .await?;
        Ok(())
    }

    async fn enable(&self) -> Result<()> {
        self.client
            .enable_rule()
            .event_bus_name(&self.bus)
            .name(&self.rule)
            .send()
            .await?;
        Ok(())
    }
}
