//! `meridian local`: the local stack.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use local_aws::{Knobs, Progress, Stack, Status, UpOptions, logs, serve};

use super::{checkout, print, print_json};

/// The local stack's commands.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian local up
  meridian local logs --region eu-central-1 --function signup-api
  meridian local down")]
pub(crate) enum Local {
    /// Starts the stack, or brings a running one up to date.
    #[command(after_help = "Examples:
  meridian local up                 start, or deploy what has changed
  meridian local up --reset         begin with empty regions
  meridian local up --json          print the addresses for programs")]
    Up(Up),
    /// Stops everything that `up` started. Regions keep their data for the next `up`.
    #[command(after_help = "Example:
  meridian local down")]
    Down(Where),
    /// Shows regions, processes and links. Exits with 1 when a part does not run.
    #[command(after_help = "Examples:
  meridian local status
  meridian local status --json")]
    Status(StatusOf),
    /// Shows the logs of functions and emulators.
    #[command(after_help = "Examples:
  meridian local logs --function signup-api
  meridian local logs --region eu-central-1 --function usage-rollup --follow
  meridian local logs --region eu-central-1 --emulator")]
    Logs(Logs),
    /// Serves proxies and links; `up` starts it.
    #[command(hide = true)]
    Serve(Where),
}

/// The checkout.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The checkout of Meridian [default: the nearest parent folder with a regions.toml]
    #[arg(long, value_name = "FOLDER")]
    checkout: Option<PathBuf>,
}

/// Options of `local up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Where,
    /// Begin with empty regions
    #[arg(long)]
    reset: bool,
    /// Where the search for free ports starts [default: a number below 32768, derived from the
    /// checkout's path]
    #[arg(long, value_name = "PORT", env = "MERIDIAN_PORT_BASE")]
    port_base: Option<u16>,
    /// Print the content of .meridian/local.json on standard output
    #[arg(long)]
    json: bool,
}

/// Options of `local status`.
#[derive(Debug, Args)]
pub(crate) struct StatusOf {
    #[command(flatten)]
    place: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `local logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    place: Where,
    /// Only this region
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// Only this function, such as signup-api
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// The emulator's own log instead of the functions'
    #[arg(long, conflicts_with = "function")]
    emulator: bool,
    /// Continue with new lines
    #[arg(long, short)]
    follow: bool,
}

/// Runs one of the local stack's commands.
pub(crate) async fn run(command: Local) -> Result<ExitCode> {
    match command {
        Local::Up(up) => start(up).await,
        Local::Down(place) => {
            let stopped = Stack::down(&checkout(place.checkout)?).await?;
            print(format!("{stopped} processes stopped"));
            Ok(ExitCode::SUCCESS)
        }
        Local::Status(of) => {
            let status = Stack::status(&checkout(of.place.checkout)?).await?;
            if of.json {
                print_json(&status)?;
            } else {
                show(&status);
            }
            Ok(if status.running {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Local::Logs(which) => {
            let selection = logs::Selection {
                region: which.region,
                function: which.function,
                emulator: which.emulator,
                follow: which.follow,
            };
            let stack = Stack::open(&checkout(which.place.checkout)?)?;
            logs::show(&stack, &selection, |line| print(line)).await?;
            Ok(ExitCode::SUCCESS)
        }
        Local::Serve(place) => {
            serve::run(&checkout(place.checkout)?).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn start(up: Up) -> Result<ExitCode> {
    let options = UpOptions {
        checkout: checkout(up.place.checkout)?,
        reset: up.reset,
        port_base: up.port_base,
        progress: Progress::terminal(),
    };
    let stack = Stack::up(options).await?;
    if up.json {
        print_json(&stack.local_json()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print("");
    for (code, region) in &stack.deployment().regions {
        print(format!(
            "{code:<16} {:<10} api {}  aws {}",
            region.mode.as_str(),
            region.api_url,
            stack.local().region(code)?.aws_endpoint_url
        ));
    }
    if let Some(tenants) = &stack.deployment().tenants {
        print(format!("\nTenants are at {}.", tenants.url));
    }
    print("All addresses and names: .meridian/local.json. Stop with `meridian local down`.");
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Status) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "region",
        "mode",
        "pid",
        "health",
        "functions",
        "api",
        "aws endpoint",
    ]);
    for region in &status.regions {
        let name = if region.home {
            format!("{} (home)", region.region)
        } else {
            region.region.clone()
        };
        let health = match (region.pid, region.healthy) {
            (None, _) => "down",
            (_, true) => "healthy",
            (_, false) => "silent",
        };
        table.add_row([
            name,
            region.mode.clone(),
            region
                .pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            health.to_owned(),
            region.functions.to_string(),
            region.api_url.clone().unwrap_or_else(|| "-".to_owned()),
            region
                .aws_endpoint_url
                .clone()
                .unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    print(table);
    if !status.links.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["link", "bus", "rule", "delivered", "failed", "state"]);
        for link in &status.links {
            let knobs = link.knobs;
            let state = match (knobs.cut, &link.last_error) {
                (true, _) => "cut".to_owned(),
                (_, Some(error)) => error.clone(),
                _ if knobs == Knobs::default() => "ok".to_owned(),
                _ => format!(
                    "delay {} ms, {} copies, reorder {}",
                    knobs.delay_ms, knobs.duplicate, knobs.reorder
                ),
            };
            table.add_row([
                format!("{} -> {}", link.link.from, link.link.to),
                link.link.bus.clone(),
                link.link.rule.clone(),
                link.delivered.to_string(),
                link.failed.to_string(),
                state,
            ]);
        }
        print(table);
    }
    match (status.serve_pid, &status.control_url) {
        (Some(pid), Some(url)) => print(format!("proxies and links: pid {pid}, control {url}")),
        _ => print("proxies and links: down. Start the stack with `meridian local up`."),
    }
    if let Some(url) = &status.tenant_url {
        print(format!("tenants: {url}"));
    }
}
