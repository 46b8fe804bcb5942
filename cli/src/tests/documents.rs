//! Commands of the documents are ones that this program takes.

use crate::command_line;
use anyhow::{Context as _, Result, ensure};
use clap::error::ErrorKind;
use std::path::Path;
use tidy::documents::{Command, pages};

/// What stands for values in the documents, each with an example. Longer names come first.
const PLACEHOLDERS: [(&str, &str); 8] = [
    ("TENANT-ID", "01a22b9b-5ada-723e-be18-3ad73dd2e320"),
    ("$TENANT", "01a22b9b-5ada-723e-be18-3ad73dd2e320"),
    ("SIGNUP-ID", "5e950647-1300-4317-9e6e-16b67dff3459"),
    ("$SIGNUP", "5e950647-1300-4317-9e6e-16b67dff3459"),
    ("$REGION", "eu-central-1"),
    ("$EMAIL", "admin@example.org"),
    ("<command>", "fleet"),
    ("...", "fleet"),
];

/// Parses a command as the program does, with examples in place of what stands for values.
fn parse(arguments: &[String]) -> Result<()> {
    let filled = arguments.iter().map(|argument| {
        PLACEHOLDERS
            .iter()
            .fold(argument.clone(), |text, (name, example)| {
                text.replace(name, example)
            })
    });
    let parsed =
        command_line().try_get_matches_from(["meridian".to_owned()].into_iter().chain(filled));
    match parsed {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(()),
        parsed => parsed.map(drop).context("the program refuses it"),
    }
}

#[test]
fn every_command_of_the_documents_is_taken() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut checked = 0;
    for page in pages(&root)? {
        let commands = page.commands()?;
        let ours = commands.iter().filter_map(|command: &Command| {
            command.of_meridian().map(|arguments| (command, arguments))
        });
        for (command, arguments) in ours {
            parse(arguments)
                .with_context(|| format!("{}: {}", command.place, command.words.join(" ")))?;
            checked += 1;
        }
    }
    ensure!(checked > 20, "only {checked} commands are checked");
    Ok(())
}

/// The examples that help shows: lines that begin with the program's name.
#[test]
fn every_example_of_the_help_is_taken() -> Result<()> {
    let mut checked = 0;
    for (_, mut command) in super::all(&command_line(), "") {
        let help = command.render_long_help().to_string();
        let examples = help.lines().filter(|line| line.starts_with("  meridian "));
        for example in examples {
            // What an example explains stands behind it, after a wide gap.
            let line = example.trim().split("   ").next().unwrap_or_default();
            let page = tidy::documents::Page::of("help", &format!("```sh\n{line}\n```\n"));
            for command in page.commands()? {
                let arguments = command.of_meridian().unwrap_or_default();
                parse(arguments).with_context(|| example.trim().to_owned())?;
                checked += 1;
            }
        }
    }
    ensure!(checked > 20, "only {checked} examples are checked");
    Ok(())
}
