//! `meridian usage`: sending usage events.

use super::{Target, print, print_json};
use anyhow::Result;
use clap::{Args, Subcommand};
use meridian::client::login::machine_token;
use meridian::client::usage::{BATCH_MAX, SCOPE, Sending, read, send};
use meridian::local::Progress;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sends usage.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian usage send usage.jsonl --region eu-central-1")]
pub(crate) enum Usage {
    /// Sends a file of CloudEvents, one JSON object a line, to a region.
    Send(Send),
}

#[derive(Debug, Args)]
#[command(after_help = "The same file may be sent again: every event counts once.

Examples:
  meridian usage send usage.jsonl --region eu-central-1
  meridian usage send usage.jsonl --region eu-central-1 --batch 1000 --parallel 8 --json")]
pub(crate) struct Send {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Events in a call.
    #[arg(long, default_value_t = 500, value_parser = parse_batch)]
    batch: usize,
    /// Calls at a time.
    #[arg(long, default_value_t = 4)]
    parallel: usize,
}

fn parse_batch(text: &str) -> Result<usize, String> {
    let batch = text.parse().ok().filter(|batch| (1..=BATCH_MAX).contains(batch));
    batch.ok_or_else(|| format!("a batch has 1 to {BATCH_MAX} events"))
}

/// Ends with exit code 3 when the region refused some of the events: the others are stored.
const SOME_REJECTED: u8 = 3;

pub(crate) async fn run(command: Usage) -> Result<ExitCode> {
    let Usage::Send(command) = command;
    let region = command.target.region()?;
    let events = read(&command.file)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let sending = Sending { api_url: region.api_url, token, batch: command.batch, parallel: command.parallel };
    let progress = if command.target.json { Progress::silent() } else { Progress::terminal() };
    let bar = progress.bar("usage", events.len() as u64);
    let sent = send(&sending, &events, |done| bar.advance(done)).await?;
    bar.done(format!("{} sent, {} stored", sent.events, sent.accepted));
    if command.target.json {
        print_json(&sent)?;
    } else {
        for (reason, count) in &sent.rejected {
            print(format!("{count:>8} refused: {reason}"));
        }
    }
    Ok(if sent.rejected.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_REJECTED) })
}
