//! The meridian command: local stack, demo, operator commands.

mod commands;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// A multi-region SaaS control plane for AWS that keeps each tenant's data in its region.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  meridian demo                                    onboarding, usage and billing on four local regions, with proof
  meridian local up                                the local regions alone
  meridian signup start --help                     options and examples of one command
  meridian fleet --deployment production.json      the regions on AWS, described by `meridian connect`")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The command line, with the exit codes at the end of every command's help.
fn command_line() -> clap::Command {
    describe_exit_codes(Arguments::command())
}

/// Appends the exit codes to the help of a command and of all its subcommands, so that no command
/// can omit them.
fn describe_exit_codes(command: clap::Command) -> clap::Command {
    let help = command
        .get_after_help()
        .map(|help| format!("{help}\n\n"))
        .unwrap_or_default();
    let help = format!("{help}{}", commands::EXIT_CODES);
    command
        .after_help(help)
        .mut_subcommands(describe_exit_codes)
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
    let arguments = Arguments::from_arg_matches(&command_line().get_matches())
        .unwrap_or_else(|error| error.exit());
    let result = match arguments.command {
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

#[cfg(test)]
mod tests {
    mod documents;

    use super::command_line;

    /// Every visible command of a tree, by its full name.
    fn all(command: &clap::Command, above: &str) -> Vec<(String, clap::Command)> {
        let name = format!("{above} {}", command.get_name());
        let shown = command
            .get_subcommands()
            .filter(|below| !below.is_hide_set());
        let below = shown
            .flat_map(|below| all(below, &name))
            .collect::<Vec<_>>();
        [(name.clone(), command.clone())]
            .into_iter()
            .chain(below)
            .collect()
    }

    #[test]
    fn the_help_of_every_command_has_an_example_and_the_exit_codes() {
        let commands = all(&command_line(), "");
        assert!(
            commands.len() > 20,
            "only {} commands found",
            commands.len()
        );
        for (name, mut command) in commands {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{name}: no example");
            assert!(
                help.contains(&format!("  {}", name.trim())),
                "{name}: the example is of another command"
            );
            assert!(help.contains("Exit codes"), "{name}: no exit codes");
        }
    }

    #[test]
    fn the_command_line_is_valid() {
        command_line().debug_assert();
    }
}
