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
use aws_config::SdkConfig;
use clap::Args;
use deployment::{DeployedRegion, Deployment, clients, regions};
use local_aws::{LocalStack, local_json, sdk};

/// The end of every command's help.
pub(crate) const EXIT_CODES: &str = "Exit codes, besides those named above:
  0  success
  1  something failed, or a check did not hold: the reason is on standard error
  2  the command line is wrong";

/// The exit code of a command, see [`EXIT_CODES`]. clap itself ends the program if the command line
/// is wrong.
#[expect(clippy::print_stderr, reason = "the program's own report")]
pub(crate) fn exit_code(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints a value as JSON.
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

/// The checkout: the given folder, or the nearest parent folder with a `regions.toml`.
pub(crate) fn checkout(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    let here = std::env::current_dir().context("no current folder")?;
    let found = here
        .ancestors()
        .find(|folder| folder.join(regions::FILE).exists());
    match found {
        Some(folder) => Ok(folder.to_owned()),
        None => bail!(
            "no {} here or in a folder above: change into a checkout of Meridian, or name it with --checkout",
            regions::FILE
        ),
    }
}

/// The target of a command: a region of the local stack, or of a deployment to AWS.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The region.
    #[arg(long, env = "MERIDIAN_REGION")]
    pub(crate) region: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The stack that a command is for.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A deployment to AWS, described by `meridian connect`; default: the local stack.
    #[arg(long, value_name = "FILE", env = "MERIDIAN_DEPLOYMENT")]
    deployment: Option<PathBuf>,
    /// The checkout of Meridian; default: the nearest parent folder with a regions.toml.
    #[arg(long)]
    checkout: Option<PathBuf>,
}

impl Place {
    /// Addresses, names and clients of the stack.
    pub(crate) fn deployment(&self) -> Result<Deployment> {
        match &self.deployment {
            Some(file) => Deployment::read(file),
            None => local_json::deployment(&checkout(self.checkout.clone())?),
        }
    }

    /// The addresses of the local stack; `None` for a deployment to AWS.
    fn local(&self) -> Result<Option<LocalStack>> {
        match &self.deployment {
            Some(_) => Ok(None),
            None => LocalStack::load(&checkout(self.checkout.clone())?).map(Some),
        }
    }
}

impl Target {
    /// The region's addresses and clients.
    pub(crate) fn region(&self) -> Result<DeployedRegion> {
        self.place.deployment()?.region(&self.region).cloned()
    }

    /// The configuration of AWS clients for the region: the local one's, or AWS's with the caller's
    /// own credentials.
    pub(crate) async fn sdk(&self) -> Result<SdkConfig> {
        match self.place.local()? {
            Some(local) => {
                let endpoint = &local.region(&self.region)?.aws_endpoint_url;
                Ok(sdk::config(&self.region, endpoint))
            }
            None => Ok(clients::aws(&self.region).await),
        }
    }

    /// The address of the region's mails.
    ///
    /// # Errors
    /// When the target is not the local stack: on AWS, mails go to real mailboxes.
    pub(crate) fn mail_url(&self) -> Result<String> {
        let local = self.place.local()?;
        let local = local.context("only the local stack has mailboxes to read a code from")?;
        Ok(local.region(&self.region)?.mail_url.clone())
    }
}
