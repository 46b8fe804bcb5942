//! One module per command.

pub(crate) mod billing;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod fleet;
pub(crate) mod local;
pub(crate) mod onboarding;
pub(crate) mod signup;
pub(crate) mod tenant;
pub(crate) mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use meridian::local::{LocalState, RegionState};

/// What the help of every command ends with.
pub(crate) const EXIT_CODES: &str = "Exit codes, besides those named above:
  0  all is well
  1  something failed, or a check did not hold: the reason is on standard error
  2  the command line is wrong";

/// What every command ends with, see [`EXIT_CODES`]; clap ends the program itself when the command
/// line is wrong.
#[expect(clippy::print_stderr, reason = "the program's own report")]
pub(crate) fn exit_code(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints a value for programs.
#[expect(clippy::print_stdout, reason = "the program's own output")]
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a text for people.
#[expect(clippy::print_stdout, reason = "the program's own output")]
pub(crate) fn print(text: impl std::fmt::Display) {
    println!("{text}");
}

/// The checkout to work on: what was given, or the nearest folder upwards with a `regions.toml`.
pub(crate) fn checkout(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    let here = std::env::current_dir().context("no current folder")?;
    let found = here
        .ancestors()
        .find(|folder| folder.join(meridian::regions::FILE).exists());
    match found {
        Some(folder) => Ok(folder.to_owned()),
        None => bail!(
            "no {} here or in a folder above: change into a checkout of Meridian, or name it with --checkout",
            meridian::regions::FILE
        ),
    }
}

/// Where a command goes: a region of the local stack, or of a deployment to AWS.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The region.
    #[arg(long, env = "MERIDIAN_REGION")]
    pub(crate) region: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Output for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which stack a command is about.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A deployment to AWS, as `meridian connect` describes it; default: the local stack.
    #[arg(long, value_name = "FILE", env = "MERIDIAN_DEPLOYMENT")]
    deployment: Option<PathBuf>,
    /// The checkout of Meridian; default: the nearest folder upwards that is one.
    #[arg(long)]
    checkout: Option<PathBuf>,
}

impl Place {
    /// Addresses, names and clients of the stack.
    pub(crate) fn state(&self) -> Result<LocalState> {
        match &self.deployment {
            Some(file) => LocalState::read(file),
            None => LocalState::load(&checkout(self.checkout.clone())?),
        }
    }
}

impl Target {
    /// The region's addresses and clients.
    pub(crate) fn region(&self) -> Result<RegionState> {
        self.place.state()?.region(&self.region).cloned()
    }
}
