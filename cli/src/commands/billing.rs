//! `meridian billing`: billing runs and invoices.

use super::{Target, print, print_json};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use kernel::{BillingPeriod, TenantId, Timestamp};
use meridian::client::operator::{Operator, scheduled_event};
use meridian::demo::report;
use meridian::local::sdk;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// Bills a period, or shows what was billed.
#[derive(Debug, Subcommand)]
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
#[command(after_help = "A run at a moment bills the period that ended before it. Running it again bills nothing twice.

Examples:
  meridian billing run --region us-east-1 --at 2026-12-01T14:00:00Z
  meridian billing run --region ap-south-1")]
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
    after_help = "The numbers that are billed, by meter and day. The tenant's region has shorter windows and dimensions.

Examples:
  meridian billing usage --region us-east-1 --tenant 0199a1f0-0000-7000-8000-000000000001 --period 2026-11"
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
    let function = region.functions.get("billing-run").context("this region does not bill")?;
    let config = sdk::config_of(&command.target.region, &region).await;
    sdk::invoke(&config, function, &scheduled_event(at)).await?;
    let wait = Duration::from_secs(command.wait_s);
    let run = operator.wait_for_run(period, wait).await.context("`billing run` again waits on")?;
    if command.target.json {
        print_json(&run)?;
    } else {
        print(format!("period {period}: {} of {} invoices", run.done, run.expected));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(command: &Invoices) -> Result<ExitCode> {
    let region = command.target.region()?;
    let invoices = Operator::connect(&region).await?.invoices(command.period).await?;
    if command.target.json {
        print_json(&invoices)?;
    } else {
        print(report::invoices(&BTreeMap::from([(command.target.region.clone(), invoices)]))?);
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_usage(command: &Usage) -> Result<ExitCode> {
    let region = command.target.region()?;
    let usage = Operator::connect(&region).await?.usage(&command.tenant.to_string(), command.period).await?;
    if command.target.json {
        print_json(&usage)?;
    } else if usage.windows.is_empty() {
        print(format!("the ledger has no usage of the tenant in {}", command.period));
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
    Ok(if found.total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
