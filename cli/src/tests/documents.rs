//! Commands of the documents are ones that this program takes.

use crate::command_line;
use anyhow::{Context as _, Result, ensure};
use clap::error::ErrorKind;
use std::path::Path;
use tidy::documents::{Command, Page, pages};

/// What stands for values in documents and help, each with an example.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("TENANT-ID", "01a22b9b-5ada-723e-be18-3ad73dd2e320"),
    ("$TENANT", "01a22b9b-5ada-723e-be18-3ad73dd2e320"),
    ("SIGNUP-ID", "5e950647-1300-4317-9e6e-16b67dff3459"),
    ("ID", "5e950647-1300-4317-9e6e-16b67dff3459"),
    ("$REGION", "eu-central-1"),
    ("$EMAIL", "admin@example.org"),
    ("<command>", "fleet"),
];

/// Parses a command as the program does, with examples in place of what stands for values. Prose
/// may name a command without its arguments.
fn parse(command: &Command, arguments: &[String]) -> Result<()> {
    let filled = arguments.iter().map(|argument| {
        let example = PLACEHOLDERS.iter().find(|(name, _)| name == argument);
        example.map_or_else(|| argument.clone(), |(_, example)| (*example).to_owned())
    });
    let line = ["meridian".to_owned()].into_iter().chain(filled);
    let taken = match command_line().try_get_matches_from(line) {
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => Ok(()),
            ErrorKind::MissingRequiredArgument
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                if command.is_prose =>
            {
                Ok(())
            }
            _ => Err(error),
        },
        Ok(_) => Ok(()),
    };
    taken.with_context(|| format!("{}: {}", command.place, command.words.join(" ")))
}

/// Parses every command of a page that is ours. Returns how many there are.
fn parse_all(page: &Page) -> Result<usize> {
    let mut parsed = 0;
    for command in page.commands()? {
        if let Some(arguments) = command.of_meridian() {
            parse(&command, arguments)?;
            parsed += 1;
        }
    }
    Ok(parsed)
}

#[test]
fn every_command_of_the_documents_is_taken() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut checked = 0;
    for page in pages(&root)? {
        checked += parse_all(&page)?;
    }
    ensure!(checked > 20, "only {checked} commands are checked");
    Ok(())
}

/// The examples that help shows, as a page. What explains an example stands behind a wide gap, and
/// dots stand for the arguments of the example before.
fn examples(help: &str) -> Page {
    let mut lines = Vec::new();
    let mut goes_on = false;
    for line in help.lines() {
        if goes_on || line.starts_with("  meridian ") {
            goes_on = line.ends_with('\\');
            lines.push(line.trim().split("   ").next().unwrap_or_default());
        }
    }
    lines.retain(|line| !line.contains("..."));
    Page::of("help", &format!("```sh\n{}\n```\n", lines.join("\n")))
}

#[test]
fn every_example_of_the_help_is_taken() -> Result<()> {
    let mut checked = 0;
    for (_, mut command) in super::all(&command_line(), "") {
        checked += parse_all(&examples(&command.render_long_help().to_string()))?;
    }
    ensure!(checked > 20, "only {checked} examples are checked");
    Ok(())
}
