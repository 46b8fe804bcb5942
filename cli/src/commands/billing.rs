//! `meridian billing`: billing runs and invoices.

use super::{Target, print, print_json};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use kernel::{BillingPeriod, MeterCode, TenantId, Timestamp, UsageGroup};
use local_aws::sdk;
use meridian::client::operator::{Operator, scheduled_event};
use meridian::demo::report;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// Bills a period, or shows what was billed.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian billing run --region us-east-1 --at 2026-12-01T14:00:00Z
  meridian billing invoices --region us-east-1 --period 2026-11
  meridian billing incidents --region us-east-1")]
pub(crate) enum Billing {
    /// Starts the billing run that is due at a moment, and waits until it is complete.
    Run(Run),
    /// Shows the invoices of a period with their lines.
    Invoices(Invoices),
    /// Shows what the ledger has of a tenant's usage.
    Usage(Usage),
    /// Shows what is wrong with the usage in the ledger.
    Incidents(Incidents),
}

#[derive(Debug, Args)]
#[command(
    after_help = "A run at a moment bills the period that ended before it. Running it again bills nothing twice.

Examples:
  meridian billing run --region us-east-1 --at 2026-12-01T14:00:00Z
  meridian billing run --region ap-south-1"
)]
pub(crate) struct Run {
    #[command(flatten)]
    target: Target,
    /// The billing clock (RFC 3339); default: now.
    #[arg(long)]
    at: Option<Timestamp>,
    /// How long to wait until the run is complete, in seconds.
    #[arg(long, default_value_t = 120)]
    wait_s: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian billing invoices --region us-east-1 --period 2026-11")]
pub(crate) struct Invoices {
    #[command(flatten)]
    target: Target,
    /// The period: a month, in UTC.
    #[arg(long)]
    period: BillingPeriod,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The numbers that are billed, by meter and day. The tenant's region has shorter windows.

Examples:
  meridian billing usage --region us-east-1 --tenant 0199a1f0-0000-7000-8000-000000000001 --period 2026-11
  meridian billing usage --region us-east-1 --tenant 0199a1f0-0000-7000-8000-000000000001 --period 2026-11 \\
    --meter tokens --group-by model --filter kind=output --from 2026-11-20T00:00:00Z"
)]
pub(crate) struct Usage {
    #[command(flatten)]
    target: Target,
    /// The tenant.
    #[arg(long)]
    tenant: TenantId,
    /// The period: a month, in UTC.
    #[arg(long)]
    period: BillingPeriod,
    /// The meter; default: all.
    #[arg(long)]
    meter: Option<MeterCode>,
    /// Dimensions of the meter that divide the totals, with commas between.
    #[arg(long, requires = "meter")]
    group_by: Option<String>,
    /// Values that dimensions of the meter are to have, such as `model=large`.
    #[arg(long, requires = "meter")]
    filter: Option<UsageGroup>,
    /// Windows that begin from then on.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Windows that begin before then.
    #[arg(long)]
    to: Option<Timestamp>,
}

impl Usage {
    /// What is asked beside tenant and period.
    fn narrowed(&self) -> Vec<(&'static str, String)> {
        let Self {
            meter,
            group_by,
            filter,
            from,
            to,
            ..
        } = self;
        let given = [
            ("meter", meter.as_ref().map(ToString::to_string)),
            ("group_by", group_by.clone()),
            ("filter", filter.as_ref().map(ToString::to_string)),
            ("from", from.map(|from| from.to_string())),
            ("to", to.map(|to| to.to_string())),
        ];
        given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "A day whose totals are not those that its region sealed, and reports that never arrived, after the region
was asked for them in vain. Ends with 1 when there is any.

Examples:
  meridian billing incidents --region us-east-1"
)]
pub(crate) struct Incidents {
    #[command(flatten)]
    target: Target,
}

pub(crate) async fn run(command: Billing) -> Result<ExitCode> {
    match command {
        Billing::Run(run) => start(run).await,
        Billing::Invoices(invoices) => show(&invoices).await,
        Billing::Usage(usage) => show_usage(&usage).await,
        Billing::Incidents(incidents) => show_incidents(&incidents).await,
    }
}

async fn start(command: Run) -> Result<ExitCode> {
    let region = command.target.region()?;
    let at = command.at.unwrap_or_else(meridian::now);
    let period = BillingPeriod::ended_before(at);
    let operator = Operator::connect(&region).await?;
    let function = region
        .functions
        .get("billing-run")
        .context("this region does not bill")?;
    let config = command.target.sdk().await?;
    sdk::invoke(&config, function, &scheduled_event(at)).await?;
    let wait = Duration::from_secs(command.wait_s);
    let run = operator
        .wait_for_run(period, wait)
        .await
        .context("`billing run` again waits on")?;
    if command.target.json {
        print_json(&run)?;
    } else {
        print(format!(
            "period {period}: {} of {} invoices",
            run.done, run.expected
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(command: &Invoices) -> Result<ExitCode> {
    let region = command.target.region()?;
    let invoices = Operator::connect(&region)
        .await?
        .invoices(command.period)
        .await?;
    if command.target.json {
        print_json(&invoices)?;
    } else {
        print(report::invoices(&BTreeMap::from([(
            command.target.region.clone(),
            invoices,
        )]))?);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_usage(command: &Usage) -> Result<ExitCode> {
    let region = command.target.region()?;
    let operator = Operator::connect(&region).await?;
    let usage = operator
        .usage(
            &command.tenant.to_string(),
            command.period,
            &command.narrowed(),
        )
        .await?;
    if command.target.json {
        print_json(&usage)?;
    } else if usage.windows.is_empty() {
        print(format!(
            "the ledger has no usage of the tenant in {}",
            command.period
        ));
    } else {
        print(report::ledger_usage(&usage));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_incidents(command: &Incidents) -> Result<ExitCode> {
    let region = command.target.region()?;
    let found = Operator::connect(&region).await?.usage_incidents().await?;
    if command.target.json {
        print_json(&found)?;
    } else if found.total == 0 {
        print("the ledger holds all that was sealed");
    } else {
        print(report::usage_incidents(&found));
    }
    Ok(if found.total == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
