//! `meridian connect`: describes a deployment to AWS for the other commands.

use super::{checkout, print};
use anyhow::{Context, Result, bail};
use clap::Args;
use deployment::described::read;
use deployment::file::write_json;
use deployment::regions::Fleet;
use deployment::{Deployment, TenantNames, clients};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Describes a deployment to AWS in a file, for the option `--deployment` of other commands.
///
/// Reads the stack's outputs and resources in each region of `regions.toml` with your AWS
/// credentials. The file holds the secrets of the machine clients.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian connect --out production.json
  meridian fleet --deployment production.json
  meridian usage send usage.jsonl --region eu-central-1 --deployment production.json")]
pub(crate) struct Connect {
    /// The stack's name in every region.
    #[arg(long, default_value = "meridian")]
    stack_name: String,
    /// Only these regions; default: the whole fleet.
    #[arg(long = "region")]
    regions: Vec<String>,
    /// The file to write, readable only by you.
    #[arg(long)]
    out: PathBuf,
    /// The checkout of Meridian; default: the nearest parent folder with a regions.toml.
    #[arg(long)]
    checkout: Option<PathBuf>,
}

pub(crate) async fn run(command: Connect) -> Result<ExitCode> {
    let fleet = Fleet::load(&checkout(command.checkout)?)?;
    let mut regions = BTreeMap::new();
    let mut tenants: Option<TenantNames> = None;
    for region in fleet.regions() {
        let code = region.code.to_string();
        if command.regions.is_empty() || command.regions.contains(&code) {
            let config = clients::aws(&code).await;
            let read = read(&config, &command.stack_name, region)
                .await
                .with_context(|| format!("region {code}"))?;
            let (deployed, of_region) = read;
            if !regions.is_empty() && tenants != of_region {
                bail!(
                    "region {code} has a different TenantDomain or TenantAddress from the regions before it"
                );
            }
            tenants = of_region;
            print(format!("{code:<16} {}", deployed.api_url));
            regions.insert(code, deployed);
        }
    }
    let home = fleet.home().to_string();
    let deployment = Deployment {
        home,
        tenants,
        regions,
    };
    write_json(&command.out, &deployment)?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&command.out, owner_only)
        .context("the file's permissions cannot be restricted to you")?;
    Ok(ExitCode::SUCCESS)
}
