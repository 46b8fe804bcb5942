//! `meridian demo`: onboarding, usage and billing from start to finish.

use super::{checkout, print};
use anyhow::Result;
use clap::Args;
use local_aws::{Progress, Stack};
use meridian::demo::{Options, run};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the demo on four local regions: onboarding, usage, billing, and the proof that every figure
/// is right.
///
/// Needs only Python 3.10 or newer. The exit code is 0 only if every check holds.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian demo                    runs the demo and stops the stack at the end
  meridian demo --keep             leaves the stack running, to try it out
  meridian demo --events 100000    more usage")]
pub(crate) struct Demo {
    /// Leave the stack running at the end.
    #[arg(long)]
    keep: bool,
    /// How many usage events to send.
    #[arg(long, default_value_t = 24_000, value_parser = clap::value_parser!(u32).range(30..=2_000_000))]
    events: u32,
    /// The seed of the generated usage.
    #[arg(long, default_value_t = 2_026)]
    seed: u64,
    /// The checkout of Meridian; default: the nearest parent folder with a regions.toml.
    #[arg(long)]
    checkout: Option<PathBuf>,
}

pub(crate) async fn demo(arguments: Demo) -> Result<ExitCode> {
    let checkout = checkout(arguments.checkout)?;
    let options = Options {
        checkout: checkout.clone(),
        keep: arguments.keep,
        events: usize::try_from(arguments.events)?,
        seed: arguments.seed,
        progress: Progress::terminal(),
    };
    let outcome = tokio::select! {
        outcome = run(&options) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = if !arguments.keep || outcome.is_err() {
        Stack::down(&checkout).await
    } else {
        Ok(0)
    };
    let outcome = outcome?;
    print(outcome.report);
    stopped?;
    Ok(if outcome.is_proved {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
