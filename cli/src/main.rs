//! The meridian command: local stack, demo, operator commands.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A multi-region SaaS control plane for AWS that keeps each tenant's data in its region.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::Demo),
    Connect(commands::connect::Connect),
    Fleet(commands::fleet::Fleet),
    Regions(commands::onboarding::Regions),
    #[command(subcommand)]
    Onboard(commands::onboarding::Onboard),
    #[command(subcommand)]
    Tenant(commands::tenant::Tenant),
    #[command(subcommand)]
    Signup(commands::signup::Signup),
    #[command(subcommand)]
    Usage(commands::usage::Usage),
    #[command(subcommand)]
    Billing(commands::billing::Billing),
    /// Runs a local AWS per region on this machine, with the real template and the real functions.
    #[command(subcommand)]
    Local(commands::local::Local),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(demo) => commands::demo::demo(demo).await,
        Command::Connect(connect) => commands::connect::run(connect).await,
        Command::Fleet(fleet) => commands::fleet::run(fleet).await,
        Command::Regions(regions) => commands::onboarding::list(regions).await,
        Command::Onboard(onboard) => commands::onboarding::run(onboard).await,
        Command::Tenant(tenant) => commands::tenant::run(tenant).await,
        Command::Signup(signup) => commands::signup::run(signup).await,
        Command::Usage(usage) => commands::usage::run(usage).await,
        Command::Billing(billing) => commands::billing::run(billing).await,
        Command::Local(local) => commands::local::run(local).await,
    };
    commands::exit_code(result)
}
