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
    /// Starts the billing run that is due at a given time, and waits until it is complete.
    Run(Run),
    /// Shows the invoices of a period with their lines.
    Invoices(Invoices),
    /// Shows a tenant's usage in the ledger.
    Usage(Usage),
    /// Shows incidents: usage in the ledger that does not match its region.
    Incidents(Incidents),
}

#[derive(Debug, Args)]
#[command(
    after_help = "A run bills the period that ended before its time. Running it again bills nothing twice.

Examples:
  meridian billing run --region us-east-1 --at 2026-12-01T14:00:00Z
  meridian billing run --region ap-south-1"
)]
pub(crate) struct Run {
    #[command(flatten)]
    target: Target,
    /// The time of the billing clock (RFC 3339); default: now.
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
    after_help = "Shows the billed totals by meter and day. The tenant's region has shorter windows too.

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
    /// The meter's dimensions to group by, separated by commas.
    #[arg(long, requires = "meter")]
    group_by: Option<String>,
    /// Values of the meter's dimensions to filter by, such as `model=large`.
    #[arg(long, requires = "meter")]
    filter: Option<UsageGroup>,
    /// Only windows that start at this time or later.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Only windows that start before this time.
    #[arg(long)]
    to: Option<Timestamp>,
}

impl Usage {
    /// The query parameters beside tenant and period.
    fn parameters(&self) -> Vec<(&'static str, String)> {
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
    after_help = "An incident is a day whose totals differ from those that its region sealed, or a report that did not arrive although
home requested it again. The exit code is 1 if there is any.

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
        .context("run `billing run` again to continue waiting")?;
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
            &command.parameters(),
        )
        .await?;
    if command.target.json {
        print_json(&usage)?;
    } else if usage.windows.is_empty() {
        print(format!(
            "the ledger has no usage of this tenant in {}",
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
        print("no incidents: the ledger matches every sealed day");
    } else {
        print(report::usage_incidents(&found));
    }
    Ok(if found.total == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
