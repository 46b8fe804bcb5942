//! `meridian fleet`: every region at a glance.

use super::{Place, print, print_json};
use anyhow::Result;
use clap::Args;
use meridian::client::operator::Operator;
use meridian::demo::report;
use std::process::ExitCode;

/// Shows every region: mode, tenants, usage, lags, policies, health.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian fleet
  meridian fleet --json | jq '.regions[] | select(.status != \"healthy\")'")]
pub(crate) struct Fleet {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Fleet) -> Result<ExitCode> {
    let deployment = command.place.deployment()?;
    let fleet = Operator::connect(deployment.region(&deployment.home)?)
        .await?
        .fleet()
        .await?;
    if command.json {
        print_json(&fleet)?;
    } else {
        print(report::fleet(&fleet, &deployment)?);
    }
    Ok(ExitCode::SUCCESS)
}
