//! `meridian usage`: sends usage events, and takes them back.

use super::{Target, print, print_json};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use kernel::{ReasonCode, TenantId, Timestamp};
use local_aws::Progress;
use meridian::client::correction::{EventKey, Outcome, Sender, TakeBack, take_back};
use meridian::client::login::machine_token;
use meridian::client::usage::{BATCH_MAX, SCOPE, Sending, read, send};
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Sends usage events, and takes them back.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian usage send usage.jsonl --region eu-central-1
  meridian usage take-back --region eu-central-1 --tenant ID --source /gateway/1 --id 8f14e45f --reason sent-in-error")]
pub(crate) enum Usage {
    /// Sends a file of CloudEvents, one JSON object per line, to a region.
    Send(Send),
    /// Takes back an event by its key, or replaces it.
    TakeBack(TakeBackArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The same file may be sent again: every event counts once. Each rejected event is listed with its line, its id
and the reason; the others are stored, and the exit code is 3.

Examples:
  meridian usage send usage.jsonl --region eu-central-1
  meridian usage send usage.jsonl --region eu-central-1 --batch 1000 --parallel 8 --json | jq '.refused[]'"
)]
pub(crate) struct Send {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// The number of events per request.
    #[arg(long, default_value_t = 500, value_parser = parse_batch)]
    batch: usize,
    /// The number of concurrent requests.
    #[arg(long, default_value_t = 4)]
    parallel: usize,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The region searches the events that it stored in the last 40 days. For a tenant with very many events, narrow the
search by --sent-from and --sent-to. Taking back the same event again changes nothing.
Events of meters with the aggregation minimum, maximum, latest or unique count cannot be taken back.
The exit code is 3 if nothing was changed, because another event counts under the key or the replacement's id is
in use, and 4 if the correction is not rolled up yet: `GET /usage/corrections` shows its result.

Examples:
  meridian usage take-back --region eu-central-1 --tenant 0199a1f0-0000-7000-8000-000000000001 \\
      --source /gateway/1 --id 8f14e45f --reason sent-in-error
  meridian usage take-back --region eu-central-1 --tenant 0199a1f0-0000-7000-8000-000000000001 \\
      --source /gateway/1 --id 8f14e45f --sent-by tenant --reason wrong-unit \\
      --sent-from 2026-11-03T09:00:00Z --sent-to 2026-11-03T10:00:00Z --replacement event.json --json"
)]
pub(crate) struct TakeBackArguments {
    #[command(flatten)]
    target: Target,
    /// The tenant whose usage it is.
    #[arg(long)]
    tenant: TenantId,
    /// The event's source.
    #[arg(long)]
    source: String,
    /// The event's id.
    #[arg(long)]
    id: String,
    /// The sender of the event: a service of the provider, or a client of the tenant's own. Ids are
    /// unique per sender.
    #[arg(long, value_enum, default_value_t = Sender::Provider)]
    sent_by: Sender,
    /// The earliest time at which it may have been sent; default: 40 days ago.
    #[arg(long, value_name = "TIME")]
    sent_from: Option<Timestamp>,
    /// The latest time at which it may have been sent; default: now.
    #[arg(long, value_name = "TIME")]
    sent_to: Option<Timestamp>,
    /// A file with one CloudEvent as JSON, which replaces the event.
    #[arg(long, value_name = "FILE")]
    replacement: Option<PathBuf>,
    /// The reason, a word such as wrong-unit, which is stored with the correction.
    #[arg(long)]
    reason: ReasonCode,
}

fn parse_batch(text: &str) -> Result<usize, String> {
    let batch = text
        .parse()
        .ok()
        .filter(|batch| (1..=BATCH_MAX).contains(batch));
    batch.ok_or_else(|| format!("a batch has 1 to {BATCH_MAX} events"))
}

/// Exit code when the region rejected some of the events or the correction; other events are
/// stored.
const SOME_REJECTED: u8 = 3;

/// Exit code when a correction is stored but not rolled up yet.
const NOT_ROLLED_UP: u8 = 4;
/// How long `take-back` waits for the rollup before it ends with [`NOT_ROLLED_UP`].
const ROLLED_UP_MAX: Duration = Duration::from_secs(30);

pub(crate) async fn run(command: Usage) -> Result<ExitCode> {
    match command {
        Usage::Send(command) => send_file(command).await,
        Usage::TakeBack(command) => take_back_event(command).await,
    }
}

async fn take_back_event(command: TakeBackArguments) -> Result<ExitCode> {
    let TakeBackArguments {
        target,
        tenant,
        source,
        id,
        sent_by,
        sent_from,
        sent_to,
        replacement,
        reason,
    } = command;
    let replacement = replacement.map(|file| read_one(&file)).transpose()?;
    let region = target.region()?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let key = EventKey {
        tenant,
        source,
        id,
        sent_from,
        sent_to,
    };
    let correction = TakeBack {
        key,
        sent_by,
        replacement,
        reason,
    };
    let record = take_back(&region.api_url, &token, &correction, ROLLED_UP_MAX).await?;
    if target.json {
        print_json(&record)?;
    } else {
        let outcome = record
            .outcome
            .map_or("stored, and not rolled up yet", Outcome::as_str);
        print(format!("correction {}: {outcome}", record.id));
    }
    Ok(match record.outcome {
        Some(outcome) if outcome.is_done() => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(SOME_REJECTED),
        None => ExitCode::from(NOT_ROLLED_UP),
    })
}

/// Reads a file with one JSON object.
fn read_one(file: &Path) -> Result<Box<RawValue>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

async fn send_file(command: Send) -> Result<ExitCode> {
    let region = command.target.region()?;
    let events = read(&command.file)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let sending = Sending {
        api_url: region.api_url,
        token,
        batch: command.batch,
        parallel: command.parallel,
    };
    let progress = if command.target.json {
        Progress::silent()
    } else {
        Progress::terminal()
    };
    let bar = progress.bar("usage", events.len() as u64);
    let sent = send(&sending, &events, |done| bar.advance(done)).await?;
    bar.done(format!("{} sent, {} stored", sent.events, sent.accepted));
    if command.target.json {
        print_json(&sent)?;
    } else {
        for refused in &sent.refused {
            print(refused);
        }
        for (reason, count) in &sent.rejected {
            print(format!("{count:>8} rejected: {reason}"));
        }
    }
    Ok(if sent.rejected.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(SOME_REJECTED)
    })
}
