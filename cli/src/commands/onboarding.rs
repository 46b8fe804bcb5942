//! `meridian regions` and `meridian onboard`: home's services for people who choose a region.

use super::signup::Applicant;
use super::{Place, print, print_json};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use deployment::DeployedRegion;
use meridian::client::onboarding::{Onboarding, onboard, read, regions};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Lists the regions that a tenant can live in, as published by home.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian regions
  meridian regions --json")]
pub(crate) struct Regions {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Onboards a tenant through home, which hands the sign-up over to a region of mode shared.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian onboard start --jurisdiction us --organisation 'Example Ltd' --name 'A. Person' \\
      --email admin@example.org --agree          asks for the password on standard input
  meridian onboard show ID")]
pub(crate) enum Onboard {
    /// Registers an organisation with its administrator, in a region that home or you choose.
    Start(Box<Start>),
    /// Shows the progress of an onboarding, as reported by its region to home.
    Show(Show),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian onboard start --to us-west-2 --organisation 'Example Ltd' --name 'A. Person' \\
      --email admin@example.org --agree
  meridian onboard start --jurisdiction us ...       home chooses a region of that jurisdiction
  meridian onboard start --near 45.5,-122.6 ...      home chooses the nearest region")]
pub(crate) struct Start {
    /// The region to register in.
    #[arg(long, group = "placement")]
    to: Option<String>,
    /// A jurisdiction; home chooses a region in it.
    #[arg(long, group = "placement")]
    jurisdiction: Option<String>,
    /// A place as latitude and longitude in degrees; home chooses the nearest region.
    #[arg(
        long,
        group = "placement",
        value_name = "LAT,LON",
        allow_hyphen_values = true
    )]
    near: Option<String>,
    #[command(flatten)]
    applicant: Applicant,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian onboard show ID")]
pub(crate) struct Show {
    /// The onboarding's id.
    id: String,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn list(command: Regions) -> Result<ExitCode> {
    let found = regions(&home(&command.place)?).await?;
    if command.json {
        print_json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["region", "name", "law", "mode", "new tenants", "sign-up at"]);
    for region in found {
        let open = if region.accepts_new_tenants {
            "yes"
        } else {
            "no"
        };
        let mode = region.mode.to_string();
        table.add_row([
            &region.code,
            &region.name,
            &region.jurisdiction,
            &mode,
            open,
            &region.signup_url,
        ]);
    }
    print(table);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn run(command: Onboard) -> Result<ExitCode> {
    match command {
        Onboard::Start(start) => self::start(*start).await,
        Onboard::Show(Show { id, place, json }) => show(&read(&home(&place)?, &id).await?, json),
    }
}

async fn start(start: Start) -> Result<ExitCode> {
    let home = home(&start.place)?;
    let placement = placement(&start)?;
    // Every region of a release requires the same documents, so home's form serves for all.
    let (key, details) = start.applicant.fill_in(&home.api_url).await?;
    let started = onboard(&home, &key, &placement, &details).await;
    show(
        &started.with_context(|| format!("to try again, add --idempotency-key {key}"))?,
        start.json,
    )
}

fn placement(start: &Start) -> Result<Value> {
    match (&start.to, &start.jurisdiction, &start.near) {
        (Some(region), _, _) => Ok(json!({ "region": region })),
        (_, Some(jurisdiction), _) => Ok(json!({ "jurisdiction": jurisdiction })),
        (_, _, Some(near)) => {
            let degrees = near
                .split_once(',')
                .map(|(a, b)| (a.trim().parse::<f64>(), b.trim().parse::<f64>()));
            let Some((Ok(latitude), Ok(longitude))) = degrees else {
                bail!("--near takes latitude and longitude in degrees, such as 45.5,-122.6");
            };
            Ok(json!({ "nearest_to": { "latitude": latitude, "longitude": longitude } }))
        }
        (None, None, None) => bail!("choose a region: --to, --jurisdiction or --near"),
    }
}

fn home(place: &Place) -> Result<DeployedRegion> {
    let deployment = place.deployment()?;
    deployment.region(&deployment.home).cloned()
}

fn show(onboarding: &Onboarding, as_json: bool) -> Result<ExitCode> {
    if as_json {
        print_json(onboarding)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(format!(
        "onboarding {}\nregion     {}",
        onboarding.id, onboarding.region
    ));
    print(format!(
        "state      {} (next: {})",
        onboarding.state, onboarding.next
    ));
    if let Some(signup) = &onboarding.signup {
        print(format!("sign-up    {}", signup.url));
    }
    for step in &onboarding.steps {
        let reason = step
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        print(format!("  {:<13} {}{reason}", step.name, step.state));
    }
    Ok(ExitCode::SUCCESS)
}
