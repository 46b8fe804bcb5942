//! `meridian fleet`: every region at a glance.

use super::{checkout, print, print_json};
use anyhow::Result;
use clap::Args;
use meridian::client::operator::Operator;
use meridian::demo::report;
use meridian::local::LocalState;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows every region: mode, tenants, usage, lags, policies, health.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian fleet
  meridian fleet --json | jq '.regions[] | select(.status != \"healthy\")'")]
pub(crate) struct Fleet {
    /// The checkout of Meridian; default: the nearest folder upwards that is one.
    #[arg(long)]
    checkout: Option<PathBuf>,
    /// Output for programs.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Fleet) -> Result<ExitCode> {
    let state = LocalState::load(&checkout(command.checkout)?)?;
    let fleet = Operator::connect(state.region(&state.home)?).await?.fleet().await?;
    if command.json {
        print_json(&fleet)?;
    } else {
        print(report::fleet(&fleet, &state)?);
    }
    Ok(ExitCode::SUCCESS)
}
